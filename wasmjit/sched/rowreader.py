"""The scanner of short forms (`wasmjit.ir.short.RowScanner`) over the wasm module of `wasmjit.sched.rowscan`.

    design = parse_file(path, rows=row_scanner)

Measured here: 0.1 µs a line, and about 1 µs for each line in between that is no row.
"""

from __future__ import annotations

from functools import cache

from wasmjit.ir.short import CODES, OPERATIONS, ROW
from wasmjit.runtime.cache import open_cache
from wasmjit.runtime.engine import Engine, Instance, Module
from wasmjit.runtime.memory import PAGE, Global, LinearMemory, Table
from wasmjit.sched import kernelimage

# The layout is `rowtable`'s. It is repeated here, and compared by a test, because that module is not imported at the start of a run.
C_ROWS = 0x100 >> 2
C_EXTERNALS = 0x110 >> 2
C_USED = 0x114 >> 2
C_ROW_COUNT = 0x118 >> 2
C_EXTERNAL_COUNT = 0x11C >> 2
C_USED_COUNT = 0x120 >> 2
C_FIRST = 0x124 >> 2
C_BLOCK = 0x128 >> 2
C_DEFINED = 0x12C >> 2
KEYS = 0x4000
TEXT = 0x10000
NONE = 0xFFFFFFFF
FAULT = 0x80000000
CLASSES = 0x400
BLANK, NAME, OPERATION, LOWER, DIGIT = 1, 2, 4, 8, 16

_PAD = bytes(64)
MAX_MEMORY = 1 << 30


def character_classes() -> bytes:
    """What each character may be part of, by the regular expressions of the reader (`wasmjit.ir.parser.PLAIN_LINE`)."""
    out = bytearray(256)
    for c in range(128):
        ch = chr(c)
        word = ch.isalnum() or ch == "_"
        out[c] = BLANK * (ch in " \t\r\n") | NAME * (word or ch in "$.-") | OPERATION * (word or ch in ".$") | LOWER * ("a" <= ch <= "z") | DIGIT * ch.isdigit()
    return bytes(out)


@cache
def _module() -> Module:
    return kernelimage.load(Engine(reservation=MAX_MEMORY), open_cache(), kernelimage.ROWS)[0]


class RowReader:
    """A scanner with a memory of its own; used by one thread at a time."""

    def __init__(self) -> None:
        module = _module()
        store = module.engine.store()
        self.memory = LinearMemory(store, 4 * PAGE, MAX_MEMORY)
        sp = Global(store, 0)
        instance = Instance(store, module, {("env", "memory"): self.memory, ("env", "table"): Table(store, 0), ("env", "sp"): sp})
        self._scan = instance.call("scan")
        self._find = instance.call("find")
        self._define = instance.call("define")
        self._mark = instance.call("mark")
        self._begin = instance.call("begin")
        self._u8, self._u32 = self.memory.u8, self.memory.u32
        self._size = self.memory.size()
        self._scratch = 0
        self._write_tables(instance)

    def _write_tables(self, instance: Instance) -> None:
        self._u8[CLASSES : CLASSES + 256] = character_classes()
        at = KEYS
        numbers: dict[str, int] = {}
        codes = {c: i for i, c in enumerate(CODES)}
        for number, (name, (form, count, words)) in enumerate(OPERATIONS.items()):
            at = self._key(at, name)
            instance.call("add_operation")(at - len(name), len(name), number, form | count << 8)
            for word, meant in words.items():
                if word is not None and word not in numbers:
                    at = self._key(at, word)
                    numbers[word] = len(numbers) + 1
                    instance.call("add_word")(at - len(word), len(word), numbers[word])
                instance.call("add_code")(number, 0 if word is None else numbers[word], codes[name, form, meant])

    def _key(self, at: int, name: str) -> int:
        self._u8[at : at + len(name)] = name.encode()
        return at + len(name)

    def begin(self, text: str) -> None:
        size = len(text)
        room = TEXT + 26 * size + 0x20000
        if room > self._size:
            if self.memory.grow(-(-(room - self._size) // PAGE)) < 0:
                raise MemoryError(f"a process body of {size} bytes")
            self._size = self.memory.size()
        end = TEXT + size
        self._u8[TEXT:end] = text.encode("ascii")
        self._u8[end : end + 64] = _PAD
        self._scratch = end + 64
        self._begin(size)

    def block(self) -> int:
        u32 = self._u32
        first = u32[C_FIRST] = u32[C_ROW_COUNT]
        u32[C_BLOCK] += 1
        return first

    def scan(self, pos: int) -> int:
        end: int = self._scan(TEXT + pos)
        return -1 if end == FAULT else end - TEXT

    def count(self) -> int:
        return self._u32[C_ROW_COUNT]

    def defined(self) -> int | None:
        x = self._u32[C_DEFINED]
        return None if x == NONE else NONE - 1 - x

    def define(self, name: str) -> int | None:
        p = self._put(name)
        x: int = self._define(p, len(name))
        if x == FAULT:
            return None
        self._scratch = p + len(name) + 8
        return NONE - 1 - x

    def _put(self, name: str) -> int:
        """A name where it may stay, with zeros behind it."""
        p = self._scratch
        self._u8[p : p + len(name) + 8] = name.encode("ascii") + b"\0\0\0\0\0\0\0\0"
        return p

    def typed(self, external: int, width: int) -> None:
        self._u32[(self._u32[C_EXTERNALS] >> 2) + (external << 2) + 2] = width

    def find(self, name: str) -> int | None:
        x: int = self._find(self._put(name), len(name))
        return None if x == NONE else x if x < FAULT else x - (1 << 32)

    def externals(self) -> int:
        return self._u32[C_EXTERNAL_COUNT]

    def external(self, number: int) -> tuple[int, int, int]:
        at = (self._u32[C_EXTERNALS] >> 2) + (number << 2)
        place, size, width = self._u32[at : at + 3]
        return place - TEXT, size, width

    def used(self) -> list[int]:
        u32 = self._u32
        n = u32[C_USED_COUNT]
        if not n:
            return []
        u32[C_USED_COUNT] = 0
        at = u32[C_USED] >> 2
        return [x if x < FAULT else x - (1 << 32) for x in u32[at : at + n]]

    def row(self, number: int) -> bytes:
        at = self._u32[C_ROWS] + number * ROW.size
        return bytes(self._u8[at : at + ROW.size])

    def finish(self, roots: list[int]) -> bytes:
        u32 = self._u32
        at = u32[C_USED] >> 2
        for i, n in enumerate(roots):
            u32[at + i] = n
        self._mark(len(roots))
        rows = u32[C_ROWS]
        return bytes(self._u8[rows : rows + u32[C_ROW_COUNT] * ROW.size])


def row_scanner() -> RowReader:
    """A scanner for one text."""
    return RowReader()
