# SPDX-License-Identifier: Apache-2.0
"""--help names every option that getopt takes, and none that it does not."""

import re

import pytest

import program_tables

COMMANDS = program_tables.commands()
OPTION = re.compile(r"^ +(?:(-\w), |    )--([\w-]+)( [A-Z]+[A-Z/=]*)?(?: +\S|$)", re.MULTILINE)


def said(command, name):
    answer = command.command(name, "--help")
    assert answer.code == 0 and answer.stderr == "", answer
    return answer.stdout


def test_the_overview_lists_every_command(command):
    listed = re.findall(r"^  ([a-z-]+) +(\S.*)$", command.command("--help").stdout, re.MULTILINE)
    assert dict(listed) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_listed_and_no_other(command, name):
    listed = {long: (short[1:] or None, bool(word)) for short, long, word in OPTION.findall(said(command, name))}
    assert listed == program_tables.options(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_usage_shows_what_the_list_explains(command, name):
    usage = said(command, name).partition("\n\n")[0]
    shown = set(re.findall(r"\[(--?[\w-]+)", usage))
    wanted = {f"--{long}" for long in program_tables.options(name)} - {"--help", "--config"}
    if "config" in program_tables.options(name):
        wanted.add("-c")
    assert shown == wanted


@pytest.mark.parametrize("name", COMMANDS)
def test_all_are_written_alike(command, name):
    text = said(command, name)
    assert text.startswith(f"usage: lattice-probe {name}") and text.endswith(".\n")
    assert re.search(r"^Exit status: 0", text, re.MULTILINE) and "\t" not in text
    # Where the configuration is installed is not ours to say.
    assert all(len(re.sub(r"/\S+/lattice-probe\.conf", "", line)) <= 80 for line in text.splitlines())
    assert re.search(r"^  -h, --help +print this$", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_not_there(command, name):
    answer = command.command(name, "--no-such-option")
    assert answer.code == 2 and answer.stdout == "" and f"usage: lattice-probe {name}" in answer.stderr
