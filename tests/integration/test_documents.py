# SPDX-License-Identifier: Apache-2.0
"""The README names what there is: every command, outcome, verdict and right, and none that is not."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(name, macro):
    """The second argument of each row of a table in include/lattice-probe."""
    text = (ROOT / "include" / "lattice-probe" / name).read_text(encoding="utf-8")
    return re.findall(rf'^{macro}\(\w+, "?([\w-]+)"?,', text, re.MULTILINE)


def section(title):
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name, macro, title", [("outcome.def", "OUTCOME", "Outcomes"),
                                                ("diagnosis.def", "DIAGNOSIS", "Why does it not answer?")])
def test_each_row_of_a_table_is_in_the_readme_and_nothing_else(name, macro, title):
    names = rows(name, macro)
    assert len(names) > 20
    table = "\n".join(line for line in section(title).splitlines() if line.startswith("|"))
    words = set(re.findall(r"`([a-z][\w-]*)`", table))
    assert set(names) - words == set()
    like_ours = {word for word in words if ("-" if macro == "DIAGNOSIS" else "_") in word}
    settings = {"expect_", "tls_ca", "max_body"}
    assert like_ours - set(names) - settings == set()


def test_each_command_is_in_the_readme(lattice_probe):
    text = subprocess.run([lattice_probe, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z-]+) +\w", text, re.MULTILINE)
    assert {"run", "once", "diagnose", "status"} <= set(commands)
    for command in commands:
        assert command == "version" or f"$ lattice-probe {command}" in README or f"`lattice-probe {command}`" in README


def test_the_rights_named_are_those_that_are_used():
    used = set()
    for path in (ROOT / "src" / "diagnose").glob("control*.c"):
        used |= set(re.findall(r'"((?:ec2|vpc-lattice):[A-Z]\w+)', path.read_text(encoding="utf-8")))
    named = set(re.findall(r"`((?:ec2|vpc-lattice):\w+)`", section("Why does it not answer?")))
    assert used and used <= named
