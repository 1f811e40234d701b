# SPDX-License-Identifier: Apache-2.0
"""Reads as much of Terraform's language as the worked example uses: blocks, arguments, references.

read_folder(PATH) gives the blocks of all .tf files. A Block has kind, labels, arguments {name: tokens} and
blocks. Expressions are not evaluated; references(tokens) names what they refer to.
"""

import dataclasses
import itertools
import pathlib
import re

TOKEN = re.compile(r"""
    (?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*)
  | (?P<newline>\n)
  | (?P<text>"(?:[^"\\$\n]|\\.|\$(?!\{)|\$\{(?:[^{}"]|"(?:[^"\\]|\\.)*"|\{[^{}]*\})*\})*")
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<name>[A-Za-z_][\w-]*)
  | (?P<sign>\.\.\.|=>|==|!=|<=|>=|&&|\|\||[-+*/%<>=!?:.,(){}\[\]])
""", re.VERBOSE)
OPENING = {"(": ")", "[": "]", "{": "}"}
INSIDE = re.compile(r"\$\{((?:[^{}\"]|\"(?:[^\"\\]|\\.)*\"|\{[^{}]*\})*)\}")
# What a dotted name begins with that is no reference of ours.
BUILT_IN = {"each", "count", "path", "self", "terraform"}


class HclError(Exception):
    pass


@dataclasses.dataclass
class Token:
    kind: str
    text: str
    line: int


@dataclasses.dataclass
class Block:
    kind: str
    labels: list
    file: str
    line: int
    arguments: dict = dataclasses.field(default_factory=dict)
    blocks: list = dataclasses.field(default_factory=list)

    @property
    def address(self):
        """As an expression writes it."""
        if self.kind == "resource":
            return ".".join(self.labels)
        if self.kind == "variable":
            return f"var.{self.labels[0]}"
        return ".".join([self.kind, *self.labels])

    def all_tokens(self):
        for tokens in self.arguments.values():
            yield from tokens
        for block in self.blocks:
            yield from block.all_tokens()


def tokens_of(text, file):
    found, position, line = [], 0, 1
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise HclError(f"{file}:{line}: what is {text[position:position + 20]!r}?")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        position = match.end()
    return found


class Reader:
    def __init__(self, text, file):
        self.file = file
        self.tokens = tokens_of(text, file) + [Token("end", "", text.count("\n") + 1)]
        self.position = 0

    @property
    def next(self):
        return self.tokens[self.position]

    def take(self, *texts):
        token = self.next
        if texts and token.text not in texts:
            raise HclError(f"{self.file}:{token.line}: {token.text!r} in place of {' or '.join(map(repr, texts))}")
        self.position += 1
        return token

    def skip_newlines(self):
        while self.next.kind == "newline":
            self.position += 1

    def expression(self):
        """Up to the end of the line, over the lines that brackets take."""
        taken, open_ = [], []
        while open_ or self.next.text not in ("\n", "", "}"):
            token = self.take()
            if token.kind == "end":
                raise HclError(f"{self.file}:{token.line}: ends before {open_[-1]!r}")
            if token.text in OPENING:
                open_.append(OPENING[token.text])
            elif open_ and token.text == open_[-1]:
                open_.pop()
            if token.kind != "newline":
                taken.append(token)
        if not taken:
            raise HclError(f"{self.file}:{self.next.line}: no value")
        return taken

    def body(self, block, end):
        self.skip_newlines()
        while self.next.text != end:
            name = self.take()
            if name.kind != "name":
                raise HclError(f"{self.file}:{name.line}: {name.text!r} in place of a name")
            if self.next.text == "=":
                self.take()
                if name.text in block.arguments:
                    raise HclError(f"{self.file}:{name.line}: {name.text} is set twice")
                block.arguments[name.text] = self.expression()
            else:
                block.blocks.append(self.block(name))
            self.skip_newlines()
        return block

    def block(self, name):
        labels = []
        while self.next.kind == "text":
            labels.append(self.take().text.strip('"'))
        self.take("{")
        block = self.body(Block(name.text, labels, self.file, name.line), "}")
        self.take("}")
        return block


def read(text, file):
    return Reader(text, file).body(Block("file", [], file, 1), "").blocks


def read_folder(folder):
    blocks = []
    for path in sorted(pathlib.Path(folder).glob("*.tf")):
        blocks += read(path.read_text(encoding="utf-8"), path.name)
    return blocks


def references(tokens):
    """The addresses that an expression refers to: var.x, local.x, data.type.name, type.name."""
    found = set()
    tokens = list(tokens)
    own = loop_variables(tokens)
    for index, token in enumerate(tokens):
        if token.kind == "text":
            for inside in INSIDE.findall(token.text):
                found |= references(tokens_of(inside, "text"))
        is_first = index == 0 or tokens[index - 1].text != "."
        if token.kind != "name" or not is_first or index + 1 >= len(tokens) or tokens[index + 1].text != ".":
            continue
        words = dotted(tokens, index)
        if words[0] not in BUILT_IN and words[0] not in own:
            found.add(".".join(words[:3 if words[0] == "data" else 2]))
    return found


def dotted(tokens, index):
    words = [tokens[index].text]
    while index + 2 < len(tokens) and tokens[index + 1].text == "." and tokens[index + 2].kind == "name":
        index += 2
        words.append(tokens[index].text)
    return words


def loop_variables(tokens):
    """The names that "for a, b in" gives to what it goes through."""
    names = set()
    for index, token in enumerate(tokens):
        if token.text == "for" and token.kind == "name":
            for word in itertools.takewhile(lambda token: token.text != "in", tokens[index + 1:index + 5]):
                names.add(word.text)
    return names
