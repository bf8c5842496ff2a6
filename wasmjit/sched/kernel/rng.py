"""States of random number generators (IEEE 1800 §18.14): one per process, and one per object in designs that randomize objects.

A generator is the one of `runtime.moore.prng.ProcessRandom`: a 32-bit state, here by its address; 0 means that it has not been seeded. The rules: every instance has
an initialisation generator of the run's seed that seeds its static processes in their order (§18.14.1); a forked process and an object are seeded with the next number
of the process that makes them (§18.14.2).
"""

from __future__ import annotations

from wasmjit.sched.control import CB_PROCS, CB_RNG, CB_RNG_SEED
from wasmjit.sched.descriptors import C_RNG, P_COLD, P_CTX, P_FLAGS, P_SIZE, PF_DYNAMIC
from wasmjit.sched.intrinsics import export, i32, inline, ld32, st32, u32
from wasmjit.sched.kernel.wheel import proc_ptr

BOOT_SEED = 3692098232  # prng.URANDOM_BOOT_SEED


@inline
def lcg(x: i32) -> i32:
    """The congruential step of annex N."""
    return u32(69069 * x + 1)


@inline
def draw(at: i32) -> i32:
    """The next 32 bits of the generator whose state is at that address."""
    first = lcg(ld32(at))
    second = lcg(first)
    st32(at, second if second else BOOT_SEED)
    return (first & 0xFFFF0000) | (second >> 16)


@inline
def seed_of(x: i32) -> i32:
    """A seed of a drawn number, well mixed (the finaliser of MurmurHash3), never 0."""
    x = u32((x ^ (x >> 16)) * 0x85EBCA6B)
    x = u32((x ^ (x >> 13)) * 0xC2B2AE35)
    x = x ^ (x >> 16)
    return x if x else BOOT_SEED


def run_state() -> i32:
    """Address of the state used outside of processes."""
    if ld32(CB_RNG) == 0:
        st32(CB_RNG, seed_of(ld32(CB_RNG_SEED) + 1))
    return CB_RNG


def seed_process(p: i32, at: i32) -> None:
    """The first state of a process that was not forked, or by nobody."""
    st32(at, seed_of(ld32(CB_RNG_SEED)))
    if ld32(p + P_FLAGS) & PF_DYNAMIC:
        st32(at, seed_of(draw(run_state())))
    else:
        value = draw(at)
        q = ld32(CB_PROCS)
        while q != p:
            if ld32(q + P_CTX) == ld32(p + P_CTX):
                value = draw(at)
            q = q + P_SIZE
        st32(at, seed_of(value))


@inline
def rng_state(p: i32) -> i32:
    """Address of the state of process p (0: of none)."""
    if p == 0:
        return run_state()
    at = ld32(p + P_COLD) + C_RNG
    if ld32(at) == 0:
        seed_process(p, at)
    return at


@export
def k_rng(proc: i32) -> i32:
    """Address of the seeded state of a process's generator; of the one used outside of processes when there is no such process."""
    return rng_state(proc_ptr(proc))
