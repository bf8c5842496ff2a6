"""Descriptor tables and the host's view of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from world import World, both, cb, d

from wasmjit.sched.exports import EXPORTS, Signature, signatures
from wasmjit.sched.intrinsics import FakeMemory
from wasmjit.sched.tables import KernelTables
from wasmjit.sched.view import KernelView, records


def test_tables_are_laid_out_as_the_descriptors_say() -> None:
    t = KernelTables()
    a = t.nets.add(0x9000, 4, traced=True)
    b = t.nets.add_range([0x9008, 0x9010], [8, 1])
    p = t.procs.add(7, 0x8000, 0xA000, body=3, tier=1)
    q = t.procs.add(8, 0x8040, 0xA040, final=True)
    r = t.regions.add(9, 0x8080, 2, members=5)
    t.fanout.proc(a, q, 1)
    t.fanout.region(a, r)
    t.fanout.proc(a, p, 0)
    t.fanout.proc(a, q, 1)
    image = t.build()
    assert image.end == 4096 + t.size()
    mem = FakeMemory(1 << 16)
    image.write(mem.u8, guest_lo=0x8000, heap_base=0xB001, ring=(0xA800, 64), max_deltas=5, max_steps=1 << 40)
    v = KernelView(mem)
    procs, regions, nets = v.u32(cb.CB_PROCS), v.u32(cb.CB_REGIONS), v.u32(cb.CB_NETS)
    assert (v.u32(cb.CB_N_NETS), v.u32(cb.CB_N_STATIC), v.u32(cb.CB_N_REGIONS), v.u32(cb.CB_N_LEVELS)) == (3, 2, 1, 3)
    assert procs % 64 == 0 and v.u32(cb.CB_HEAP_BASE) == 0xB010 and v.u64(cb.CB_MAX_STEPS) == 1 << 40
    net = v.net_addr(a)
    assert [v.u32(net + o) for o in (d.N_ADDR, d.N_BYTES, d.N_FAN_COUNT, d.N_FLAGS)] == [0x9000, 4, 3, d.NF_LISTENED | d.NF_TRACED]
    fan = v.u32(net + d.N_FAN)
    assert [v.u32(fan + o) for o in range(0, 24, 4)] == [procs + d.P_SIZE, 2, regions + 1, 1 << d.SET_SHIFT, procs, 1]
    assert v.u32(v.net_addr(b + 1) + d.N_BYTES) == 1 and v.u32(v.net_addr(b) + d.N_FLAGS) == 0
    assert v.last_driver(b) == cb.NONE
    assert [v.u32(procs + o) for o in (d.P_FN, d.P_CTX, d.P_FRAME, d.P_BODY, d.P_COUNTER)] == [7, 0x8000, 0xA000, 3, cb.CB_C_ACT1]
    assert v.u32(procs + d.P_SIZE + d.P_FLAGS) == d.PF_FINAL
    assert v.u32(regions + d.R_LEVEL) == v.u32(cb.CB_LEVELS) + 2 * d.L_SIZE
    assert [v.u32(0xA040 + o) for o in (0, 4, 8, 12, 16)] == [0, 1, 0, 8, 0x8040]
    assert nets == net


def test_the_net_table_is_compact_and_a_base_must_be_aligned() -> None:
    t = KernelTables()
    assert t.size() == 0 and t.build().data == b""
    with pytest.raises(ValueError, match="multiple of 64"):
        t.build(4100)


def test_ids_out_of_range_are_refused_by_the_view() -> None:
    def scenario(w: World) -> None:
        w.net(1)
        w.build()
        for what in (w.view.net_addr, w.view.proc_addr, w.view.region_addr):
            with pytest.raises(IndexError):
                what(1)

    both(scenario)


def test_signatures_of_the_contract() -> None:
    i32, i64 = "i32", "i64"
    contract = {
        "k_drive": Signature((i32, i32, i32, i64, i64, i32, i32), ""),
        "k_drive_eps": Signature((i32, i32, i32, i64), ""),
        "k_drive_delta": Signature((i32, i32, i32, i64), ""),
        "k_drive_mem": Signature((i32, i32, i32, i32, i64, i32, i32), ""),
        "k_drive_bits": Signature((i32, i32, i32, i32, i64, i64, i32, i32), ""),
        "k_store_net": Signature((i32, i32, i32, i64), ""),
        "k_store_net_mem": Signature((i32, i32, i32, i32), ""),
        "k_net_changed": Signature((i32,), ""),
        "k_wait_set": Signature((i32, i32), ""),
        "k_wait_dyn": Signature((i32, i32, i32, i32, i32), ""),
        "k_wait_time": Signature((i32, i64, i32, i32), ""),
        "k_spawn": Signature((i32, i32, i32), i32),
        "k_frame_new": Signature((i32,), i32),
        "k_frame_free": Signature((i32,), ""),
        "k_alloc": Signature((i32,), i32),
        "k_free": Signature((i32,), ""),
        "k_run": Signature((i64, i64), i32),
    }
    assert {name: EXPORTS[name] for name in contract} == contract
    assert signatures([]) == {}


def test_code_of_processes_and_regions_can_be_swapped_and_tiers_are_counted() -> None:
    def scenario(w: World) -> None:
        n = w.net(1)
        w.region(lambda: w.log.append("region"), [n])

        def body():  # type: ignore[no-untyped-def]
            for _ in range(3):
                w.after(1)
                yield

        w.process(body)
        w.run(until=1)
        w.view.set_proc_code(0, 1, tier=2)
        w.view.set_region_code(0, 2)
        w.run()
        w.log.append(w.view.activations_by_tier())
        w.log.append((w.view.activations(0), w.view.evaluations(0)))

    assert both(scenario).log == ["region", (2, 0, 2, 0), (4, 1)]


def test_records_are_padded_to_eight_bytes() -> None:
    block = b"\x01\0\0\0\x03\0\0\0" + (77).to_bytes(8, "little") + (9).to_bytes(8, "little") + b"abc\0\0\0\0\0" + b"\x02\0\0\0\x08\0\0\0" + bytes(16) + b"ABCDEFGH"
    assert list(records(block)) == [(1, 77, 9, b"abc"), (2, 0, 0, b"ABCDEFGH")]


def test_control_block_fields_do_not_overlap() -> None:
    wide = {"CB_FS", "CB_TOP_FS", "CB_LEFT", "CB_MAX_STEPS", "CB_FAULT_ADDR", "CB_HEAP_USED", "CB_HEAP_PEAK"}
    areas = {"CB_HEAP_SL": 128, "CB_SMALL": 132, "CB_SMALL_BUMP": 264, "CB_BINS": 2048, "CB_SCRATCH": 64, "CB_USER": 384}
    spans = []
    for name, at in vars(cb).items():
        if name.startswith("CB_") and name not in ("CB_SIZE", "CB_USER_END"):
            size = areas.get(name, 8 if name in wide or name.startswith("CB_C_") else 4)
            spans.append((at, at + size, name))
            assert at % min(size, 8) == 0, name
    spans.sort()
    assert spans[0][0] >= 16 and spans[-1][1] <= cb.CB_SIZE
    for a, b in pairwise(spans):
        assert a[1] <= b[0], (a, b)
