"""Queues and associative arrays as values (CIRCT's Sim dialect): the functions of `sched.library.values`, which change nothing in place."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.bounds import defaults
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.func import call_runtime
from wasmjit.sem.mir import BOOL, I32, I64, I, Val

PAIR = (I64, I64)


# -- images of elements ------------------------------------------------------------------------------------------------------------------


def element_bytes(lw: Lowerer, t: T.Type) -> int:
    size = layout(t).size
    if size == 0:
        raise Unsupported(lw.op, f"a container of elements of type {t}, which have no bits")
    return size


def image(lw: Lowerer, t: T.Type, leaves: Leaves) -> Val:
    """Address of a place with this value; padding is 0, so that equal values have equal images."""
    lay = layout(t)
    size = element_bytes(lw, t)
    place = lw.x("alloca", I64, lw.i64(1), attr=(size, max(lay.align, 1)))
    site = lw.site("element of a container")
    if sum(ty.nbytes for ty in lay.leaves) < size:
        lw.do("memset", place, lw.const(I(8), 0), lw.i64(size), attr=site)
    for leaf, off in zip(leaves, lay.offs, strict=True):
        lw.do("st", place, leaf, attr=(off, site))
    return place


def loaded(lw: Lowerer, t: T.Type, address: Val) -> Leaves:
    lay = layout(t)
    site = lw.site("element of a container")
    return tuple(lw.x("ld", ty, address, attr=(off, site)) for ty, off in zip(lay.leaves, lay.offs, strict=True))


def text_flag(lw: Lowerer, t: T.Type) -> Val:
    """How elements of this type are compared: strings by their bytes, what holds no references as it is."""
    if isinstance(t, T.DStringType):
        return lw.i32(1)
    if refers(t):
        raise Unsupported(lw.op, f"comparison of containers of {t}")
    return lw.i32(0)


def refers(t: T.Type) -> bool:
    """Whether equal values of a type may have different images."""
    match t:
        case T.StructType():
            return any(refers(f) for _, f in t.fields)
        case T.ArrayType():
            return refers(t.elem)
        case T.IntType() | T.EnumType() | T.TimeType() | T.PtrType() | T.UnionType():
            return False
    return True


# -- queues ------------------------------------------------------------------------------------------------------------------------------


def queue_type(lw: Lowerer, v: Value) -> T.QueueType:
    if not isinstance(v.type, T.QueueType):
        raise Unsupported(lw.op, f"expected a queue, got a value of type {v.type}")
    return v.type


def bounded(lw: Lowerer, t: T.QueueType, queue: Leaves) -> Leaves:
    """At most as many elements as the type allows; those at the end are left out."""
    if not t.bound:
        return queue
    limit = lw.i64(t.bound)
    return queue[0], lw.x("mux", I64, lw.x("icmp", BOOL, queue[1], limit, attr="ugt"), limit, queue[1])


def spliced(lw: Lowerer, t: T.QueueType, queue: Leaves, at: Val, dropped: Val, more: Val, count: Val) -> Leaves:
    size = lw.i64(element_bytes(lw, t.elem))
    return bounded(lw, t, call_runtime(lw, "__wasmjit_queue_splice", (*queue, at, dropped, more, count, size), PAIR))


def index_of(lw: Lowerer, v: Value) -> Val:
    """An index as 64 bits: a negative one is above every length."""
    value = lw.one(v)
    return value if value.ty.size >= 64 else lw.x("sext", I64, value)


def flag(lw: Lowerer, cond: Val) -> Val:
    return lw.x("zext", I64, cond)


@lowers("sim.queue.empty")
def _queue_empty(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], (lw.i64(0), lw.i64(0)))


@lowers("sim.queue.size")
def _queue_size(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0])[1])


@lowers("sim.queue.push_back", "sim.queue.push_front")
def _queue_push(lw: Lowerer, op: Op) -> None:
    """A bounded queue that is full keeps its first elements (IEEE 1800 §7.10.5)."""
    queue, element = op.group("queue")[0], op.group("element")[0]
    t = queue_type(lw, queue)
    value = lw.get(queue)
    at = value[1] if op.name == "sim.queue.push_back" else lw.i64(0)
    lw.set(op.results[0], spliced(lw, t, value, at, lw.i64(0), image(lw, t.elem, lw.get(element)), lw.i64(1)))


@lowers("sim.queue.pop_back", "sim.queue.pop_front")
def _queue_pop(lw: Lowerer, op: Op) -> None:
    queue = op.operands[0]
    t = queue_type(lw, queue)
    value = lw.get(queue)
    some = lw.x("icmp", BOOL, value[1], lw.i64(0), attr="ne")
    last = lw.x("sub", I64, value[1], flag(lw, some))
    at = last if op.name == "sim.queue.pop_back" else lw.i64(0)
    lw.set(op.results[1], element_at(lw, t, value, at))
    lw.set(op.results[0], spliced(lw, t, value, at, flag(lw, some), lw.i64(0), lw.i64(0)))


def element_at(lw: Lowerer, t: T.QueueType, queue: Leaves, at: Val) -> Leaves:
    """The element of an index; one that does not exist reads as the default of its type (table 7-1)."""
    exists = lw.x("icmp", BOOL, at, queue[1], attr="ult")
    there = lw.x("add", I64, queue[0], lw.x("mul", I64, at, lw.i64(element_bytes(lw, t.elem))))
    address = lw.x("mux", I64, exists, there, image(lw, t.elem, defaults(lw, t.elem)))
    return loaded(lw, t.elem, address)


@lowers("sim.queue.get")
def _queue_get(lw: Lowerer, op: Op) -> None:
    queue = op.group("queue")[0]
    lw.set(op.results[0], element_at(lw, queue_type(lw, queue), lw.get(queue), index_of(lw, op.group("index")[0])))


@lowers("sim.queue.delete")
def _queue_delete(lw: Lowerer, op: Op) -> None:
    queue, index = op.group("queue")[0], index_of(lw, op.group("index")[0])
    t, value = queue_type(lw, queue), lw.get(queue)
    exists = lw.x("icmp", BOOL, index, value[1], attr="ult")
    at = lw.x("mux", I64, exists, index, lw.i64(0))
    lw.set(op.results[0], spliced(lw, t, value, at, flag(lw, exists), lw.i64(0), lw.i64(0)))


@lowers("sim.queue.insert", "sim.queue.set")
def _queue_insert(lw: Lowerer, op: Op) -> None:
    """At the length an element is added; further out nothing happens."""
    queue, index = op.group("queue")[0], index_of(lw, op.group("index")[0])
    t, value = queue_type(lw, queue), lw.get(queue)
    legal = lw.x("icmp", BOOL, index, value[1], attr="ule")
    at = lw.x("mux", I64, legal, index, lw.i64(0))
    dropped = flag(lw, lw.x("icmp", BOOL, index, value[1], attr="ult")) if op.name == "sim.queue.set" else lw.i64(0)
    item = image(lw, t.elem, lw.get(op.group("item")[0]))
    lw.set(op.results[0], spliced(lw, t, value, at, dropped, item, flag(lw, legal)))


@lowers("sim.queue.slice")
def _queue_slice(lw: Lowerer, op: Op) -> None:
    queue = op.group("queue")[0]
    t = queue_type(lw, queue)
    low, high = index_of(lw, op.group("lowIdx")[0]), index_of(lw, op.group("highIdx")[0])
    outside = image(lw, t.elem, defaults(lw, t.elem))
    args = (*lw.get(queue), low, high, outside, lw.i64(element_bytes(lw, t.elem)))
    lw.set(op.results[0], bounded(lw, t, call_runtime(lw, "__wasmjit_queue_slice", args, PAIR)))


@lowers("sim.queue.resize")
def _queue_resize(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], bounded(lw, queue_type(lw, op.results[0]), lw.get(op.operands[0])))


@lowers("sim.queue.from_array")
def _queue_from_array(lw: Lowerer, op: Op) -> None:
    t, source = queue_type(lw, op.results[0]), op.operands[0]
    if not isinstance(source.type, T.ArrayType):
        raise Unsupported(op, f"expected an array, got a value of type {source.type}")
    args = (image(lw, source.type, lw.get(source)), lw.i64(source.type.size), lw.i64(element_bytes(lw, t.elem)))
    lw.set(op.results[0], bounded(lw, t, call_runtime(lw, "__wasmjit_queue_of_array", args, PAIR)))


@lowers("sim.queue.concat")
def _queue_concat(lw: Lowerer, op: Op) -> None:
    t = queue_type(lw, op.results[0])
    whole: Leaves = (lw.i64(0), lw.i64(0))
    free = T.QueueType(t.elem, 0)
    for v in op.operands:
        data, length = lw.get(v)
        whole = spliced(lw, free, whole, whole[1], lw.i64(0), data, length)
    lw.set(op.results[0], bounded(lw, t, whole))


def put_comparison(lw: Lowerer, op: Op, equal: Val) -> None:
    same = lw.x("icmp", BOOL, equal, lw.i32(0), attr="ne")
    lw.set(op.results[0], same if op.attrs["predicate"] in ("eq", 0) else lw.x("xor", BOOL, same, lw.const(BOOL, 1)))


@lowers("sim.queue.cmp")
def _queue_cmp(lw: Lowerer, op: Op) -> None:
    t = queue_type(lw, op.operands[0])
    args = (*lw.get(op.operands[0]), *lw.get(op.operands[1]), lw.i64(element_bytes(lw, t.elem)), text_flag(lw, t.elem))
    put_comparison(lw, op, call_runtime(lw, "__wasmjit_queue_equal", args, (I32,))[0])


# -- associative arrays ------------------------------------------------------------------------------------------------------------------


def array_type(lw: Lowerer, v: Value) -> T.AssocType:
    if not isinstance(v.type, T.AssocType):
        raise Unsupported(lw.op, f"expected an associative array, got a value of type {v.type}")
    return v.type


def key_place(lw: Lowerer, op: Op) -> Val:
    """Address of the key an operation names."""
    t = array_type(lw, op.group("array")[0])
    return image(lw, t.index, lw.get(op.group("index")[0]))


def writable(lw: Lowerer, op: Op) -> Val:
    """A copy of the array of an operation that may be changed."""
    array = op.group("array")[0]
    t = array_type(lw, array)
    key = 0 if isinstance(t.index, T.DStringType) else element_bytes(lw, t.index)
    args = (lw.one(array), lw.i32(key), lw.i32(element_bytes(lw, t.elem)))
    return call_runtime(lw, "__wasmjit_assoc_value", args, (I64,))[0]


def reference(lw: Lowerer, t: T.AssocType, array: Val, key: Val) -> Val:
    return call_runtime(lw, "__moore_assoc_get_ref", (array, key, lw.i32(element_bytes(lw, t.elem))), (I64,))[0]


@lowers("sim.assoc_array.empty")
def _assoc_empty(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.i64(0))


@lowers("sim.assoc_array.size")
def _assoc_size(lw: Lowerer, op: Op) -> None:
    (count,) = call_runtime(lw, "__moore_assoc_size", (lw.one(op.operands[0]),), (I64,))
    lw.set(op.results[0], lw.resize(count, I32))


@lowers("sim.assoc_array.exists")
def _assoc_exists(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], call_runtime(lw, "__moore_assoc_exists", (lw.one(op.group("array")[0]), key_place(lw, op)), (I32,)))


@lowers("sim.assoc_array.get")
def _assoc_get(lw: Lowerer, op: Op) -> None:
    """A key that has no entry reads as the default of the element's type."""
    array = op.group("array")[0]
    t, handle, key = array_type(lw, array), lw.one(array), key_place(lw, op)
    outside = image(lw, t.elem, defaults(lw, t.elem))
    (found,) = call_runtime(lw, "__moore_assoc_exists", (handle, key), (I32,))
    there, done = lw.new_block(), lw.new_block()
    address = lw.b.block_param(done, I64)
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, found, lw.i32(0), attr="ne"), there, (), done, (outside,)))
    lw.b.set_block(there)
    lw.goto(done, (reference(lw, t, handle, key),))
    lw.b.set_block(done)
    lw.set(op.results[0], loaded(lw, t.elem, address))


