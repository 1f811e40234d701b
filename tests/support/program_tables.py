# SPDX-License-Identifier: Apache-2.0
"""What the program has, read from its own source: commands, their options, environment variables, events
of the log; and, from tables_tool, the tables of the library. For the tests of help, manual and completions.
"""

import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
CLI = ROOT / "src" / "cli"
ROW = re.compile(r"""\{ "([\w-]+)", (\w+), NULL, (?:'(\w)'|\w+) \}""")


def sources():
    """The text of every source file of the program."""
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").glob("*/*.c"))]


def commands():
    """{name: help} of each command, from the table in main.c."""
    text = (CLI / "main.c").read_text(encoding="utf-8")
    table = text.partition("struct command commands[] = {")[2].partition("};")[0]
    found = dict(re.findall(r'\{ "([\w-]+)", cmd_\w+, "([^"]+)" \}', table))
    assert len(found) >= 6 and len(found) == table.count("cmd_"), table
    return found


def options(command):
    """{long name: (letter or None, takes a word)} of a command, from the tables that it gives getopt_long."""
    text = (CLI / f"cmd_{command.replace('-', '_')}.c").read_text(encoding="utf-8")
    table = text.partition("struct option options[] = {")[2].partition("{ 0 } }")[0]
    # The commands that print documents give their table to one reader.
    reader = (CLI / "cli_generate.c").read_text(encoding="utf-8") if "return cli_generate(" in text else text
    letters = re.search(r'getopt_long\(argc, argv, "([\w:]*)"', reader).group(1)
    found = {name: (letter if letter and letter in letters else None, kind == "required_argument")
             for name, kind, letter in ROW.findall(table)}
    assert "help" in found and len(found) == table.count("_argument"), table
    for name, (letter, takes_word) in found.items():
        assert letter is None or (f"{letter}:" in letters) == takes_word, (command, name)
    return found


def words_of(command):
    """The options of a command as they are typed: --json, -c."""
    found = options(command)
    return {f"--{name}" for name in found} | {f"-{letter}" for letter, _ in found.values() if letter}


def events():
    """The events that the log may hold."""
    text = "\n".join(sources())
    # event=%s: the words to choose from stand in the same statement.
    chosen = " ".join(re.findall(r"event=%s[^;]*", text))
    return set(re.findall(r"\bevent=([a-z_]+)", text)) | set(re.findall(r'"([a-z]+_[a-z_]+)"', chosen))


def environment():
    """The variables that are asked for by name; those of libraries (LC_ALL, SSL_CERT_FILE) are not among them."""
    text = "\n".join(sources())
    return set(re.findall(r'"((?:AWS|ECS)_[A-Z0-9_]{3,})"', text)) | set(re.findall(r'getenv\("(\w+)"\)', text))


def library():
    """The tables of the library: keys, reloads, outcomes, metrics, verdicts, rights."""
    tool = pathlib.Path(os.environ["LATTICE_PROBE_BUILD"]) / "tests" / "support" / "tables_tool"
    return json.loads(subprocess.run([tool], capture_output=True, text=True, check=True, timeout=60).stdout)
