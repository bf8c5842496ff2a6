"""Binary WebAssembly modules: opcode constants, LEB128, instruction buffers and the module builder.

Rules from the WebAssembly core specification 2.0 (binary format, §5). Nothing here knows about hardware designs: the process compiler
(`wasmjit.codegen.module`) and the kernel compiler (`wasmjit.sched`) both build their modules with it.

    m = ModuleBuilder()
    mem = m.import_memory("env", "memory", 1)
    log = m.import_func("h", "log", (I32,), ())
    c = CodeBuf()
    c.local_get(0).i32_const(41).op(I32_ADD).local_set(1).local_get(1).call(log)
    f = m.add_func((I32,), (), (I32,), c, "main")       # one local besides the parameter
    m.export_func("main", f)
    data: bytes = m.finish()
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cache

# Value types and block types
I32, I64, F32, F64, FUNCREF, VOID = 0x7F, 0x7E, 0x7D, 0x7C, 0x70, 0x40

# Opcodes (one byte)
UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = (
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11,
)  # fmt: skip
DROP, SELECT, LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET = 0x1A, 0x1B, 0x20, 0x21, 0x22, 0x23, 0x24
I32_LOAD, I64_LOAD, F32_LOAD, F64_LOAD, I32_LOAD8_S, I32_LOAD8_U, I32_LOAD16_S, I32_LOAD16_U = range(0x28, 0x30)
I64_LOAD8_S, I64_LOAD8_U, I64_LOAD16_S, I64_LOAD16_U, I64_LOAD32_S, I64_LOAD32_U = range(0x30, 0x36)
I32_STORE, I64_STORE, F32_STORE, F64_STORE, I32_STORE8, I32_STORE16, I64_STORE8, I64_STORE16, I64_STORE32 = range(0x36, 0x3F)
MEMORY_SIZE, MEMORY_GROW, I32_CONST, I64_CONST, F32_CONST, F64_CONST = range(0x3F, 0x45)
I32_EQZ, I32_EQ, I32_NE, I32_LT_S, I32_LT_U, I32_GT_S, I32_GT_U, I32_LE_S, I32_LE_U, I32_GE_S, I32_GE_U = range(0x45, 0x50)
I64_EQZ, I64_EQ, I64_NE, I64_LT_S, I64_LT_U, I64_GT_S, I64_GT_U, I64_LE_S, I64_LE_U, I64_GE_S, I64_GE_U = range(0x50, 0x5B)
F32_EQ, F32_NE, F32_LT, F32_GT, F32_LE, F32_GE, F64_EQ, F64_NE, F64_LT, F64_GT, F64_LE, F64_GE = range(0x5B, 0x67)
I32_CLZ, I32_CTZ, I32_POPCNT, I32_ADD, I32_SUB, I32_MUL, I32_DIV_S, I32_DIV_U, I32_REM_S, I32_REM_U = range(0x67, 0x71)
I32_AND, I32_OR, I32_XOR, I32_SHL, I32_SHR_S, I32_SHR_U, I32_ROTL, I32_ROTR = range(0x71, 0x79)
I64_CLZ, I64_CTZ, I64_POPCNT, I64_ADD, I64_SUB, I64_MUL, I64_DIV_S, I64_DIV_U, I64_REM_S, I64_REM_U = range(0x79, 0x83)
I64_AND, I64_OR, I64_XOR, I64_SHL, I64_SHR_S, I64_SHR_U, I64_ROTL, I64_ROTR = range(0x83, 0x8B)
F32_ABS, F32_NEG, F32_CEIL, F32_FLOOR, F32_TRUNC, F32_NEAREST, F32_SQRT = range(0x8B, 0x92)
F32_ADD, F32_SUB, F32_MUL, F32_DIV, F32_MIN, F32_MAX, F32_COPYSIGN = range(0x92, 0x99)
F64_ABS, F64_NEG, F64_CEIL, F64_FLOOR, F64_TRUNC, F64_NEAREST, F64_SQRT = range(0x99, 0xA0)
F64_ADD, F64_SUB, F64_MUL, F64_DIV, F64_MIN, F64_MAX, F64_COPYSIGN = range(0xA0, 0xA7)
I32_WRAP_I64, I32_TRUNC_F32_S, I32_TRUNC_F32_U, I32_TRUNC_F64_S, I32_TRUNC_F64_U, I64_EXTEND_I32_S, I64_EXTEND_I32_U = range(0xA7, 0xAE)
I64_TRUNC_F32_S, I64_TRUNC_F32_U, I64_TRUNC_F64_S, I64_TRUNC_F64_U = range(0xAE, 0xB2)
F32_CONVERT_I32_S, F32_CONVERT_I32_U, F32_CONVERT_I64_S, F32_CONVERT_I64_U, F32_DEMOTE_F64 = range(0xB2, 0xB7)
F64_CONVERT_I32_S, F64_CONVERT_I32_U, F64_CONVERT_I64_S, F64_CONVERT_I64_U, F64_PROMOTE_F32 = range(0xB7, 0xBC)
I32_REINTERPRET_F32, I64_REINTERPRET_F64, F32_REINTERPRET_I32, F64_REINTERPRET_I64 = range(0xBC, 0xC0)
I32_EXTEND8_S, I32_EXTEND16_S, I64_EXTEND8_S, I64_EXTEND16_S, I64_EXTEND32_S = range(0xC0, 0xC5)

# Opcodes behind the 0xFC prefix, as the two bytes that are written
I32_TRUNC_SAT_F32_S, I32_TRUNC_SAT_F32_U, I32_TRUNC_SAT_F64_S, I32_TRUNC_SAT_F64_U = (bytes((0xFC, n)) for n in range(4))
I64_TRUNC_SAT_F32_S, I64_TRUNC_SAT_F32_U, I64_TRUNC_SAT_F64_S, I64_TRUNC_SAT_F64_U = (bytes((0xFC, n)) for n in range(4, 8))
MEMORY_COPY, MEMORY_FILL = b"\xfc\x0a\x00\x00", b"\xfc\x0b\x00"

_BYTE = [bytes((i,)) for i in range(256)]

_LOG2_ALIGN = {
    I32_LOAD: 2, I64_LOAD: 3, F32_LOAD: 2, F64_LOAD: 3, I32_LOAD8_S: 0, I32_LOAD8_U: 0, I32_LOAD16_S: 1, I32_LOAD16_U: 1,
    I64_LOAD8_S: 0, I64_LOAD8_U: 0, I64_LOAD16_S: 1, I64_LOAD16_U: 1, I64_LOAD32_S: 2, I64_LOAD32_U: 2,
    I32_STORE: 2, I64_STORE: 3, F32_STORE: 2, F64_STORE: 3, I32_STORE8: 0, I32_STORE16: 1, I64_STORE8: 0, I64_STORE16: 1, I64_STORE32: 2,
}  # fmt: skip


def uleb_raw(n: int) -> bytes:
    """Unsigned LEB128 of n >= 0, not cached."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


