"""Coverage, objections, reports, C functions, the registry."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import pytest
from fake_runtime import FakeRuntime

from wasmjit.runtime.moore.clib import printf
from wasmjit.runtime.moore.coverage import KIND_IGNORE, Bin, BinsOf, Covergroup, Coverpoint, Cross, CrossBin
from wasmjit.runtime.services import LETTER_TYPES, SignatureMismatch, SimFault, all_services, bind, lookup
from wasmjit.sem.lower.runtime import RUNTIME_CALLS
from wasmjit.sem.mir import F64, I32, I64, I, Ty


def test_every_function_of_the_table_is_provided() -> None:
    table = Path(__file__).parents[4] / "shared" / "design" / "runtime-functions.tsv"
    recorded = (Path(__file__).parent / "runtime_names.txt").read_text().split()
    names = set(recorded)
    if table.exists():
        names |= set(re.findall(r"@__moore_(\w+)\(", re.sub(r"internal @\w+", "", table.read_text())))
    missing = {n for n in names if lookup(f"__moore_{n}") is None and f"__moore_{n}" not in RUNTIME_CALLS}
    assert not missing


def test_signatures_are_those_that_designs_declare() -> None:
    letters = {
        "!llvm.ptr": "p",
        "!ptr": "p",
        "i64": "l",
        "!i64": "l",
        "i32": "i",
        "!i32": "i",
        "i16": "s",
        "i8": "c",
        "i1": "b",
        "!i1": "b",
        "f64": "d",
        "!llvm.struct<(ptr, i64)>": "pl",
    }
    declared = (Path(__file__).parent / "runtime_signatures.txt").read_text().splitlines()
    assert len(declared) > 150
    for line in declared:
        name, params, results = re.fullmatch(r"@(\w+)\((.*?)\)(?: -> (.+))?", line).groups()  # type: ignore[union-attr]
        found = lookup(name)
        if name in RUNTIME_CALLS and found is None:
            continue  # lowered to operations or to calls of the kernel
        assert found is not None, name
        want = "".join(letters[p] for p in re.findall(r"!llvm\.struct<\(ptr, i64\)>|[!\w.]+", params))
        types = [LETTER_TYPES[c] for c in want]
        outs = [] if not results or results == "()" else [LETTER_TYPES[c] for c in letters.get(results, "")] or [I(128)]
        bind(found, types, outs)


def test_unknown_names_are_not_found() -> None:
    assert lookup("__moore_no_such_function") is None
    assert len(all_services()) > 200


def test_binding_adapts_widths_and_packed_results(rt: FakeRuntime) -> None:
    concat = lookup("__moore_string_concat")
    assert concat is not None
    a, b = rt.string(b"ab"), rt.string(b"cd")
    (packed,) = bind(concat, (I64, I64), (I(128),))(rt, a, b)
    assert rt.read(packed & (1 << 64) - 1, packed >> 64) == b"abcd"
    addr, n = bind(concat, (I64, I64), (I64, I64))(rt, a, b)
    assert n == 4 and rt.read(addr, 4) == b"abcd"
    assert bind(concat, (I64, I64), ())(rt, a, b) == ()
    length = lookup("__moore_string_len")
    assert length is not None
    assert bind(length, (I64,), (I64,))(rt, a) == (2,)
    for params, results in (((I64,), (I64, I64)), ((F64, I64), (I64, I64)), ((I64, I64), (I64,))):
        with pytest.raises(SignatureMismatch):
            bind(concat, params, results)


def test_binding_truncates_wide_arguments(rt: FakeRuntime) -> None:
    getc = lookup("__moore_string_getc")
    assert getc is not None
    wide: tuple[Ty, ...] = (I64, I64)
    assert bind(getc, wide, (I32,))(rt, rt.string(b"ab"), (7 << 32) | 1) == (ord("b"),)


# -- coverage ----------------------------------------------------------------------------------------------------------------------


def covergroup(rt: FakeRuntime, points: list[tuple[bytes, int]]) -> int:
    cg = rt.call("__moore_covergroup_create", rt.data(b"cg\0"), len(points))
    for i, (name, width) in enumerate(points):
        rt.call("__moore_coverpoint_init_with_width", cg, i, rt.data(name + b"\0"), width)
    return cg  # type: ignore[no-any-return]


def sample(rt: FakeRuntime, cg: int, *values: int, mask: bytes | None = None) -> None:
    for i, v in enumerate(values):
        if mask is None or mask[i]:
            rt.call("__moore_coverpoint_sample", cg, i, v)
    rt.call(
        "__moore_cross_sample_masked",
        cg,
        rt.data(struct.pack(f"<{len(values)}q", *values)),
        rt.data(mask or b"\1" * len(values)),
        len(values),
    )


def test_explicit_bins(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"cp", 8)])
    for name, low, high in ((b"low\0", 0, 9), (b"high\0", 10, 19)):
        rt.call("__moore_coverpoint_add_bin", cg, 0, rt.data(name), 1, low, high)
    seen = [rt.call("__moore_coverpoint_get_inst_coverage", cg, 0)]
    for v in (5, 15):
        sample(rt, cg, v)
        seen.append(rt.call("__moore_coverpoint_get_coverage", cg, 0))
    assert seen == [0.0, 50.0, 100.0]
    assert rt.call("__moore_covergroup_get_inst_coverage", cg) == 100.0


def test_at_least_counts_hits_per_bin(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"cp", 8)])
    rt.call("__moore_coverpoint_set_at_least", cg, 0, 2)
    rt.call("__moore_coverpoint_add_bin", cg, 0, rt.data(b"b\0"), 0, 7, 7)
    sample(rt, cg, 7)
    assert rt.call("__moore_covergroup_get_inst_coverage", cg) == 0.0
    sample(rt, cg, 7)
    assert rt.call("__moore_covergroup_get_inst_coverage", cg) == 100.0


def test_auto_bins_are_values_or_parts_of_the_range() -> None:
    narrow = Coverpoint("n", 4)
    for v in range(8):
        narrow.sample(v)
    assert narrow.coverage() == 50.0
    wide = Coverpoint("w", 8)
    for v in range(128):
        wide.sample(v)
    assert wide.covered(1) == (32, 64)
    narrow.ignore.append(Bin("skip", 1, 8, 15))
    assert narrow.coverage() == 100.0


def test_bins_whose_values_are_all_ignored_do_not_count() -> None:
    """§19.5.5: bins a[] = {[0:3]}, bins b = {[4:9]}, bins c = {[5:6]} without 2 and 5..7."""
    point = Coverpoint("p", 8, [*(Bin("a", 0, v, v) for v in range(4)), Bin("b", 1, 4, 9), Bin("c", 1, 5, 6)])
    point.ignore += [Bin("i", 0, 2, 2), Bin("j", 1, 5, 5)]
    point.illegal.append(Bin("k", 1, 6, 7))
    assert point.covered(1) == (0, 4)
    for v in (0, 1, 2, 3, 5, 9):
        point.sample(v)
    assert point.covered(1) == (4, 4) and point.coverage() == 100.0
    cross = Cross("x", (0, 1))
    other = Coverpoint("o", 1)
    assert cross.covered([point, other], 1) == (0, 8)
    point.ignore.append(Bin("w", 2, 0, 1))  # wildcard: 0 and 1
    assert point.covered(1) == (2, 2)


def test_illegal_and_ignored_values(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"cp", 2)])
    rt.call("__moore_coverpoint_add_illegal_bin", cg, 0, rt.data(b"bad\0"), 3, 3)
    rt.call("__moore_coverpoint_add_ignore_bin", cg, 0, rt.data(b"skip\0"), 2, 2)
    for v in (0, 2, 3):
        sample(rt, cg, v)
    assert rt.call("__moore_coverpoint_get_coverage", cg, 0) == 50.0
    assert rt.levels == ["error"] and "illegal bin hit" in rt.warnings[0]


def make_cross(rt: FakeRuntime, cg: int, *points: int) -> int:
    return rt.call("__moore_cross_create", cg, rt.data(b"x\0"), rt.data(struct.pack(f"<{len(points)}i", *points)), len(points))  # type: ignore[no-any-return]


def test_crosses_count_combinations_seen(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"a", 32), (b"b", 32), (b"c", 32), (b"d", 32)])
    ab, cd = make_cross(rt, cg, 0, 1), make_cross(rt, cg, 2, 3)
    assert rt.call("__moore_cross_get_coverage", cg, ab) == 0.0
    for i in range(4):
        sample(rt, cg, i, i, i, 3 - i)
    assert rt.call("__moore_cross_get_inst_coverage", cg, ab) == 25.0
    assert rt.call("__moore_cross_get_inst_coverage", cg, cd) == 25.0
    assert rt.call("__moore_cross_get_bins_hit", cg, cd) == 4


def test_a_masked_coverpoint_keeps_its_crosses_from_sampling(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"a", 8), (b"b", 8), (b"c", 8)])
    ab, bc = make_cross(rt, cg, 0, 1), make_cross(rt, cg, 1, 2)
    sample(rt, cg, 9, 1, 2, mask=b"\0\1\1")
    assert rt.call("__moore_cross_get_bins_hit", cg, ab) == 0
    assert rt.call("__moore_cross_get_bins_hit", cg, bc) == 1


def test_named_cross_bins_filter_by_binsof(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"a", 32), (b"b", 32)])
    x = make_cross(rt, cg, 0, 1)

    def named(kind: int, values: list[int], ranges: list[tuple[int, int]], negate: int = 0) -> None:
        v, r = rt.data(struct.pack(f"<{len(values)}q", *values)), rt.data(b"".join(struct.pack("<2q", *p) for p in ranges))
        filters = b"".join(struct.pack("<i4xQi4xQi4xQiB3x", i, 0, 0, v, len(values), r, len(ranges), negate) for i in (0, 1))
        rt.call("__moore_cross_add_named_bin", cg, x, rt.data(b"n\0"), kind, rt.data(filters), 2)

    named(0, [0, 1], [])
    named(1, [], [(5, 6)])
    named(2, [9], [])
    for a, b in ((0, 1), (5, 6), (9, 9), (3, 3)):
        sample(rt, cg, a, b)
    assert rt.call("__moore_cross_get_named_bin_hits", cg, x, 0) == 1
    assert rt.call("__moore_cross_get_bins_hit", cg, x) == 2
    assert rt.levels == ["error"]


def test_cross_bins_take_their_combinations_out_of_the_automatic_ones() -> None:
    cps = [Coverpoint("a", 2), Coverpoint("b", 2)]
    cross = Cross("x", (0, 1), [CrossBin("same", 0, (BinsOf(0, values=(0,)), BinsOf(1, values=(0,))))])
    for v in (0, 1):
        for c in cps:
            c.sample(v)
        cross.sample(cps, (v, v))
    assert cross.covered(cps, 1) == (2, 16)
    cross.bins.append(CrossBin("none", KIND_IGNORE, (BinsOf(0, ranges=((2, 3),)),)))
    assert cross.covered(cps, 1) == (2, 8)
    assert cross.of_seen(cps, 1) == 50.0


def four_bins(name: str, ranges: list[tuple[int, int]]) -> Coverpoint:
    return Coverpoint(name, 8, [Bin(f"{name}{i}", 1, a, b) for i, (a, b) in enumerate(ranges)])


def shift_and_add(cross: Cross) -> Covergroup:
    """The stimulus of the tests of verilator-verification/functional-coverage: foo += 2 and bar <<= 1, sampled before each change."""
    group = Covergroup("cg", [four_bins("f", [(0, 0), (1, 1), (2, 2), (4, 4)]), four_bins("b", [(0, 31), (32, 63), (64, 95), (96, 127)])], [cross])
    foo = bar = 0
    for _ in range(16):
        for p, v in zip(group.points, (foo, bar), strict=True):
            p.sample(v)
        cross.sample(group.points, (foo, bar))
        foo, bar = (foo + 2) % 16, bar << 1 & 255 or 1
    return group


def test_a_bin_of_a_cross_is_one_bin_and_the_rest_stay_automatic() -> None:
    cross = Cross("x", (0, 1), [CrossBin("b", 0, (BinsOf(1, ranges=((32, 95),)),))])
    group = shift_and_add(cross)
    assert cross.covered(group.points, 1) == (3, 9)
    assert group.coverage() == pytest.approx((75 + 75 + 100 / 3) / 3)


def test_a_cross_without_bins_that_count_takes_no_part_in_the_mean() -> None:
    cross = Cross("x", (0, 1), [CrossBin("foo", KIND_IGNORE, (BinsOf(0),))])
    group = shift_and_add(cross)
    assert cross.covered(group.points, 1) == (0, 0)
    assert group.coverage() == 75.0


def test_crosses_of_wide_coverpoints_are_counted_without_listing_them() -> None:
    cps = [Coverpoint("a", 32), Coverpoint("b", 32), Coverpoint("c", 32)]
    cross = Cross("x", (0, 1, 2), [CrossBin("low", 0, (BinsOf(0, ranges=((0, (1 << 31) - 1),)),))])
    cross.sample(cps, (1, 2, 3))
    cross.sample(cps, (1 << 31, 2, 3))
    cross.sample(cps, (1 << 31 | 5, 7, 9))
    assert cross.covered(cps, 1) == (2, 32 * 64 * 64 + 1)


def test_bins_with_negative_bounds_take_samples_as_signed() -> None:
    cp = Coverpoint("s", 32, [Bin("neg", 1, -8, -1), Bin("around", 1, -1, 1), Bin("pos", 1, 0, 7)])
    for v in (0xFFFF_FFFF, 0xFFFF_FFF8, 0, -1):
        cp.sample(v)
    assert [b.hits for b in cp.bins] == [3, 3, 1]


def test_bins_of_an_array_are_told_apart_by_their_values() -> None:
    cp = Coverpoint("p", 8, [Bin("one", 0, 1, 1), Bin("b", 0, 2, 2), Bin("b", 1, 4, 7)])
    assert cp.bin_names() == ["one", "b[2]", "b[4:7]"]


def test_the_report_names_groups_points_and_hits(rt: FakeRuntime) -> None:
    assert rt.host.coverage.report() == ""
    cg = covergroup(rt, [(b"cp_addr", 4), (b"cp_we", 1)])
    sample(rt, cg, 3, 1)
    report = rt.host.coverage.report()
    assert "Coverage Report" in report and "Covergroup: cg" in report
    assert "cp_addr: 1 hits, 1/16 bins, 6.25%" in report and "cp_we: 1 hits" in report
    assert rt.call("__moore_coverage_get_total") == pytest.approx((100 / 16 + 50) / 2)


def test_coverage_control(rt: FakeRuntime) -> None:
    cg = covergroup(rt, [(b"cp", 1)])
    assert rt.call("__moore_coverage_control", 2, 1) == 1
    sample(rt, cg, 0)
    assert rt.call("__moore_coverpoint_get_coverage", cg, 0) == 0.0
    assert rt.call("__moore_coverage_control", 1, 1) == 1
    sample(rt, cg, 0)
    assert rt.call("__moore_coverpoint_get_coverage", cg, 0) == 50.0
    assert rt.call("__moore_coverage_control", 3, 1) == 1
    assert rt.call("__moore_coverpoint_get_coverage", cg, 0) == 0.0
    assert rt.call("__moore_coverage_control", 9, 1) != 1
    assert rt.call("__moore_coverage_get_max", 1) == 2


@pytest.mark.parametrize("handle", [0, 5, 1 << 40])
def test_what_is_no_covergroup_is_a_fault(rt: FakeRuntime, handle: int) -> None:
    with pytest.raises(SimFault):
        rt.call("__moore_coverpoint_sample", handle, 0, 1)
    cg = covergroup(rt, [(b"cp", 1)])
    with pytest.raises(SimFault):
        rt.call("__moore_coverpoint_sample", cg, 1, 1)
    with pytest.raises(SimFault):
        rt.call("__moore_cross_get_coverage", cg, 0)


# -- synchronisation ---------------------------------------------------------------------------------------------------------------


def test_objections(rt: FakeRuntime) -> None:
    h = rt.call("__moore_objection_create", 0, 0)
    rt.call("__moore_objection_raise", h, 0, 0, 0, 0, 2)
    rt.call("__moore_objection_drop", h, 0, 0, 0, 0, 1)
    assert rt.call("__moore_objection_get_count", h) == 1
    rt.call("__moore_objection_drop", h, 0, 0, 0, 0, 1)
    assert rt.call("__moore_objection_is_zero", h) == 1
    with pytest.raises(SimFault):
        rt.call("__moore_objection_raise", 99, 0, 0, 0, 0, 1)


def test_casts_follow_the_parent_table(rt: FakeRuntime) -> None:
    rt.rtti_parents = [0, 0, 1, 2, 1]

    def ok(a: int, b: int) -> int:
        return rt.call("__moore_dyn_cast_check", a, b, 1)  # type: ignore[no-any-return]

    assert [ok(3, 3), ok(3, 2), ok(3, 1), ok(3, 4), ok(1, 3), ok(0, 0), ok(99, 1), ok(-1, 1)] == [1, 1, 1, 0, 0, 0, 0, 0]
    rt.rtti_parents = [0, 2, 1]
    assert ok(1, 5) == 0, "a cyclic table ends too"


# -- reports and C -----------------------------------------------------------------------------------------------------------------


def test_severities_count_and_print_what_they_are_given(rt: FakeRuntime) -> None:
    rt.call("__moore_error", 0)
    rt.call("__moore_warning", rt.string(b"look"))
    assert rt.levels == ["error", "warning"] and rt.printed == b"Warning: look\n"


def test_uvm_reports(rt: FakeRuntime) -> None:
    rt.now_fs = 5_000_000
    rt.call("__moore_uvm_report_info", rt.data(b"TEST"), 4, rt.data(b"Hello"), 5, 200, rt.data(b"t.sv"), 4, 10, rt.data(b"ctx"), 3)
    rt.call("__moore_uvm_report_fatal", rt.data(b"F"), 1, rt.data(b"end"), 3, 0, 0, 0, 0, 0, 0)
    assert rt.printed == b"UVM_INFO t.sv(10) @ 5: ctx [TEST] Hello\nUVM_FATAL @ 5: reporter [F] end\n"
    assert rt.levels == ["info", "fatal"] and rt.code == 1


def test_system_is_refused_unless_allowed(rt: FakeRuntime) -> None:
    assert rt.call("__moore_system", rt.string(b"echo hi")) == (1 << 32) - 1
    assert "refused" in rt.warnings[0] and not rt.printed
    rt.allow_system = True
    assert rt.call("__moore_system", rt.string(b"echo hi; exit 3")) == 3
    assert rt.printed == b"hi\n"


def test_c_memory_and_string_functions(rt: FakeRuntime) -> None:
    a = rt.call("malloc", 8)
    rt.call("memset", a, 0x41, 8)
    assert rt.read(a, 8) == b"A" * 8
    b = rt.call("calloc", 2, 8)
    rt.call("memcpy", b, a, 3)
    assert rt.call("strlen", b) == 3 and rt.call("strcmp", b, rt.data(b"AAA\0")) == 0
    assert rt.call("strncmp", a, b, 3) == 0 and rt.call("memcmp", a, b, 4) == 1
    rt.call("memmove", a + 1, a, 7)
    rt.call("strcpy", a, rt.data(b"hi\0"))
    assert rt.call("puts", a) == 0 and rt.call("putchar", 33) == 33
    assert rt.printed == b"hi\n!"
    rt.call("free", 0)
    rt.call("free", a)
    with pytest.raises(SimFault):
        rt.call("free", a)
    with pytest.raises(SimFault):
        rt.call("malloc", -1)
    with pytest.raises(SimFault):
        rt.call("memcpy", 5, a, 3)


def test_printf(rt: FakeRuntime) -> None:
    n = printf(
        rt, rt.data(b"%d|%5u|%-4x|%ld|%s|%c|%.2f|%%|%p\n\0"), [(1 << 32) - 1, 7, 255, (1 << 64) - 2, rt.data(b"str\0"), 65, 2.5, 4096]
    )
    assert rt.printed == b"-1|    7|ff  |-2|str|A|2.50|%|0x1000\n" and n == len(rt.printed)


def test_mathematics_has_ieee_results_at_the_edges(rt: FakeRuntime) -> None:
    assert rt.call("sqrt", 2.0) == math.sqrt(2.0) and math.isnan(rt.call("sqrt", -1.0))
    assert rt.call("log", 0.0) == -math.inf and math.isnan(rt.call("log", -1.0))
    assert rt.call("exp", 1e6) == math.inf and rt.call("pow", 0.0, -1.0) == math.inf
    assert math.copysign(1.0, rt.call("ceil", -0.5)) == -1.0
    assert rt.call("floor", -0.5) == -1.0 and rt.call("floor", math.inf) == math.inf
    assert rt.call("atan2", 1.0, -1.0) == math.atan2(1.0, -1.0) and math.isnan(rt.call("fmod", 1.0, 0.0))


def test_uvm_regular_expressions_and_globs(rt: FakeRuntime) -> None:
    result = rt.data(bytes(4))

    def match(pattern: bytes, subject: bytes, glob: int) -> int | None:
        p, s = rt.data(pattern), rt.data(subject)
        ok = rt.call("uvm_re_compexecfree", p, len(pattern), s, len(subject), glob, result, 0)
        return rt.ld(result, 4) if ok else None

    assert [match(b"top.*.a[1]", s, 1) for s in (b"top.x.a[1]", b"top.a[1]", b"topx.y.a[1]")] == [0, 1, 1]
    assert [match(b"a?c+", s, 1) for s in (b"abcd", b"abc")] == [0, 1]
    assert [match(b"/^a(b|c)+$/", s, 0) for s in (b"abcb", b"ad")] == [0, 1]
    assert match(b"[[:digit:]]x", b"..7x..", 0) == 0
    assert match(b"a(", b"a", 0) is None
    assert b"invalid regular expression" in rt.text("uvm_re_buffer")
    assert rt.text("uvm_re_deglobbed", rt.data(b"a.*"), 3, 1) == rb"/^a\..*$/"
    assert rt.text("uvm_re_deglobbed", rt.data(b"/a.*/"), 5, 1) == b"/a.*/"


def test_uvm_arguments_come_one_by_one(rt: FakeRuntime) -> None:
    rt.plusargs = ["UVM_TESTNAME=t", "x"]
    assert [rt.text("uvm_dpi_get_next_arg_c", i) for i in (1, 0, 0)] == [b"+UVM_TESTNAME=t", b"+x", b""]
    assert rt.text("uvm_dpi_get_next_arg_c", 1) == b"+UVM_TESTNAME=t"
    assert rt.text("uvm_dpi_get_tool_name_c") == b"wasmjit" and rt.text("uvm_dpi_get_tool_version_c")
