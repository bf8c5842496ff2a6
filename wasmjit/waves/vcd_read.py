"""VCD reader (IEEE 1364-2005 §18.2), for files of any origin: every irregularity is a WaveError that names the place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from wasmjit.waves.data import Limits, Sample, Signal, WaveData, check_limit, same_sample
from wasmjit.waves.model import VAR_KINDS, WaveError, extend_bits, parse_timescale, value_class

_CHUNK = 1 << 20
_RANGE = re.compile(r"\s*\[\s*(-?\d+)\s*:\s*(-?\d+)\s*\]\Z")
_BIT = re.compile(r"\s*\[\s*(-?\d+)\s*\]\Z")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_SCALARS = {"0": "0", "1": "1", "x": "x", "z": "z", "X": "x", "Z": "z"}
_SKIPPED = frozenset({"$comment", "$vcdclose"})
_CHECKPOINTS = frozenset({"$dumpvars", "$dumpoff", "$dumpon", "$dumpall", "$end"})

_Row = tuple[list[int], list[Sample], int, str]


class VcdReader:
    """Reads one stream. `parse` may be called once. With `tolerant`, damage ends the reading and is noted in `WaveData.truncated`."""

    def __init__(self, stream: BinaryIO, path: str, limits: Limits, tolerant: bool = False) -> None:
        self._stream = stream
        self._path = path
        self._limits = limits
        self._tolerant = tolerant
        self._bytes = 0
        self._tail = b""
        self._data = WaveData(path, "vcd", 1)
        self._rows: dict[str, _Row] = {}
        self._indices: dict[str, int] = {}
        self._zero = 0

    # -- words -----------------------------------------------------------------------------------------------------------------------

    def _fail(self, message: str) -> WaveError:
        return WaveError(f"{self._path}: near byte {self._bytes}: {message}")

    def _chunks(self) -> Iterator[list[str]]:
        """Words of the file, a chunk at a time; bytes are kept as Latin-1 until a name or text is decoded."""
        while True:
            block = self._stream.read(_CHUNK)
            if not block:
                break
            self._bytes += len(block)
            check_limit("file size", self._bytes, self._limits.file_bytes, self._path)
            block = self._tail + block
            # The last word may go on in the next chunk.
            cut = max(block.rfind(b"\n"), block.rfind(b" "))
            if cut < 0:
                check_limit("length of a word", len(block), self._limits.token_bytes, self._path)
                self._tail = block
                continue
            self._tail = block[cut + 1 :]
            check_limit("length of a word", len(self._tail), self._limits.token_bytes, self._path)
            yield block[:cut].decode("latin-1").split()
        if self._tail:
            last, self._tail = self._tail, b""
            yield last.decode("latin-1").split()

    def parse(self) -> WaveData:
        """The waveform. Raises WaveError."""
        chunks = self._chunks()
        rest = self._header(chunks)
        try:
            self._body(rest, chunks)
        except WaveError as exc:
            if not self._tolerant:
                raise
            self._data.truncated = str(exc)
        return self._data

    def add_reals(self, changes: Iterable[tuple[str, int, float]]) -> None:
        """Changes (code, time in file units, value) of real variables that came by another way than the stream."""
        for code, time, value in changes:
            row = self._rows.get(code)
            if row is None or row[3] != "real":
                raise self._fail(f"value change of the undeclared real {_show(code)}")
            _append(row[0], row[1], (time + self._zero) * self._data.timescale_fs, value)
            if row[0]:
                self._data.start_fs = min(self._data.start_fs, row[0][0])

    # -- header ----------------------------------------------------------------------------------------------------------------------

    def _header(self, chunks: Iterator[list[str]]) -> list[str]:
        """Read up to `$enddefinitions`; returns the words after it in that chunk."""
        scopes: list[str] = []
        words: list[str] = []
        keyword = ""
        size = 0
        for chunk in chunks:
            for at, word in enumerate(chunk):
                if not keyword:
                    if word[0] != "$":
                        raise self._fail(f"expected a $keyword in the header but got {_show(word)}")
                    keyword, words, size = word, [], 0
                elif word == "$end":
                    if keyword == "$enddefinitions":
                        return chunk[at + 1 :]
                    self._declaration(keyword, words, scopes)
                    keyword = ""
                else:
                    words.append(word)
                    size += len(word)
                    if size > self._limits.token_bytes:
                        raise self._fail(f"{keyword} has no $end")
        raise self._fail("the header has no $enddefinitions; this is no VCD file" if not keyword else f"{keyword} has no $end")

    def _declaration(self, keyword: str, words: list[str], scopes: list[str]) -> None:
        text = _decode(" ".join(words))
        if keyword == "$scope":
            if len(words) < 2:
                raise self._fail("$scope needs a kind and a name")
            scopes.append(_decode(" ".join(words[1:])).removeprefix("\\"))
            check_limit("depth of scopes", len(scopes), self._limits.depth, self._path)
            self._data.scope_kinds[tuple(scopes)] = words[0]
        elif keyword == "$upscope":
            if not scopes:
                raise self._fail("$upscope without a $scope")
            scopes.pop()
        elif keyword == "$var":
            self._variable(words, scopes)
        elif keyword == "$timescale":
            try:
                self._data.timescale_fs = parse_timescale(text)
            except ValueError as exc:
                raise self._fail(str(exc)) from None
        elif keyword == "$timezero":
            if not re.fullmatch(r"-?\d{1,20}", text):
                raise self._fail(f"expected an integer in $timezero but got {_show(text)}")
            self._zero = int(text)
        elif keyword == "$version":
            self._data.version = text
        elif keyword == "$date":
            self._data.date = text
        # $comment and tool-specific sections ($attrbegin ...) carry nothing needed here.

    def _variable(self, words: list[str], scopes: list[str]) -> None:
        if len(words) < 4 or not words[1].isdecimal() or len(words[1]) > 9:
            raise self._fail(f"expected $var KIND WIDTH CODE NAME but got {_show(' '.join(words))}")
        kind, code = words[0], words[2]
        width = int(words[1])
        kind = kind if kind in VAR_KINDS else "wire"
        cls = value_class(kind)
        width = {"real": 64, "string": 1, "event": 1}.get(cls, width)
        check_limit("width", width, self._limits.width, self._path)
        if width < 1:
            raise self._fail(f"variable {_show(words[3])} has width 0")
        name, left, right = _split_range(words[3:])
        index = self._indices.setdefault(code, len(self._indices))
        row = self._rows.get(code)
        if row is None:
            self._rows[code] = ([], [], width, cls)
            self._data.times.append(self._rows[code][0])
            self._data.values.append(self._rows[code][1])
        elif row[2] != width or row[3] != cls:
            raise self._fail(f"code {_show(code)} is declared with width {row[2]} and {width}")
        self._data.signals.append(Signal((*scopes, name), width, kind, index, left, right))
        check_limit("number of variables", len(self._data.signals), self._limits.variables, self._path)

    # -- value changes ---------------------------------------------------------------------------------------------------------------

    def _body(self, first: list[str], chunks: Iterator[list[str]]) -> None:
        scale, rows = self._data.timescale_fs, self._rows
        zero = self._zero * scale
        now, started, count = zero, False, 0
        skipping = ""
        carry: list[str] = []
        words = first
        while True:
            stream = iter(carry + words)
            carry = []
            for word in stream:
                mark = word[0]
                if skipping:
                    if word == "$end":
                        skipping = ""
                elif mark in _SCALARS:
                    row = rows.get(word[1:])
                    if row is None:
                        raise self._fail(f"value change of the undeclared code {_show(word[1:])}")
                    self._scalar(row, now, _SCALARS[mark], word)
                elif mark == "#":
                    if not word[1:].isdecimal() or len(word) > 25:
                        raise self._fail(f"expected a time but got {_show(word)}")
                    time = int(word[1:]) * scale + zero
                    if started and time < now:
                        raise self._fail(f"time goes backwards from {now} to {time} fs")
                    if not started:
                        self._data.start_fs, started = time, True
                    now = self._data.end_fs = time
                elif mark in "bBrRsS":
                    code = next(stream, None)
                    if code is None:
                        carry = [word]
                        break
                    row = rows.get(code)
                    if row is None:
                        raise self._fail(f"value change of the undeclared code {_show(code)}")
                    self._vector(row, now, word)
                elif mark == "$":
                    if word in _SKIPPED:
                        skipping = word
                    elif word not in _CHECKPOINTS:
                        raise self._fail(f"unexpected {_show(word)} among the value changes")
                else:
                    raise self._fail(f"expected a value change but got {_show(word)}")
            count += len(words)
            check_limit("number of value changes", count, self._limits.changes, self._path)
            following = next(chunks, None)
            if following is None:
                break
            words = following
        if carry:
            raise self._fail(f"the file ends after the value {_show(carry[0])}, without its code")
        if skipping:
            raise self._fail(f"{skipping} has no $end")

    def _scalar(self, row: _Row, now: int, value: str, word: str) -> None:
        times, values, width, cls = row
        if cls == "event":
            if not times or times[-1] != now:
                times.append(now)
                values.append("1")
            return
        if cls != "bits":
            raise self._fail(f"the bit value {_show(word)} for a {cls} variable")
        if width != 1:
            value = extend_bits(value, width)
        _append(times, values, now, value)

    def _vector(self, row: _Row, now: int, word: str) -> None:
        times, values, width, cls = row
        mark = word[0].lower()
        if mark == "b":
            bits = word[1:].lower()
            if not bits or bits.strip("01xz"):
                raise self._fail(f"expected a bit vector but got {_show(word)}")
            if cls == "event":
                self._scalar(row, now, "1", word)
                return
            if cls != "bits":
                raise self._fail(f"the bit vector {_show(word)} for a {cls} variable")
            if len(bits) > width and len(bits.lstrip(bits[0] if bits[0] != "1" else "")) > width:
                raise self._fail(f"a value of {len(bits)} bits for a variable of {width}")
            _append(times, values, now, extend_bits(bits, width))
        elif mark == "r":
            if cls != "real":
                raise self._fail(f"the real value {_show(word)} for a variable of {width} bits")
            try:
                _append(times, values, now, float(word[1:]))
            except ValueError:
                raise self._fail(f"expected a real number but got {_show(word)}") from None
        else:
            if cls != "string":
                raise self._fail(f"the string {_show(word)} for a variable of {width} bits")
            _append(times, values, now, unescape_string(word[1:]))


def _append(times: list[int], values: list[Sample], now: int, value: Sample) -> None:
    """Add a sample: the last one of a time stands, and one equal to the value before says nothing."""
    if times:
        if values[-1] == value:
            return
        if times[-1] == now:
            if len(values) > 1 and values[-2] == value:
                times.pop()
                values.pop()
            else:
                values[-1] = value
            return
        if type(value) is float and same_sample(value, values[-1]):
            return
    times.append(now)
    values.append(value)


def unescape_string(word: str) -> str:
    """Text of a string value: C escapes undone, UTF-8 decoded. The inverse of `vcd.escape_string`."""
    data = word.encode("latin-1")
    if b"\\" in data:
        data = _ESCAPE.sub(_unescape, data)
    return data.decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[bytes]) -> bytes:
    body = match[1]
    if body[:1].isdigit() and body[:1] < b"8":
        return bytes([int(body, 8) & 255])
    if body[:1] == b"x" and len(body) == 3:
        return bytes([int(body[1:], 16)])
    return _ESCAPED.get(body, body)


def _split_range(words: list[str]) -> tuple[str, int | None, int | None]:
    """Name without escape, left and right bound, of the reference part of `$var`. `a [3]` is the one bit named `a[3]`."""
    name = words[0]
    rest = "".join(words[1:])
    if not rest and not name.startswith("\\"):
        # Some writers attach the range.
        match = _RANGE.search(name)
        if match:
            name, rest = name[: match.start()], match[0]
    text = _decode(name).removeprefix("\\") or "_"
    match = _RANGE.match(rest)
    if match and len(match[1]) < 19 and len(match[2]) < 19:
        return text, int(match[1]), int(match[2])
    return text + (_decode(rest) if _BIT.match(rest) else ""), None, None


def _decode(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def _show(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