_ULEB = _BYTE[:128] + [low + high for high in _BYTE[1:8] for low in _BYTE[128:]]


def uleb(n: int) -> bytes:
    """Unsigned LEB128 of n >= 0."""
    return _ULEB[n] if n < 1024 else uleb_raw(n)


def sleb(n: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while not -64 <= n < 64:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n & 0x7F)
    return bytes(out)


@cache
def i32_const(n: int) -> bytes:
    """`i32.const` of the low 32 bits of n."""
    n &= 0xFFFFFFFF
    return b"\x41" + sleb(n - (1 << 32) if n >> 31 else n)


@cache
def i64_const(n: int) -> bytes:
    """`i64.const` of the low 64 bits of n."""
    n &= 0xFFFFFFFFFFFFFFFF
    return b"\x42" + sleb(n - (1 << 64) if n >> 63 else n)


def f32_const(x: float) -> bytes:
    """`f32.const`; x is rounded to single precision, out-of-range magnitudes become infinities."""
    try:
        return b"\x43" + struct.pack("<f", x)
    except OverflowError:
        return b"\x43" + struct.pack("<f", float("inf") if x > 0 else float("-inf"))


def f64_const(x: float) -> bytes:
    return b"\x44" + struct.pack("<d", x)


@cache
def memarg(opcode: int, offset: int) -> bytes:
    """A load or store instruction with its natural alignment hint and a constant offset (0 <= offset < 2**32)."""
    return _BYTE[opcode] + _BYTE[_LOG2_ALIGN[opcode]] + uleb(offset)


