# SPDX-License-Identifier: Apache-2.0
"""A page of the manual, as mandoc renders it: its sections, the items of its lists, its literal blocks."""

import collections
import html.parser
import subprocess

Item = collections.namedtuple("Item", "section subsection head body")  # head and body as plain text


class Page(html.parser.HTMLParser):
    """items in their order; text[section]; blocks: the literal ones, as they are shown."""

    def __init__(self, path):
        super().__init__()
        self.items, self.blocks, self.text = [], [], collections.defaultdict(str)
        self.sections, self.subsections = [], collections.defaultdict(list)
        self.heading, self.parts, self.head = None, None, None
        done = subprocess.run(["mandoc", "-Thtml", "-O", "fragment", path], capture_output=True, text=True, check=True,
                              timeout=60)
        self.feed(done.stdout)

    def handle_starttag(self, tag, attrs):
        if tag in ("h1", "h2", "dt", "dd", "pre"):
            self.parts = []

    def handle_data(self, data):
        if self.parts is not None:
            self.parts.append(data)
        if self.sections:
            self.text[self.sections[-1]] += data

    def handle_endtag(self, tag):
        if tag not in ("h1", "h2", "dt", "dd", "pre") or self.parts is None:
            return
        text = "".join(self.parts)
        words = " ".join(text.split())
        if tag == "h1":
            self.sections.append(words)
            self.heading = None
        elif tag == "h2":
            self.subsections[self.sections[-1]].append(words)
            self.heading = words
        elif tag == "dt":
            self.head = words
        elif tag == "dd":
            self.items.append(Item(self.sections[-1], self.heading, self.head, words))
        else:
            self.blocks.append(text.strip("\n"))
        self.parts = None

    def of(self, section, subsection=None):
        """The items of a section, or of one of its subsections."""
        return [item for item in self.items
                if item.section == section and (subsection is None or item.subsection == subsection)]

    def words(self, section):
        """The text of a section, on one line."""
        return " ".join(self.text[section].split())
