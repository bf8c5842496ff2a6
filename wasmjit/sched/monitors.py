"""Assertions of a run, on the host: transitions that are not known yet, failures, what is still open at the end, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wasmjit.runtime.services import SimFault
from wasmjit.sched import control as cb
from wasmjit.sched import monitorfields as km
from wasmjit.sem.lower.observe import describe
from wasmjit.sem.sva.automaton import Automaton
from wasmjit.sem.sva.plan import Check

if TYPE_CHECKING:
    from wasmjit.elab.design import Instance
    from wasmjit.sched.simulation import Simulation

FIRST_CAPACITY = 64
FIRST_STATES = 32


class Table:
    """An automaton's transitions in linear memory, shared by all its monitors."""

    def __init__(self, sim: Simulation, automaton: Automaton) -> None:
        self.sim = sim
        self.automaton = automaton
        self.known: dict[tuple[int, int], int] = {}
        self.record = self.alloc(km.A_SIZE)
        self.capacity = 0
        self.state_room = 0
        self.masked = 0
        self.rebuild(FIRST_CAPACITY)
        self.states()

    def alloc(self, n: int) -> int:
        addr = int(self.sim.kernel.call["k_alloc0"](n))
        if not addr:
            raise SimFault(f"memory is exhausted (allocation of {n} bytes)")
        return addr

    def rebuild(self, capacity: int) -> None:
        old = self.sim.view.u32(self.record + km.A_TABLE)
        self.capacity = capacity
        self.base = self.alloc(capacity * km.H_SIZE)
        self.sim.view.set_u32(self.record + km.A_TABLE, self.base)
        self.sim.view.set_u32(self.record + km.A_MASK, capacity - 1)
        for (state, key), code in self.known.items():
            self.put(state, key, code)
        if old:
            self.sim.kernel.call["k_free"](old)

    def states(self) -> None:
        """Masks and positions for every state made so far."""
        sim, n = self.sim, len(self.automaton.states)
        if n > self.state_room:
            self.state_room = max(FIRST_STATES, 2 * n)
            for field, size in ((km.A_CARE, 8), (km.A_POS, 4)):
                old = sim.view.u32(self.record + field)
                sim.view.set_u32(self.record + field, self.alloc(self.state_room * size))
                if old:
                    sim.kernel.call["k_free"](old)
            self.masked = 0
        care = sim.view.u32(self.record + km.A_CARE)
        for i in range(self.masked, n):
            sim.view.set_u64(care + i * 8, self.automaton.support(i))
        self.masked = n

    def put(self, state: int, key: int, code: int) -> None:
        view, mask = self.sim.view, self.capacity - 1
        h = (key ^ (key >> 32)) & 0xFFFFFFFF
        i = (h * 73 + (h >> 7) + state * 31) & mask
        while view.u32(self.base + i * km.H_SIZE + km.H_STATE):
            i = (i + 1) & mask
        e = self.base + i * km.H_SIZE
        view.set_u64(e + km.H_LETTER, key)
        view.set_u32(e + km.H_CODE, code)
        view.set_u32(e + km.H_STATE, state + 1)

    def expand(self, state: int, letter: int) -> None:
        key = letter & self.automaton.support(state)
        if (state, key) in self.known:
            return
        code = self.known[(state, key)] = self.automaton.transition(state, key)
        self.states()
        if 2 * len(self.known) > self.capacity:
            self.rebuild(2 * self.capacity)
        else:
            self.put(state, key, code)


