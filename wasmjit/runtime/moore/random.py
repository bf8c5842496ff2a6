"""`$random`, `$urandom`, `$dist_*` (IEEE 1800-2023 §18.13, §20.14) and random stability of processes and objects (§18.14)."""

from __future__ import annotations

from collections.abc import Callable

from wasmjit.runtime.moore import prng
from wasmjit.runtime.moore.process import process_of_handle
from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import M32, Runtime, SimFault, s32, service, string_value


@service("__moore_random", "", "i")
def moore_random(rt: Runtime) -> int:
    return rt.host.dollar_random.next()


@service("__moore_random_seeded", "i", "i", pure=True)
def random_seeded(rt: Runtime, seed: int) -> int:
    """`$random(seed)`; the front end computes the next seed itself."""
    return prng.dollar_random(seed & M32)[0] & M32


@service("__moore_urandom", "", "i")
def urandom(rt: Runtime) -> int:
    rt.host.randomizing.pop(rt.proc_id, None)
    return rt.host.random_of_process(rt.proc_id).u32()


@service("__moore_urandom_seeded", "i", "i")
def urandom_seeded(rt: Runtime, seed: int) -> int:
    """`$urandom(seed)` initialises the generator of the process and draws from it (§18.13.1)."""
    rt.host.randomizing.pop(rt.proc_id, None)
    rng = rt.host.random_of_process(rt.proc_id)
    rng.srandom(seed)
    return rng.u32()


@service("__moore_urandom_range", "ii", "i")
def urandom_range(rt: Runtime, high: int, low: int) -> int:
    """Both bounds included, unsigned, in either order."""
    a, b = sorted((low & M32, high & M32))
    return rt.host.random_of_process(rt.proc_id).between(a, b)


@service("__moore_get_initial_random_seed", "", "i")
def get_initial_random_seed(rt: Runtime) -> int:
    return rt.host.seed & M32 or 1


def _dist(rt: Runtime, seed_ptr: int, draw: Callable[[int], tuple[int, int]]) -> int:
    if not seed_ptr:
        raise SimFault("$dist function: the seed is null")
    value, seed = draw(rt.ld(seed_ptr, 4))
    rt.st(seed_ptr, 4, seed)
    return value & M32


@service("__moore_dist_uniform", "pii", "i")
def dist_uniform(rt: Runtime, seed: int, start: int, end: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_uniform(s, s32(start), s32(end)))


@service("__moore_dist_normal", "pii", "i")
def dist_normal(rt: Runtime, seed: int, mean: int, deviation: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_normal(s, s32(mean), s32(deviation)))


@service("__moore_dist_exponential", "pi", "i")
def dist_exponential(rt: Runtime, seed: int, mean: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_exponential(s, s32(mean)))


@service("__moore_dist_poisson", "pi", "i")
def dist_poisson(rt: Runtime, seed: int, mean: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_poisson(s, s32(mean)))


@service("__moore_dist_chi_square", "pi", "i")
def dist_chi_square(rt: Runtime, seed: int, freedom: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_chi_square(s, s32(freedom)))


@service("__moore_dist_t", "pi", "i")
def dist_t(rt: Runtime, seed: int, freedom: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_t(s, s32(freedom)))


@service("__moore_dist_erlang", "pii", "i")
def dist_erlang(rt: Runtime, seed: int, k: int, mean: int) -> int:
    return _dist(rt, seed, lambda s: prng.dist_erlang(s, s32(k), s32(mean)))


# ---------------------------------------------------------------------------------------------------------------------------------
# Random stability


def object_random(rt: Runtime, obj: int) -> prng.ProcessRandom:
    """The generator of an object, seeded when it was made (IEEE 1800 §18.14.2). One that is not on the heap is seeded from the running process when it is first needed."""
    rng = rt.host.generators.of_object(obj) if rt.host.generators is not None else None
    if rng is not None:
        return rng
    rng = rt.host.object_random.get(obj)
    if rng is None:
        rng = rt.host.object_random[obj] = prng.ProcessRandom(rt.host.random_of_process(rt.proc_id).u32())
    return rng


@service("__moore_process_srandom", "li")
def process_srandom(rt: Runtime, handle: int, seed: int) -> None:
    """Reseeds `$urandom`, `randomize` ... of a process; a null handle means the running one. `$random` has a sequence of its own and is
    not touched."""
    rt.host.random_of_process(process_of_handle(rt, handle)).srandom(seed)


@service("__moore_process_get_randstate", "l", "pl")
def process_get_randstate(rt: Runtime, handle: int) -> tuple[int, int]:
    return make(rt, rt.host.random_of_process(process_of_handle(rt, handle)).save())


def _restore(rt: Runtime, rng: prng.ProcessRandom, data: int, length: int) -> None:
    state = string_value(rt, data, length)
    if not rng.restore(state):
        raise SimFault(f"set_randstate: {state[:32]!r} was not returned by get_randstate")


@service("__moore_process_set_randstate", "lpl")
def process_set_randstate(rt: Runtime, handle: int, data: int, length: int) -> None:
    _restore(rt, rt.host.random_of_process(process_of_handle(rt, handle)), data, length)


@service("__moore_class_srandom", "pi")
def class_srandom(rt: Runtime, obj: int, seed: int) -> None:
    object_random(rt, obj).srandom(seed)


@service("__moore_class_get_randstate", "p", "pl")
def class_get_randstate(rt: Runtime, obj: int) -> tuple[int, int]:
    return make(rt, object_random(rt, obj).save())


@service("__moore_class_set_randstate", "ppl")
def class_set_randstate(rt: Runtime, obj: int, data: int, length: int) -> None:
    _restore(rt, object_random(rt, obj), data, length)
