# SPDX-License-Identifier: Apache-2.0
"""What the lints share: which files are the project's, C without comments, and how to report.

A lint is a function check(project) that yields findings; run(check) makes a program of it:
exit 0 and a count, or 1 and one line `file:line: what is wrong` for each finding.
"""

import argparse
import os
import pathlib
import re
import sys

FOLDERS = (".ci", "conf", "include", "packaging", "src", "tests")
TOP_FILES = (".gitignore", "LICENSE", "Makefile.am", "README.md", "autogen.sh", "configure.ac")
# What a build inside the source tree leaves between the sources.
BUILT_FOLDERS = {".deps", ".libs", "__pycache__"}
BUILT_SUFFIXES = {".a", ".gcda", ".gcno", ".log", ".o", ".pyc", ".trs"}
CORPORA = "tests/fuzz/corpus"

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C with comments and the insides of literals blanked; every line stays where it is."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return COMMENT_OR_TEXT.sub(blank, text)


class Finding:
    def __init__(self, path, line, text):
        self.path, self.line, self.text = path, line, text

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class Project:
    """The source tree at `root`, and the build folder where objects are."""

    def __init__(self, root, build=None):
        self.root = pathlib.Path(root).resolve()
        self.build = pathlib.Path(build).resolve() if build else None

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="surrogateescape")

    def lines(self, path):
        return enumerate(self.read(path).splitlines(), start=1)

    def glob(self, pattern):
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def files(self):
        """Every text file of the project, corpora and what a build left excepted."""
        found = [name for name in TOP_FILES if (self.root / name).is_file()]
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                name = str(path.relative_to(self.root))
                if (path.is_file() and not path.is_symlink() and not name.startswith(CORPORA)
                        and not BUILT_FOLDERS & set(path.parts) and path.suffix not in BUILT_SUFFIXES
                        and path.name != ".dirstamp" and b"\0" not in path.read_bytes()):
                    found.append(name)
        return found


def run(check):
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--root", default=here.parent.parent, help="the source tree (default: this one)")
    parser.add_argument("--build", default=os.environ.get("LATTICE_PROBE_BUILD"), help="the build folder")
    options = parser.parse_args()
    findings = list(check(Project(options.root, options.build)))
    for finding in findings:
        print(finding)
    name = pathlib.Path(sys.argv[0]).name
    print(f"{name}: {len(findings)} findings" if findings else f"{name}: nothing found")
    sys.exit(1 if findings else 0)