class Monitors:
    """All assertions of a run."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.tables: dict[Automaton, Table] = {}
        self.failures = {"assert": 0, "assume": 0}

    # -- during the run --------------------------------------------------------------------------------------------------------------

    def expand(self, automaton: Automaton, address: int) -> None:
        """Supply the transition that the monitor or detector at `address` misses."""
        view = self.sim.view
        table = self.tables.get(automaton)
        if table is None:
            table = self.tables[automaton] = Table(self.sim, automaton)
        view.set_u32(address + km.M_AUTOMATON, table.record)
        table.expand(view.u32(address + km.M_MISS_STATE), view.u64(address + km.M_MISS_LETTER))

    def failed(self, kind: str, label: str, location: str, address: int) -> None:
        """Attempts of a clocked assertion failed with the present tick."""
        view = self.sim.view
        self.report(kind, label, location, view.u32(address + km.M_FAILING), view.u64(address + km.M_SINCE))

    def report(self, kind: str, label: str, location: str, attempts: int = 1, since: int | None = None) -> None:
        sim = self.sim
        now = sim.view.u64(cb.CB_FS)
        self.failures[kind] += 1
        sim.outcome.errors += 1
        sim.outcome.exit_code = max(sim.outcome.exit_code, 1)
        name = f" {label}" if label else ""
        began = f", attempt began at {since} fs" if since is not None and since != now else ""
        many = f", {attempts} attempts" if attempts > 1 else ""
        sim.say(f"Error: SVA {NOUN[kind]} failed at time {now} fs: {location}{name} in {self.place()}{began}{many}")

    def place(self) -> str:
        """Path of the instance whose region runs."""
        n = self.sim.view.u32(cb.CB_CUR_ID)
        if n != cb.NONE and n & cb.REGION_DRIVER:
            i = n & ~cb.REGION_DRIVER
            if i < len(self.sim.elab.regions):
                return self.sim.elab.regions[i].instance.path
        return self.current

    current = ""

    # -- the end -----------------------------------------------------------------------------------------------------------------------

    def checks(self) -> Iterator[tuple[Instance, Check, int]]:
        """(instance, assertion, address of its monitor) of every clocked assertion."""
        for inst in self.sim.elab.instances:
            plan = getattr(inst.definition, "plan", None)
            for g in plan.groups if plan is not None else ():
                for c in g.checks:
                    if c.prop is not None:
                        yield inst, c, inst.ctx + c.monitor

    def settle(self) -> None:
        """Evaluate what was scheduled for the Observed region of the time step in which the run ended."""
        sim = self.sim
        for i, r in enumerate(sim.elab.regions):
            g = r.region.group
            if g is not None and sim.view.u8(r.instance.ctx + g.pending):
                sim.view.set_u32(cb.CB_CUR_ID, cb.REGION_DRIVER | i)
                sim.code.interpreted(r.region.body.key)(r.instance.ctx)
        sim.view.set_u32(cb.CB_CUR_ID, cb.NONE)

    def finish(self) -> None:
        """Strong operators that are not satisfied fail; attempts of the last time step are not held to that (§20.2: $finish ends it)."""
        sim, view = self.sim, self.sim.view
        now = view.u64(cb.CB_FS)
        for inst, c, m in self.checks():
            assert c.prop is not None
            self.current = inst.path
            automaton = c.prop.automaton
            if c.kind == "cover":
                label, location = describe(c.op)
                name = label or location
                sim.outcome.covers[name] = sim.outcome.covers.get(name, 0) + view.u64(m + km.M_PASSED)
                continue
            entries = view.u32(m + km.M_LIST)
            aborts = self.aborts(inst, c)
            for i in range(view.u32(m + km.M_COUNT)):
                e = entries + i * km.L_SIZE
                since = view.u64(e + km.L_SINCE)
                if since == now and sim.outcome.finish_requested:
                    continue
                if automaton.final(view.u32(e + km.L_STATE), aborts) is False:
                    view.set_u64(m + km.M_FAILED, view.u64(m + km.M_FAILED) + view.u32(e + km.L_COUNT))
                    self.report(c.kind, *describe(c.op), view.u32(e + km.L_COUNT), since)
        for kind, n in self.failures.items():
            if n:
                sim.outcome.exit_code = max(sim.outcome.exit_code, 1)
                sim.say(f"{n} SVA {NOUN[kind]} failure(s)")
        if sim.options.verbose:
            self.summary()

    def aborts(self, inst: Instance, c: Check) -> int:
        """Letter of the asynchronous abort conditions that held since the last tick."""
        letter = 0
        plan = inst.definition.plan
        assert c.prop is not None
        for i, leaf in enumerate(c.prop.leaves):
            if leaf.kind in ("abort", "current") and leaf.value is not None:
                s = plan.samples[leaf.value]
                on = self.sim.view.u8(inst.ctx + s.now) | self.sim.view.u8(
                    inst.ctx + (s.settled if leaf.kind == "abort" else s.lowered + 1)
                )
                letter |= (on & 1) << i
        return letter

    def summary(self) -> None:
        """A line per assertion."""
        view = self.sim.view
        for inst, c, m in self.checks():
            label, location = describe(c.op)
            passed, failed, vacuous, disabled, begun = (
                view.u64(m + at) for at in (km.M_PASSED, km.M_FAILED, km.M_VACUOUS, km.M_DISABLED, km.M_STARTED)
            )
            self.sim.say(
                f"{c.kind} {label or location} in {inst.path}: {begun} attempts, {passed} passed, {vacuous} vacuous, {failed} failed, {disabled} disabled"
            )


NOUN = {"assert": "assertion", "assume": "assumption", "cover": "cover"}


def expand(sim: Simulation, automaton: Automaton) -> Callable[..., tuple[Any, ...]]:
    def run(address: int) -> tuple[Any, ...]:
        sim.monitors.expand(automaton, address)
        return ()

    return run


def failed(sim: Simulation, data: tuple[str, str, str]) -> Callable[..., tuple[Any, ...]]:
    def run(address: int) -> tuple[Any, ...]:
        sim.monitors.failed(*data, address)
        return ()

    return run
