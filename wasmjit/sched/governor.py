"""Decides what is compiled and when: hotness, budget, cache policy, forced deopts. Every decision leaves a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.report.telemetry import DeoptRecord, TimelineEvent
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors as d
from wasmjit.sched.backoff import BackOff
from wasmjit.sched.forced import ForcedDeopts
from wasmjit.sched.jit import Jit
from wasmjit.sem.mir import FRAME_PROC, FRAME_TOKEN, Body, CallS, Wait, place_of

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation


COLD = "cold"
"""Detail of bodies of large designs that are interpreted because hardly anybody calls them (`jit.PATIENCE`)."""


class Governor:
    """Compile mode of a run. `budget` counts process bodies (definitions), -1 is unlimited."""

    def __init__(self, sim: Simulation, records: int, countdown: int) -> None:
        o = sim.options
        self.sim = sim
        self.threshold = o.hot_threshold
        self.budget = o.compile_budget
        self.spent = 0
        self.policy = o.cache_policy
        self.force = ForcedDeopts.parse(o.force_deopt)
        self.countdown = countdown
        self.jit = Jit(sim, records, countdown if self.force.countdown else None, bool(self.force.pattern))
        self.jit.asks = self.asked
        self.counts: dict[str, int] = {}
        self.bailed: set[str] = set()
        self.backoff = BackOff(self)
        self.interpreting = False  # compiled code was left for this activation (the sampling thread looks at it)
        self.static_of: dict[str, list[int]] = {}
        for p in sim.elab.processes:
            self.static_of.setdefault(p.body.key, []).append(p.id - 1)
        sim.code.enter = self.enter
        sim.code.on_install = self.installed
        sim.code.on_deopt = self.callee_deopt

    # -- start ---------------------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Before the first event: with a threshold of at most 1 everything that will run is compiled in one batch."""
        sim = self.sim
        if self.force.countdown:
            sim.view.set_u32(self.countdown, self.force.interval)
        self.jit.on_failed = self.give_up
        if self.policy == "none" or self.threshold > 1 or self.budget == 0:
            if self.budget != 0:
                self.jit.compile(sorted(sim.region_keys), "start")
        else:
            keys = [k for k in self.static_of if self.afford(k)]
            self.jit.compile([*keys, *sorted(sim.region_keys)], "start")
        for key in sorted(sim.region_keys & self.jit.failed.keys()):
            self.give_up(key, self.jit.failed[key])

    def afford(self, key: str) -> bool:
        """Take a body out of the budget; False (and remembered) when there is none left."""
        if self.budget >= 0 and self.spent >= self.budget:
            return False
        self.spent += 1
        return True

    # -- entering the interpreter -----------------------------------------------------------------------------------------------------------

    def enter(self, key: str, run: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the interpreter trampoline of a body: count activations, compile when hot, and record why it is interpreted."""
        if self.sim.is_region(key):
            return run
        jit = self.jit

        def interpreted(ctx: int, frame: int) -> Any:
            n = self.counts[key] = self.counts.get(key, 0) + 1
            if key in self.backoff.out:
                if not self.backoff.activation(key):
                    self.bailout(key, frame, "missing_thunk", "backed_off")
                return run(ctx, frame)
            if key in jit.compiled and self.policy != "none":
                # The slot was swapped while an old reference was in use.
                return run(ctx, frame)
            if self.policy == "none" and self.budget != 0 and n >= self.threshold:
                return self.once(key, run, ctx, frame)
            detail = self.why_not(key, n)
            if detail == "":
                native = self.sim.code
                if key in jit.compiled:
                    return native.call(native.slots[key], ctx, frame)
                detail = "first_op:" + jit.failed.get(key, "unknown")
                self.bailout(key, frame, "unsupported_operation", detail)
            else:
                self.bailout(key, frame, "missing_thunk", detail)
            return run(ctx, frame)

        return interpreted

    def why_not(self, key: str, n: int) -> str:
        """Empty when an attempt to compile was made; else the detail of the missing thunk."""
        if key in self.jit.failed:
            return ""
        if self.budget == 0:
            return "compile_budget_zero"
        if n < self.threshold:
            return "below_hot_threshold"
        if key.endswith("!co") or ".fork" in key or key not in self.static_of:
            if self.jit.patience:
                return "" if self.jit.called(key) or key in self.jit.failed else COLD
            self.jit.compile([key], "hot")
            return ""
        if not self.afford(key):
            return "compile_budget_exhausted"
        self.jit.compile([key], "hot")
        return ""

    def once(self, key: str, run: Callable[..., Any], ctx: int, frame: int) -> Any:
        """Cache policy none: compile, run this activation, evict."""
        jit, code = self.jit, self.sim.code
        jit.compile([key], "policy none")
        index = code.slots[key]
        if key not in jit.compiled:
            self.bailout(key, frame, "unsupported_operation", "first_op:" + jit.failed.get(key, "unknown"))
            return run(ctx, frame)
        status = code.call(index, ctx, frame)
        self.sim.telemetry.exec_hits_total += 1
        jit.compiled.discard(key)
        code.install_interpreter(key)
        self.sim.telemetry.event(TimelineEvent("evict", 0, key, 0, self.sim.view.u64(cb.CB_FS), self.wall(), 0, key))
        return status

    def installed(self, key: str, tier: int = 1) -> None:
        """Processes of this body count as of this tier from here on."""
        for n in self.static_of.get(key, ()):
            self.sim.view.set_proc_code(n, self.sim.code.slots[key], tier)

    def between_steps(self) -> None:
        """The kernel has come back between two time steps: install what is ready."""
        for key in self.jit.swap():
            slot = self.sim.code.slots.get(key)
            if slot is not None:
                self.sim.code.optimised.add(slot)
            if key in self.backoff.out:
                self.backoff.replaced(key)
            elif key in self.jit.compiled and key in self.static_of:
                self.installed(key, 2)

    def close(self) -> None:
        """The run is over."""
        self.jit.close()

    # -- records -------------------------------------------------------------------------------------------------------------------------------

    def wall(self) -> int:
        return time.perf_counter_ns() - self.sim.started_ns

    def process_of(self, frame: int) -> tuple[int, str]:
        """(id from 1, name) of the process a frame belongs to; (0, "") of no frame."""
        if frame == 0:
            return 0, ""
        n = self.sim.memory.u32[(frame + FRAME_PROC) >> 2]
        return n + 1, self.sim.name_of(n)

    def runaway(self) -> None:
        """The running process forks without end: its code was left for good."""
        sim = self.sim
        row = sim.view.u32(cb.CB_CUR)
        if row:
            frame = sim.view.u32(row + d.P_FRAME)
            self.record("eager", sim.code.keys[sim.view.u32(row + d.P_FN)], frame, "guard_failed", "step_limit_reached", "no longer entered")

    def give_up(self, key: str, why: str) -> None:
        """A function or continuous logic could not be compiled: it is interpreted wherever it is used."""
        if key not in self.bailed:
            self.bailed.add(key)
            row = 0 if self.sim.is_region(key) else self.sim.view.u32(cb.CB_CUR)
            self.record("bailout", key, self.sim.view.u32(row + d.P_FRAME) if row else 0, "unsupported_operation", f"first_op:{why}", "interpreted")

    def bailout(self, key: str, frame: int, reason: str, detail: str) -> None:
        pid, name = self.process_of(frame)
        if (f"{pid}:{reason}:{detail}") in self.bailed:
            return
        if detail == COLD or (detail == "compile_budget_zero" and not self.sim.options.fail_on_deopt):
            return  # nothing was given up
        self.bailed.add(f"{pid}:{reason}:{detail}")
        self.record("bailout", key, frame, reason, detail, "interpreted")

    def record(self, kind: str, key: str, frame: int, reason: str, detail: str, action: str, cost: int = 0) -> None:
        sim = self.sim
        pid, name = self.process_of(frame)
        body = sim.program.bodies.get(key)
        token = sim.memory.u32[(frame + FRAME_TOKEN) >> 2] if frame else 0
        fs, delta, _ = sim.view.time
        sim.telemetry.deopt(
            DeoptRecord(
                kind, reason, detail, pid, name or key, self.place(body, token, pid), resume_point(body, token),
                fs, delta, self.wall(), cost, action, key, 1, live_values(sim, body, frame, token) if frame else [],
            )
        )  # fmt: skip

    def place(self, body: Body | None, token: int, pid: int) -> str:
        """Source location of a resume point. Modules that differ in constants share bodies: then it is the line of the process's own module."""
        if body is not None and body.loc:
            return str(body.loc)
        where = location(body, token)
        elab = self.sim.elab
        if body is None or not 0 < pid <= len(elab.processes) or elab.processes[pid - 1].body is not body:
            return where
        own = elab.processes[pid - 1].op
        first = next((p.op for name, low in elab.lowered.items() if body.key.startswith(f"{name}.process") for p in low.processes if p.body is body), own)
        file, line, column = where.rsplit(":", 2) if where.count(":") >= 2 else ("", "", "")
        if first is own or file != own.loc.file or not line.isdigit():
            return where
        return f"{file}:{int(line) + own.loc.line - first.loc.line}:{column}"

    # -- deopts ---------------------------------------------------------------------------------------------------------------------------------

    def deopt(self) -> int:
        """h.deopt: the running process's code returned DEOPT at a resume point; interpret this activation."""
        sim = self.sim
        row = sim.view.u32(cb.CB_CUR)
        fn, ctx, frame = sim.view.u32(row + d.P_FN), sim.view.u32(row + d.P_CTX), sim.view.u32(row + d.P_FRAME)
        key, counter = sim.code.keys[fn], sim.view.u32(row + d.P_COUNTER)
        begun = time.perf_counter_ns()
        self.left(key, frame)
        last = sim.telemetry.last_deopt
        self.interpreting = True
        try:
            return int(sim.code.interpreted(key)(ctx, frame))
        finally:
            self.interpreting = False
            sim.view.count_interpreted(counter)
            sim.telemetry.left_total += 1
            if last is not None:
                sim.telemetry.deopt_cost(last, time.perf_counter_ns() - begun)

    def callee_deopt(self, key: str, frame: int) -> None:
        self.left(key, frame)

    def left(self, key: str, frame: int) -> None:
        """Code was left at a resume point: because it was asked for, or because it met what it was not made for."""
        if self.force.countdown or self.force.pattern:
            self.forced(key, frame)
            return
        detail = "unexpected_resume_state"
        self.record("eager", key, frame, "guard_failed", detail, self.backoff.left(key, detail))

    def forced(self, key: str, frame: int) -> None:
        self.record("eager", key, frame, "guard_failed", "forced", "interpreted once")
        if self.force.countdown:
            self.sim.view.set_u32(self.countdown, 0 if self.force.once else self.force.interval)

    def asked(self, frame: int) -> int:
        """h.forced: 1 when the process of a frame is one whose activations are to be interpreted."""
        return int(self.force.wants(self.process_of(frame)[1]))


def resume_point(body: Body | None, token: int) -> str:
    if token == 0:
        return "entry"
    if body is not None:
        for b in body.blocks:
            if isinstance(b.term, (Wait, CallS)) and b.term.token == token:
                return f"{'wait' if isinstance(b.term, Wait) else 'call'} {token}"
    return f"token {token}"


def location(body: Body | None, token: int) -> str:
    """Source location of a resume point: of the wait or the suspending call; of the first operation for `entry`."""
    if body is None:
        return ""
    for b in body.blocks:
        if token and isinstance(b.term, (Wait, CallS)) and b.term.token == token:
            near = [b.term.loc, *(op.loc for op in reversed(b.ops))]
            return next((str(place) for place in map(place_of, near) if place), "")
    for b in body.blocks:
        for op in b.ops:
            if op.loc:
                return str(place_of(op.loc))
    return ""


def live_values(sim: Simulation, body: Body | None, frame: int, token: int) -> list[tuple[str, str, str]]:
    """Values saved in the frame at a resume point, as (name, type, value) texts."""
    if body is None or body.frame is None:
        return []
    out = []
    for v in body.live_in.get(token, ())[:32]:
        off = body.frame.slots.get(v.id)
        if off is None:
            continue
        n = min(v.ty.nbytes, 64)
        raw = bytes(sim.memory.u8[frame + off : frame + off + n])
        out.append((f"%{v.id}", repr(v.ty), hex(int.from_bytes(raw, "little"))))
    return out
