# SPDX-License-Identifier: Apache-2.0
"""Every lint is content with the tree as it is, and fails on each violation planted in a copy of it."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = shutil.ignore_patterns("*.o", "*.a", "*.log", "*.trs", ".deps", "__pycache__", ".dirstamp", "corpus")


@pytest.fixture
def tree(tmp_path):
    """A copy of the sources, writable, with a build folder of its own."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in ("include", "src", "tests", "packaging", "conf"):
        shutil.copytree(ROOT / name, copy / name, ignore=BUILT)
    shutil.copy(ROOT / "Makefile.am", copy)
    subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)
    (tmp_path / "build").mkdir()
    return copy


def lint(name, tree):
    done = subprocess.run([sys.executable, str(HERE / name), "--root", str(tree), "--build", str(tree.parent / "build")],
                          capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def plant(tree, path, text, after=None):
    """Writes a new file, or puts text behind the first line that starts with `after`."""
    file = tree / path
    if after is None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return
    lines = file.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith(after)) + 1
    file.write_text("".join(lines[:at]) + text + "".join(lines[at:]))


def compile_into_build(tree):
    """Empty objects for every source, so that only what a test compiles itself exports anything."""
    command = shlex.split(os.environ.get("CC", "cc")) + ["-c", "-x", "c"]
    empty = tree.parent / "empty.o"
    subprocess.run(command + ["/dev/null", "-o", str(empty)], check=True)
    for source in tree.glob("src/*/*.c"):
        built = tree.parent / "build" / source.relative_to(tree).with_suffix(".o")
        built.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty, built)
    return command


@pytest.mark.parametrize("name", ["rooms", "headers", "banned", "form", "listed", "words"])
def test_the_copy_passes_before_anything_is_planted(name, tree):
    status, output = lint(name, tree)
    assert status == 0, output


UPWARD = '#include "lattice-probe/resolver.h"\n'
SIDEWAYS = '#include "lattice-probe/schedule.h"\n'
SOURCE = "/* SPDX-License-Identifier: Apache-2.0 */\n"
OWN = '#include "lattice-probe/buf.h"'

PLANTED = {
    "a room above": ("rooms", "src/base/buf.c", UPWARD, OWN, "room base may not include resolver.h of room net"),
    "a room beside": ("rooms", "src/net/planted.c", SOURCE + SIDEWAYS, None, "room net may not include schedule.h"),
    "a header that looks up": ("rooms", "include/lattice-probe/buf.h", UPWARD, "#define", "room base may not include"),
    "a header of no room": ("rooms", "include/lattice-probe/planted.h", SOURCE, None, "belongs to no room"),
    "a room nobody knows": ("rooms", "src/attic/planted.c", SOURCE, None, "room attic is not in tables.py"),
    "another room's inside": ("rooms", "src/base/buf.c", '#include "net_internal.h"\n', OWN, "only lattice-probe/"),
    "an inside in a test": ("rooms", "tests/unit/planted.c", '#include "net_internal.h"\n', None, "never leaves its room"),
    "a header that leans on others": ("headers", "include/lattice-probe/planted.h",
                                      "int planted_at(struct mono when);\n", None, "does not compile alone"),
    "a banned call": ("banned", "src/base/buf.c", "static char *q(char *a) { return strcat (a, a); }\n",
                      "#include <string.h>", "strcat: use"),
    "a clock of one's own": ("banned", "src/base/buf.c", "static long q(void) { return time(0); }\n",
                             "#include <string.h>", "time: use"),
    "a blocking resolver": ("banned", "src/base/buf.c", "static int q(void) { return getaddrinfo(0, 0, 0, 0); }\n",
                            "#include <string.h>", "getaddrinfo: use"),
    "no licence line": ("form", "tests/unit/planted.c", "int planted;\n", None, "no SPDX-License-Identifier"),
    "white space at the end": ("form", "src/base/buf.c", "int planted; \n", "#include <string.h>", "white space"),
    "no newline at the end": ("form", "tests/unit/planted.c", SOURCE + "int planted;", None, "no newline"),
    "a file too long": ("form", "tests/unit/planted.c", SOURCE + "\n" * 600, None, "longer than 600 lines"),
    "own header second": ("form", "src/base/err.c", "#include <stdio.h>\n", "/* SPDX", "the first include is"),
    "a system header last": ("form", "src/base/buf.c", "#include <time.h>\n", '#include "lattice-probe/err.h"',
                             "system and libraries first"),
    "includes out of order": ("form", "src/base/buf.c", '#include "lattice-probe/aaa.h"\n',
                              '#include "lattice-probe/err.h"', "alphabetical"),
    "a function too long": ("form", "src/base/buf.c", "int planted(void)\n{\n" + "\t;\n" * 60 + "\treturn 0;\n}\n",
                            "#include <string.h>", "planted has 63 lines"),
    "a file in no list": ("listed", "src/base/planted.h", SOURCE, None, "in no list"),
    "a test in no list": ("listed", "tests/unit/test_planted.c", SOURCE, None, "in no list"),
    "a note to oneself": ("words", "src/base/buf.c", "/* TO" "DO: later */\n", "#include <string.h>", "a note to oneself"),
    "half a merge": ("words", "src/base/buf.c", "=" * 7 + "\n", "#include <string.h>", "left by a merge"),
    "a folder of one machine": ("words", "conf/lattice-probe.conf", "# see /ho" "me/someone/x\n", "#", "a folder of one machine"),
}


@pytest.mark.parametrize("violation", PLANTED)
def test_a_planted_violation_is_found(violation, tree):
    name, path, text, after, words = PLANTED[violation]
    plant(tree, path, text, after)
    status, output = lint(name, tree)
    assert status == 1, f"{name} did not notice {violation}"
    assert path in output and words in output, output


def test_words_in_comments_and_texts_are_not_calls(tree):
    plant(tree, "src/base/buf.c", '/* strcpy() is not called */ static const char *q = "atoi(x)";\n', "#include <string.h>")
    status, output = lint("banned", tree)
    assert status == 0, output


def test_a_foreign_export_is_found(tree):
    command = compile_into_build(tree)
    source = tree / "src/base/buf.c"
    source.write_text("int buf_new_thing; int buf; int helper(void); int helper(void) { return buf; }\n")
    subprocess.run(command + [str(source), "-o", str(tree.parent / "build/src/base/buf.o")], check=True)
    status, output = lint("exports", tree)
    assert status == 1
    assert "exports helper" in output and "buf_new_thing" not in output


def test_an_exception_that_nothing_needs_is_found(tree):
    compile_into_build(tree)
    status, output = lint("exports", tree)
    assert status == 1 and "src/base/units.c:1: tables.py allows it to export mono_, but it does not" in output


def test_a_source_that_nobody_builds_is_found(tree):
    compile_into_build(tree)
    plant(tree, "src/base/planted.c", SOURCE)
    status, output = lint("exports", tree)
    assert status == 1 and "src/base/planted.c:1: no object of it" in output
