"""The lowest layer of the reader: position, white space, literals, errors, bracket skimming."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from wasmjit.ir.core import Source
from wasmjit.ir.diagnostics import Diagnostic
from wasmjit.ir.strings import unescape

WS = re.compile(r"(?:[ \t\r\n]+|//[^\n]*)*")
BARE = re.compile(r"[A-Za-z_][\w$.]*", re.ASCII)
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
SSA = re.compile(r"%(?:[0-9]+|[A-Za-z_$.-][\w$.-]*)(?:#[0-9]+)?", re.ASCII)
SYMBOL = re.compile(r'@(?:"((?:[^"\\\n]|\\.)*)"|([A-Za-z_$.-][\w$.-]*|[0-9]+))', re.ASCII)
LABEL = re.compile(r"\^([A-Za-z0-9_$.-]+)", re.ASCII)
INTEGER = re.compile(r"-?(?:0x[0-9A-Fa-f]+|[0-9]+)")
WORD_END = re.compile(r"(?![\w$.])")
_BRACKETS = re.compile(r'[][{}()]|<|->|>|"(?:[^"\\\n]|\\.)*"|//[^\n]*')
_CLOSE = {")": "(", "]": "[", "}": "{", ">": "<"}
MAX_DEPTH = 200
"""How deep types, attributes and regions may nest."""


class ParseError(Exception):
    """One problem; the statement loop catches it, records it and goes on after the statement."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class Scanner:
    """Reads `text` at `pos`. Every reading method skips white space and comments first."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.pos = 0
        self.depth = 0
        self.ahead = 0, -1, -1, -1, -1
        """Of the last `skim_braces`: where it ended, and where the next `{`, `}`, `"` and `//` are from there on."""

    def error(self, message: str, pos: int | None = None, hint: str = "") -> NoReturn:
        raise ParseError(self.source.diagnostic(self.pos if pos is None else pos, message, hint))

    def ws(self) -> int:
        """Skips white space and comments; the new position."""
        text, pos = self.text, self.pos
        c = text[pos : pos + 1]
        if c == " ":
            pos += 1
            c = text[pos : pos + 1]
        if c > " " and c != "/":  # mostly there is one blank or none
            self.pos = pos
            return pos
        m = WS.match(text, pos)
        assert m is not None
        self.pos = m.end()
        return self.pos

    def peek(self, literal: str) -> bool:
        return self.text.startswith(literal, self.ws())

    def accept(self, literal: str) -> bool:
        """Takes a punctuation if it comes next."""
        if self.text.startswith(literal, self.pos) or self.text.startswith(literal, self.ws()):
            self.pos += len(literal)
            return True
        return False

    def accept_word(self, word: str) -> bool:
        """Takes a keyword if it comes next and is not the beginning of a longer word."""
        pos = self.ws()
        end = pos + len(word)
        if self.text.startswith(word, pos) and WORD_END.match(self.text, end):
            self.pos = end
            return True
        return False

    def peek_word(self, word: str) -> bool:
        pos = self.pos
        found = self.accept_word(word)
        self.pos = pos
        return found

    def peek_any(self) -> str:
        """The keyword that comes next, "" if none does."""
        m = BARE.match(self.text, self.ws())
        return m[0] if m else ""

    def expect(self, literal: str) -> None:
        if not self.accept(literal):
            self.error(f"expected '{literal}'{self.found()}")

    def expect_word(self, word: str) -> None:
        if not self.accept_word(word):
            self.error(f"expected '{word}'{self.found()}")

    def found(self) -> str:
        """ ", got ..." for an error message."""
        self.ws()
        if self.pos >= len(self.text):
            return ", got the end of the file"
        m = re.compile(r'[%@^#!]?[\w$.-]+|"[^"\n]*"?|\S').match(self.text, self.pos)
        return f", got '{m[0][:40]}'" if m else ""

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        m = pattern.match(self.text, self.ws())
        if m:
            self.pos = m.end()
        return m

    def bare(self, what: str) -> str:
        m = self.match(BARE)
        if m is None:
            self.error(f"expected {what}{self.found()}")
        return m[0]

    def string(self, what: str = "a string") -> str:
        m = self.match(STRING)
        if m is None:
            self.error(f"expected {what}{self.found()}")
        return unescape(m[1])

    def key(self, what: str = "a name") -> str:
        """An identifier or a quoted string."""
        if self.peek('"'):
            return self.string()
        return self.bare(what)

    def integer(self, what: str = "an integer") -> int:
        m = self.match(INTEGER)
        if m is None:
            self.error(f"expected {what}{self.found()}")
        return to_int(m[0])

    def symbol(self) -> str:
        """`@name`, without the `@`."""
        m = self.match(SYMBOL)
        if m is None:
            self.error(f"expected a symbol name (@...){self.found()}")
        return unescape(m[1]) if m[1] is not None else m[2]

    def enter(self) -> None:
        """Counts nesting; call `leave` on the way out (an error ends the statement, which resets the depth)."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.error(f"nested more than {MAX_DEPTH} levels deep")

    def leave(self) -> None:
        self.depth -= 1

    def skim_braces(self) -> int:
        """With `pos` at `{`: the position after the matching `}`. `pos` does not move."""
        # Bodies are mostly text without any of these: `find` passes it ten times as fast as a regular expression.
        text, at = self.text, self.pos
        find, end = text.find, len(text)
        since, opening, closing, quote, comment = self.ahead
        if at < since:
            opening = closing = quote = comment = -1
        depth = 0
        while True:
            if opening < at:
                opening = find("{", at) % (end + 1)  # not found: -1, which becomes `end`
            if closing < at:
                closing = find("}", at) % (end + 1)
            if quote < at:
                quote = find('"', at) % (end + 1)
            if comment < at:
                comment = find("//", at) % (end + 1)
            if quote < opening and quote < closing and quote < comment:
                m = STRING.match(text, quote)
                at = m.end() if m else quote + 1
            elif comment < opening and comment < closing:
                at = find("\n", comment) % (end + 1)
            elif opening < closing:
                depth += 1
                at = opening + 1
            elif closing < end:
                depth -= 1
                at = closing + 1
                if depth <= 0:
                    self.ahead = at, opening, closing, quote, comment
                    return at
            else:
                self.error("this '{' is never closed", hint="the file may be cut off")

    def skip_balanced(self) -> str:
        """Takes a balanced `<...>`, `(...)`, `[...]` or `{...}` that begins at `pos` and returns its text."""
        start = self.pos
        stack: list[str] = []
        for m in _BRACKETS.finditer(self.text, start):
            c = m[0]
            if len(c) > 1:
                continue
            if c in "([{<":
                stack.append(c)
            else:
                if not stack or stack[-1] != _CLOSE[c]:
                    self.error(f"unbalanced '{c}'", m.start())
                stack.pop()
                if not stack:
                    self.pos = m.end()
                    return self.text[start : self.pos]
        self.error(f"this '{self.text[start : start + 1]}' is never closed", start)

    def next_statement(self, start: int) -> int:
        """Where to go on after a statement at `start` that could not be read: the line after it, outside of any bracket it opened, or its enclosing `}`."""
        depth = 0
        # The reader may have skipped white space before it saw that the statement is wrong.
        read = max(start + 1, len(self.text[start : self.pos].rstrip()) + start)
        for m in re.compile(r'[{}\n]|"(?:[^"\\\n]|\\.)*"|//[^\n]*').finditer(self.text, start):
            c = m[0]
            if c == "{":
                depth += 1
            elif c == "}":
                depth -= 1
                if depth < 0:
                    return m.start()
            elif c == "\n" and depth == 0 and m.start() >= read:
                return m.end()
        return len(self.text)


def to_int(text: str) -> int:
    """Decimal or `0x` integer; decimals of any length (no interpreter limit on digits)."""
    body = text.lstrip("-")
    value: int
    if body.startswith("0x"):
        value = int(body, 16)
    elif len(body) <= 4000:
        value = int(body)
    else:
        value = 0
        for i in range(0, len(body), 4000):
            part = body[i : i + 4000]
            value = value * 10 ** len(part) + int(part)
    return -value if text[0] == "-" else value


Reader = Any