@lowers("sim.assoc_array.set")
def _assoc_set(lw: Lowerer, op: Op) -> None:
    t, key, array = array_type(lw, op.group("array")[0]), key_place(lw, op), writable(lw, op)
    place = reference(lw, t, array, key)
    site = lw.site("element of a container")
    for leaf, off in zip(lw.get(op.group("value")[0]), layout(t.elem).offs, strict=True):
        lw.do("st", place, leaf, attr=(off, site))
    lw.set(op.results[0], array)


@lowers("sim.assoc_array.delete")
def _assoc_delete(lw: Lowerer, op: Op) -> None:
    key, array = key_place(lw, op), writable(lw, op)
    call_runtime(lw, "__moore_assoc_delete_key", (array, key), ())
    lw.set(op.results[0], array)


@lowers("sim.assoc_array.cmp")
def _assoc_cmp(lw: Lowerer, op: Op) -> None:
    args = (lw.one(op.operands[0]), lw.one(op.operands[1]), text_flag(lw, array_type(lw, op.operands[0]).elem))
    put_comparison(lw, op, call_runtime(lw, "__wasmjit_assoc_equal", args, (I32,))[0])


@lowers("sim.assoc_array.first", "sim.assoc_array.last", "sim.assoc_array.next", "sim.assoc_array.prev")
def _assoc_step(lw: Lowerer, op: Op) -> None:
    array = op.group("array")[0]
    t = array_type(lw, array)
    how = op.name.rpartition(".")[2]
    key = key_place(lw, op) if how in ("next", "prev") else image(lw, t.index, tuple(lw.zero(ty) for ty in layout(t.index).leaves))
    (found,) = call_runtime(lw, f"__moore_assoc_{how}", (lw.one(array), key), (I32,))
    lw.set(op.results[0], found)
    lw.set(op.results[1], loaded(lw, t.index, key))