class _Indexed(list[bytes]):
    """Instructions `opcode index`, made on demand: `GET[i]` is a list look-up."""

    def __init__(self, opcode: int, size: int = 4096) -> None:
        head = _BYTE[opcode]
        # The numbers of two bytes are products: 4096 calls of `uleb` would be a twentieth of the start-up time.
        super().__init__([head + low for low in _BYTE[:128]])
        for high in _BYTE[1 : size >> 7]:
            self += [head + low + high for low in _BYTE[128:]]
        self.head = head

    def at(self, i: int) -> bytes:
        return self[i] if i < len(self) else self.head + uleb_raw(i)


GET, SET, TEE = _Indexed(LOCAL_GET), _Indexed(LOCAL_SET), _Indexed(LOCAL_TEE)


class CodeBuf:
    """Instructions of one function body, without the final `end` (the builder adds it). Every method returns the buffer itself."""

    __slots__ = ("buf",)

    def __init__(self) -> None:
        self.buf = bytearray()

    def raw(self, code: bytes | bytearray) -> CodeBuf:
        self.buf += code
        return self

    def op(self, opcode: int | bytes) -> CodeBuf:
        """An instruction without immediates; the 0xFC ones are `bytes` constants."""
        self.buf += _BYTE[opcode] if isinstance(opcode, int) else opcode
        return self

    def i32_const(self, n: int) -> CodeBuf:
        self.buf += i32_const(n)
        return self

    def i64_const(self, n: int) -> CodeBuf:
        self.buf += i64_const(n)
        return self

    def f32_const(self, x: float) -> CodeBuf:
        self.buf += f32_const(x)
        return self

    def f64_const(self, x: float) -> CodeBuf:
        self.buf += f64_const(x)
        return self

    def local_get(self, i: int) -> CodeBuf:
        self.buf += GET.at(i)
        return self

    def local_set(self, i: int) -> CodeBuf:
        self.buf += SET.at(i)
        return self

    def local_tee(self, i: int) -> CodeBuf:
        self.buf += TEE.at(i)
        return self

    def global_get(self, i: int) -> CodeBuf:
        self.buf += b"\x23" + uleb(i)
        return self

    def global_set(self, i: int) -> CodeBuf:
        self.buf += b"\x24" + uleb(i)
        return self

    def load(self, opcode: int, offset: int = 0) -> CodeBuf:
        """A load at [i32 on the stack + offset], natural alignment hint."""
        self.buf += memarg(opcode, offset)
        return self

    def store(self, opcode: int, offset: int = 0) -> CodeBuf:
        """A store; address and value are on the stack, in this order."""
        self.buf += memarg(opcode, offset)
        return self

    def block(self, blocktype: int = VOID) -> CodeBuf:
        """`block`; `blocktype` is VOID or one value type (for multi-value types write `raw(b"\\x02" + sleb(type index))`)."""
        self.buf += b"\x02" + _BYTE[blocktype]
        return self

    def loop(self, blocktype: int = VOID) -> CodeBuf:
        self.buf += b"\x03" + _BYTE[blocktype]
        return self

    def if_(self, blocktype: int = VOID) -> CodeBuf:
        self.buf += b"\x04" + _BYTE[blocktype]
        return self

    def else_(self) -> CodeBuf:
        self.buf += b"\x05"
        return self

    def end(self) -> CodeBuf:
        self.buf += b"\x0b"
        return self

    def br(self, depth: int) -> CodeBuf:
        self.buf += b"\x0c" + uleb(depth)
        return self

    def br_if(self, depth: int) -> CodeBuf:
        self.buf += b"\x0d" + uleb(depth)
        return self

    def br_table(self, depths: Sequence[int], default: int) -> CodeBuf:
        self.buf += b"\x0e" + uleb(len(depths)) + b"".join(map(uleb, depths)) + uleb(default)
        return self

    def ret(self) -> CodeBuf:
        self.buf += b"\x0f"
        return self

    def call(self, func: int) -> CodeBuf:
        self.buf += b"\x10" + uleb(func)
        return self

    def call_indirect(self, type_index: int, table: int = 0) -> CodeBuf:
        """Calls through a table; the i32 index is on top of the arguments."""
        self.buf += b"\x11" + uleb(type_index) + uleb(table)
        return self

    def memory_size(self) -> CodeBuf:
        self.buf += b"\x3f\x00"
        return self

    def memory_grow(self) -> CodeBuf:
        self.buf += b"\x40\x00"
        return self


