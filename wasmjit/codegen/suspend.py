"""Suspension: entry and resume points of a body, what is saved in its frame and loaded from it, waits and calls of bodies that may suspend."""

from __future__ import annotations

from ..sem.mir import (
    CB_CUR,
    FRAME_CHILD,
    FRAME_CTX,
    FRAME_FN,
    FRAME_HEADER,
    FRAME_PROC,
    PROC_WSET,
    STATUS_DEOPT,
    STATUS_DONE,
    STATUS_WAIT,
    Block,
    CallS,
    Val,
    Wait,
)
from . import wasm as W
from .forms import Place, address, copy_code, in_memory
from .structure import BR_JUMP, Jump
from .values import Values
from .wasm import GET, SET, i32_const, i64_const, memarg


class Suspension(Values):
    """The part of an emitter that is about frames."""

    __slots__ = ()

    def epilogue(self) -> bytes:
        """Code that gives the shadow stack back, before every exit."""
        return GET.at(self.sp0) + b"\x24" + W.uleb(self.mod.sp) if self.uses_shadow else b""

    def _frame_slots(self) -> None:
        body = self.body
        assert body.frame is not None, f"{body.key}: a suspending body without a frame"
        seen: set[int] = set()
        for vid in self.saved:
            off = body.frame.slots[vid]
            if off in seen:
                self.shared_slots.add(off)
            seen.add(off)

    def _entry(self, n: int) -> Jump:
        if not self.body.suspending:
            return BR_JUMP
        flag = self.link.deopt_flag_addr
        if flag is not None:
            # A countdown: 0 is off; the activation that brings it to 0 goes to the interpreter, which sets it again.
            word = i32_const(0) + memarg(W.I32_LOAD, flag)
            self.out += word + b"\x04\x40" + i32_const(0) + word + i32_const(1) + b"\x6b" + memarg(W.I32_STORE, flag)
            self.out += word + b"\x45\x04\x40" + self.epilogue() + i32_const(STATUS_DEOPT) + b"\x0f\x0b\x0b"
        if self.link.ask_deopt:
            self.out += self.frame + self.mod.call("h", "forced") + b"\x04\x40" + self.epilogue() + i32_const(STATUS_DEOPT) + b"\x0f\x0b"
        if n == 1:
            return BR_JUMP
        token = self.frame + memarg(W.I32_LOAD, 0)
        return Jump("if", token + b"\x45") if n == 2 else Jump("table", token, range(n), 0)

    def _load_params(self) -> bytes:
        """Parameters of a suspending body, on its first activation."""
        code = b""
        for p in self.body.params:
            if not in_memory(p.ty) and self.uses.get(p.id):
                code += self._reload_value(p, self.params_in_frame[p.id])
        return code

    def _reload_value(self, v: Val, off: int) -> bytes:
        codes = self.load_codes(v.ty, Place(self.frame, off), True)
        return b"".join([c + SET.at(i) for c, i in zip(codes, self.locals_of(v), strict=True)])

    def _reload(self, b: Block) -> None:
        term = b.term
        assert isinstance(term, (Wait, CallS))
        frame = self.body.frame
        assert frame is not None
        for v in self.body.live_in[term.token]:
            off = self.params_in_frame.get(v.id)
            if off is None:
                off = frame.slots[v.id]
                if in_memory(v.ty):
                    place = self.slot_of.get(v.id)
                    if self.img[v.id] == place:  # a block parameter
                        if place != Place(self.frame, off):
                            self.copy(self.img[v.id], Place(self.frame, off), v.ty.nbytes)
                    else:
                        self.out += address(Place(self.frame, off)) + SET.at(self.locals_of(v)[0])
                    continue
            elif in_memory(v.ty):
                continue
            self.out += self._reload_value(v, off)

    def save(self, token: int) -> None:
        """Stores what lives at a resume point, and the token."""
        frame = self.body.frame
        assert frame is not None
        images: list[tuple[Place, frozenset[int], Val]] = []
        for v in self.body.live_in[token]:
            if v.id in self.params_in_frame:
                continue
            off = frame.slots[v.id]
            if in_memory(v.ty):
                images.append((Place(self.frame, off), frozenset((off * 2 + 1,)), v))
            else:
                self.out += self.store_leaf(Place(self.frame, off), v)
        self.out += self._save_images(images)
        self.out += self.frame + i32_const(token) + memarg(W.I32_STORE, 0)

    def _save_images(self, images: list[tuple[Place, frozenset[int], Val]]) -> bytes:
        if not images:
            return b""
        slots = frozenset().union(*(r for _, r, _ in images))
        first, code = b"", b""
        for dst, root, v in images:
            src = self.place(v)
            if src == dst:
                continue
            n = v.ty.nbytes
            if self.roots_of(v) & (slots - root):
                tmp = self.scratch_place(n)
                first += copy_code(tmp, src, n)
                code += copy_code(dst, tmp, n)
            elif root <= self.roots_of(v) and n > 64:
                # It may lie there already.
                code += address(src) + address(dst) + b"\x47\x04\x40" + copy_code(dst, src, n) + b"\x0b"
            else:
                code += copy_code(dst, src, n)
        return first + code

    def release_frame(self) -> None:
        """Frees the heap blocks of dynamic `alloca`s, chained in the frame."""
        from .calls import release_chain

        if self.body.suspending and self.mod.has_dynamic_alloca(self.body):
            release_chain(self)

    def proc(self) -> bytes:
        return self.frame + memarg(W.I32_LOAD, FRAME_PROC)

    def _wait(self, t: Wait) -> None:
        self.flush()
        # Operands first: the frame slots written by the save may be what they are computed from.
        calls = b""
        if t.sens is not None:
            # k_wait_set of the running process
            calls += i32_const(0) + memarg(W.I32_LOAD, CB_CUR) + i32_const(t.sens + 1) + memarg(W.I32_STORE, PROC_WSET)
        for ptr, size, edge in t.dyn:
            p = self.cheap(ptr)
            calls += self.proc() + p + i64_const(32) + b"\x88\xa7" + i32_const(1) + b"\x6b" + p + b"\xa7" + i32_const(size) + i32_const(edge)
            calls += self.mod.call("k", "k_wait_dyn")
        if t.time is not None and t.time[0].const and t.time[1].const == t.time[2].const == 0:
            calls += self.cheap(t.time[0]) + self.mod.call("k", "k_wait_fs")
        elif t.time is not None:
            calls += self.proc() + b"".join([self.cheap(v) for v in t.time]) + self.mod.call("k", "k_wait_time")
        self.save(t.token)
        self.out += calls + self.epilogue() + i32_const(STATUS_WAIT) + b"\x0f"

    def _call_node(self, b: Block) -> None:
        """Calls the child (again); on DONE its results become the parameters of the resume block."""
        t = b.term
        assert isinstance(t, CallS)
        out = self.out
        child, _, tee = self.temp(W.I32)
        status, _, tee_status = self.temp(W.I32)
        out += self.frame + memarg(W.I32_LOAD, FRAME_CHILD) + tee + memarg(W.I32_LOAD, FRAME_CTX) + child
        out += child + memarg(W.I32_LOAD, FRAME_FN) + self.mod.call_indirect((W.I32, W.I32), (W.I32,))
        out += tee_status + i32_const(STATUS_DONE) + b"\x47\x04\x40" + self.epilogue() + status + b"\x0f\x0b"
        args = t.args if t.site is None else t.args[1:]
        at = FRAME_HEADER + sum((a.ty.nbytes + 7) & ~7 for a in args)
        for p in t.resume.params:
            if self.uses.get(p.id):
                if in_memory(p.ty):
                    self.copy(self.img[p.id], Place(child, at), p.ty.nbytes)
                else:
                    codes = self.load_codes(p.ty, Place(child, at), True)
                    out += b"".join([c + SET.at(i) for c, i in zip(codes, self.locals_of(p), strict=True)])
            at += (p.ty.nbytes + 7) & ~7
        out += self.frame + i32_const(0) + memarg(W.I32_STORE, FRAME_CHILD) + child + self.mod.call("k", "k_frame_free")
