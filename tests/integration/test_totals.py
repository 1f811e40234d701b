# SPDX-License-Identifier: Apache-2.0
"""tests/run counts every case once, and nothing that went wrong or was left out as a success."""

import pathlib
import subprocess
import sys

import pytest

TOTALS = pathlib.Path(__file__).resolve().parent.parent / "support" / "totals"

CMOCKA_GOOD = "[==========] Running 3 test(s).\n[  PASSED  ] 3 test(s).\n"
CMOCKA_BAD = "[==========] Running 3 test(s).\n[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n"
CMOCKA_DEAD = "[==========] Running 3 test(s).\n[ RUN      ] one\n[       OK ] one\n"
CMOCKA_SKIPPED = "[==========] Running 3 test(s).\n[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n"
CMOCKA_NEW = "[==========] tests: Running 3 test(s).\n[==========] tests: 3 test(s) run.\n[  PASSED  ] 3 test(s).\n"
PYTEST = "===== {} in 1.23s =====\n"

CASES = {
    "a good unit test": ("PASS", CMOCKA_GOOD, 3, 0),
    "a newer cmocka": ("PASS", CMOCKA_NEW, 3, 0),
    "two groups": ("PASS", CMOCKA_GOOD * 2, 6, 0),
    "a failed case": ("FAIL", CMOCKA_BAD, 2, 1),
    "a crash": ("FAIL", CMOCKA_DEAD, 0, 3),
    "a leak found at the end": ("FAIL", CMOCKA_GOOD, 3, 1),
    "a skipped case": ("PASS", CMOCKA_SKIPPED, 2, 1),
    "a good pytest": ("PASS", PYTEST.format("7 passed"), 7, 0),
    "a slow pytest": ("PASS", PYTEST.format("7 passed").replace("1.23s", "83.20s (0:01:23)"), 7, 0),
    "a mixed pytest": ("FAIL", PYTEST.format("2 failed, 7 passed, 1 skipped, 1 error"), 7, 4),
    "a pytest with a skip": ("SKIP", PYTEST.format("6 passed, 1 skipped"), 6, 1),
    "a lint": ("PASS", "words: nothing found\n", 1, 0),
    "a failed lint": ("FAIL", "words: 1 findings\n", 0, 1),
    "left out": ("SKIP", "SKIP: no pytest\n", 0, 1),
    "broken": ("ERROR", "", 0, 1),
}


def totals(build, *steps):
    done = subprocess.run([sys.executable, str(TOTALS), str(build), *steps], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-1]


def leave(build, name, result, log):
    folder = build / "tests" / "unit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.trs").write_text(f":test-result: {result}\n:global-test-result: {result}\n")
    (folder / f"{name}.log").write_text(log)


@pytest.mark.parametrize("case", CASES)
def test_one_test_is_counted(case, tmp_path):
    result, log, passed, failed = CASES[case]
    leave(tmp_path, "test_it", result, log)
    assert totals(tmp_path, "check=0") == (1 if failed else 0, f"{passed} passed, {failed} failed")


def test_all_are_added_up(tmp_path):
    for number, (result, log, _, _) in enumerate(CASES.values()):
        leave(tmp_path, f"test_{number}", result, log)
    passed = sum(case[2] for case in CASES.values())
    failed = sum(case[3] for case in CASES.values())
    assert totals(tmp_path, "check=2") == (1, f"{passed} passed, {failed} failed")


def test_a_step_that_failed_before_its_tests_counts(tmp_path):
    leave(tmp_path, "test_it", "PASS", CMOCKA_GOOD)
    assert totals(tmp_path, "build=0", "check=2") == (1, "3 passed, 1 failed")


def test_nothing_at_all_is_a_failure(tmp_path):
    assert totals(tmp_path, "check=0") == (1, "0 passed, 1 failed")