def _name(s: str) -> bytes:
    b = s.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode("utf-8")
    return uleb(len(b)) + b


def _vec(items: Sequence[bytes]) -> bytes:
    return uleb(len(items)) + b"".join(items)


def _section(sid: int, body: bytes) -> bytes:
    return bytes((sid,)) + uleb(len(body)) + body


def pack_locals(types: Iterable[int]) -> bytes:
    """The locals vector of a function body: runs of equal value types."""
    runs: list[list[int]] = []
    for t in types:
        if runs and runs[-1][1] == t:
            runs[-1][0] += 1
        else:
            runs.append([1, t])
    return uleb(len(runs)) + b"".join(uleb(n) + _BYTE[t] for n, t in runs)


class ModuleBuilder:
    """Collects the parts of a module; `finish` returns its bytes.

    Imported functions (and globals) come first in their index spaces, so all imports must be made before the first `declare_func`/`add_func`
    (`add_global`); otherwise ValueError. Value types are the byte constants of this module.
    """

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._type_ids: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        self._imports: list[bytes] = []
        self._func_types: list[int] = []
        self._bodies: list[bytes | None] = []
        self._globals: list[bytes] = []
        self._exports: list[bytes] = []
        self._elems: list[bytes] = []
        self._data: list[bytes] = []
        self._memories: list[bytes] = []
        self._tables: list[bytes] = []
        self._names: dict[int, str] = {}
        self._start: int | None = None
        self._n_func_imports = 0
        self._n_global_imports = 0
        self._n_tables = 0
        self._n_memories = 0
        self.func_imports: dict[tuple[str, str], int] = {}

    def clone(self) -> ModuleBuilder:
        """An independent copy of what has been collected so far."""
        new = ModuleBuilder()
        for name, value in vars(self).items():
            setattr(new, name, value.copy() if isinstance(value, (list, dict)) else value)
        return new

    def add_type(self, params: Sequence[int], results: Sequence[int]) -> int:
        """Type index of a function type (equal types share one index)."""
        key = (tuple(params), tuple(results))
        tid = self._type_ids.get(key)
        if tid is None:
            tid = self._type_ids[key] = len(self._types)
            self._types.append(b"\x60" + uleb(len(key[0])) + bytes(key[0]) + uleb(len(key[1])) + bytes(key[1]))
        return tid

    def import_func(self, module: str, name: str, params: Sequence[int], results: Sequence[int]) -> int:
        """Function index of an import; importing the same name again gives the same index."""
        key = (module, name)
        idx = self.func_imports.get(key)
        if idx is not None:
            return idx
        if self._func_types:
            raise ValueError(f"import of {module}.{name} after the first defined function")
        idx = self.func_imports[key] = self._n_func_imports
        self._n_func_imports += 1
        self._imports.append(_name(module) + _name(name) + b"\x00" + uleb(self.add_type(params, results)))
        self._names[idx] = f"{module}.{name}"
        return idx

    def import_memory(self, module: str, name: str, minimum: int, maximum: int | None = None) -> int:
        """Imports a 32-bit memory; sizes in pages of 64 KiB."""
        self._imports.append(_name(module) + _name(name) + b"\x02" + _limits(minimum, maximum))
        self._n_memories += 1
        return self._n_memories - 1

    def import_table(self, module: str, name: str, minimum: int, maximum: int | None = None) -> int:
        """Imports a table of funcref."""
        self._imports.append(_name(module) + _name(name) + b"\x01\x70" + _limits(minimum, maximum))
        self._n_tables += 1
        return self._n_tables - 1

    def import_global(self, module: str, name: str, valtype: int, mutable: bool) -> int:
        if self._globals:
            raise ValueError(f"import of {module}.{name} after the first defined global")
        self._imports.append(_name(module) + _name(name) + b"\x03" + bytes((valtype, int(mutable))))
        self._n_global_imports += 1
        return self._n_global_imports - 1

    def add_memory(self, minimum: int, maximum: int | None = None) -> int:
        self._memories.append(_limits(minimum, maximum))
        self._n_memories += 1
        return self._n_memories - 1

    def add_table(self, minimum: int, maximum: int | None = None) -> int:
        self._tables.append(b"\x70" + _limits(minimum, maximum))
        self._n_tables += 1
        return self._n_tables - 1

    def add_global(self, valtype: int, mutable: bool, init: bytes) -> int:
        """Defines a global; `init` is a constant expression such as `i32_const(0)`."""
        self._globals.append(bytes((valtype, int(mutable))) + init + b"\x0b")
        return self._n_global_imports + len(self._globals) - 1

    def declare_func(self, params: Sequence[int], results: Sequence[int], name: str = "") -> int:
        """Reserves a function index; its body is given later by `define_func` (for recursion and forward calls)."""
        idx = self._n_func_imports + len(self._func_types)
        self._func_types.append(self.add_type(params, results))
        self._bodies.append(None)
        if name:
            self._names[idx] = name
        return idx

    def define_func(self, index: int, local_types: Iterable[int], code: CodeBuf | bytes | bytearray) -> None:
        """Body of a declared function; `local_types` are the locals after the parameters."""
        body = pack_locals(local_types) + (code.buf if isinstance(code, CodeBuf) else code) + b"\x0b"
        self._bodies[index - self._n_func_imports] = uleb(len(body)) + body

    def add_func(
        self,
        params: Sequence[int],
        results: Sequence[int],
        local_types: Iterable[int],
        code: CodeBuf | bytes | bytearray,
        name: str = "",
    ) -> int:
        """Defines a function and returns its index."""
        idx = self.declare_func(params, results, name)
        self.define_func(idx, local_types, code)
        return idx

    def export_func(self, name: str, index: int) -> None:
        self._exports.append(_name(name) + b"\x00" + uleb(index))

    def export_table(self, name: str, index: int = 0) -> None:
        self._exports.append(_name(name) + b"\x01" + uleb(index))

    def export_memory(self, name: str, index: int = 0) -> None:
        self._exports.append(_name(name) + b"\x02" + uleb(index))

    def export_global(self, name: str, index: int) -> None:
        self._exports.append(_name(name) + b"\x03" + uleb(index))

    def add_elem(self, offset: int | bytes, funcs: Sequence[int], table: int = 0) -> None:
        """Active element segment: `funcs` are put into the table from `offset` on (an int, or a constant expression such as `global.get`)."""
        expr = i32_const(offset) if isinstance(offset, int) else offset
        body = b"\x00" + expr + b"\x0b" if table == 0 else b"\x02" + uleb(table) + expr + b"\x0b\x00"
        self._elems.append(body + _vec([uleb(f) for f in funcs]))

    def add_data(self, offset: int | bytes, data: bytes) -> None:
        """Active data segment of memory 0."""
        expr = i32_const(offset) if isinstance(offset, int) else offset
        self._data.append(b"\x00" + expr + b"\x0b" + uleb(len(data)) + data)

    def set_start(self, index: int) -> None:
        self._start = index

    def finish(self, *, names: bool = True) -> bytes:
        """The module. `names=False` leaves the name section out. Raises ValueError if a declared function has no body."""
        bodies: list[bytes] = []
        for i, b in enumerate(self._bodies):
            if b is None:
                idx = i + self._n_func_imports
                raise ValueError(f"function {idx} ({self._names.get(idx, '?')}) is declared but has no body")
            bodies.append(b)
        out = [b"\0asm\x01\0\0\0", _section(1, _vec(self._types))]
        if self._imports:
            out.append(_section(2, _vec(self._imports)))
        if bodies:
            out.append(_section(3, _vec([uleb(t) for t in self._func_types])))
        if self._tables:
            out.append(_section(4, _vec(self._tables)))
        if self._memories:
            out.append(_section(5, _vec(self._memories)))
        if self._globals:
            out.append(_section(6, _vec(self._globals)))
        if self._exports:
            out.append(_section(7, _vec(self._exports)))
        if self._start is not None:
            out.append(_section(8, uleb(self._start)))
        if self._elems:
            out.append(_section(9, _vec(self._elems)))
        if bodies:
            out.append(_section(10, _vec(bodies)))
        if self._data:
            out.append(_section(11, _vec(self._data)))
        if names and self._names:
            sub = _vec([uleb(i) + _name(n) for i, n in sorted(self._names.items())])
            out.append(_section(0, _name("name") + b"\x01" + uleb(len(sub)) + sub))
        return b"".join(out)


def _limits(minimum: int, maximum: int | None) -> bytes:
    return b"\x00" + uleb(minimum) if maximum is None else b"\x01" + uleb(minimum) + uleb(maximum)
