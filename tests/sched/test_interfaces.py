"""Interfaces: module-level memory as a net, continuous assignments to fields, handles in ports."""

from __future__ import annotations

from class_runs import run

L = "!hw.struct<value: i1, unknown: i1>"
S = "!llvm.struct<(i1, i1)>"
BUS = '!llvm.struct<"interface.bus", (struct<(i1, i1)>, struct<(i1, i1)>)>'
HEAD = f"""
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %step = hw.constant 1000000 : i64
      %true = hw.constant true
      %false = hw.constant false
      %undef = llvm.mlir.undef : {S}
      %b0 = hw.aggregate_constant [false, false] : {L}
      %b1 = hw.aggregate_constant [true, false] : {L}
      %bz = hw.aggregate_constant [true, true] : {L}
      %nl = sim.fmt.literal "\\0A"
      %s00 = llvm.insertvalue %false, %undef[0] : {S}
      %s0 = llvm.insertvalue %false, %s00[1] : {S}
      %s10 = llvm.insertvalue %true, %undef[0] : {S}
      %s1 = llvm.insertvalue %false, %s10[1] : {S}
      %sz = llvm.insertvalue %true, %s10[1] : {S}
"""
INTERFACE = """
      %size = llvm.mlir.constant(4 : i64) : i64
      %mem = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
      %bus = llhd.sig %mem : !llvm.ptr
"""
MALLOC = "llvm.func @malloc(i64) -> !llvm.ptr\n"


def field(name: str, handle: str, index: int) -> str:
    return f"%{name} = llvm.getelementptr %{handle}[0, {index}] : (!llvm.ptr) -> !llvm.ptr, {BUS}\n"


def wait(n: int) -> str:
    return f"""
      %t{n} = llhd.int_to_time %step
      llhd.wait delay %t{n}, ^bb{n}
    ^bb{n}:
"""


def show(n: int, index: int, port: str = "bus") -> str:
    return f"""
      %h{n} = llhd.prb %{port} : !llvm.ptr
      {field(f"g{n}", f"h{n}", index)}
      %l{n} = llvm.load %g{n} : !llvm.ptr -> {S}
      %v{n} = llvm.extractvalue %l{n}[0] : {S}
      %u{n} = llvm.extractvalue %l{n}[1] : {S}
      %st{n} = hw.struct_create (%v{n}, %u{n}) : {L}
      %i{n} = hw.bitcast %st{n} : ({L}) -> i2
      %f{n} = sim.fmt.bin %i{n} fourStateWidth 1 : i2
      %c{n} = sim.fmt.concat (%f{n}, %nl)
      sim.proc.print %c{n}
"""


def put(n: str, index: int, value: str, port: str = "bus") -> str:
    return f"""
      %ph{n} = llhd.prb %{port} : !llvm.ptr
      {field(f"pf{n}", f"ph{n}", index)}
      llvm.store %{value}, %pf{n} : {S}, !llvm.ptr
"""


COPY_FIELD = f"""
      %cb = llhd.prb %bus : !llvm.ptr
      {field("c0", "cb", 0)}
      {field("c1", "cb", 1)}
      %cl = llvm.load %c0 : !llvm.ptr -> {S}
      %cv = llvm.extractvalue %cl[0] : {S}
      %cu = llvm.extractvalue %cl[1] : {S}
      %ci = llvm.insertvalue %cv, %undef[0] : {S}
      %cj = llvm.insertvalue %cu, %ci[1] : {S}
      llvm.store %cj, %c1 : {S}, !llvm.ptr
"""
"""`assign bus.f1 = bus.f0` inside the interface."""


def test_a_continuous_assignment_follows_stores_to_the_field_it_reads() -> None:
    text = f"""{MALLOC} hw.module @t() {{ {HEAD} {INTERFACE} {COPY_FIELD}
      llhd.process {{ {put("a", 0, "s1")} {show(1, 1)} {wait(1)} {show(2, 1)}
        {put("b", 0, "sz")} {wait(2)} {show(3, 1)}
        llhd.halt
      }}
    }}"""
    # The assignment acts when the storing process suspends, not in the middle of it.
    assert run(text).out.split() == ["0", "1", "z"]


def test_a_field_read_at_module_level_drives_a_signal_and_an_instance() -> None:
    text = f"""{MALLOC}
    hw.module private @not(in %a : i1, out y : i1) {{
      %true = hw.constant true
      %y = comb.xor %a, %true : i1
      hw.output %y : i1
    }}
    hw.module @t() {{ {HEAD} {INTERFACE}
      %hm = llhd.prb %bus : !llvm.ptr
      {field("f0", "hm", 0)}
      %ld = llvm.load %f0 : !llvm.ptr -> {S}
      %value = llvm.extractvalue %ld[0] : {S}
      %y = hw.instance "n" @not(a: %value: i1) -> (y: i1)
      llhd.process {{ {put("a", 0, "s0")} {wait(1)}
        %f1 = sim.fmt.bin %y : i1
        sim.proc.print %f1
        {put("b", 0, "s1")} {wait(2)}
        %f2 = sim.fmt.bin %y : i1
        sim.proc.print %f2
        llhd.halt
      }}
    }}"""
    assert run(text, tops=["t"]).out == "10"


def test_initial_values_of_fields_are_stored_once() -> None:
    text = f"""{MALLOC} hw.module @t() {{ {HEAD} {INTERFACE}
      %hm = llhd.prb %bus : !llvm.ptr
      {field("f0", "hm", 0)}
      llvm.store %s1, %f0 : {S}, !llvm.ptr
      llhd.process {{ {show(1, 0)} {put("a", 0, "sz")} {wait(1)} {show(2, 0)}
        llhd.halt
      }}
    }}"""
    assert run(text).out.split() == ["1", "z"]


def test_a_process_of_another_module_waits_on_a_field_through_its_port() -> None:
    text = f"""{MALLOC}
    hw.module private @watch(in %bus : !llhd.ref<!llvm.ptr>) attributes {{vpi.all_vars = {{}}}} {{ {HEAD}
      %seen = sim.fmt.literal "rose\\0A"
      llhd.process {{
        cf.br ^bb1
      ^bb1:
        %h1 = llhd.prb %bus : !llvm.ptr
        {field("f1", "h1", 0)}
        %l1 = llvm.load %f1 : !llvm.ptr -> {S}
        %v1 = llvm.extractvalue %l1[0] : {S}
        llhd.wait ^bb2
      ^bb2:
        %h2 = llhd.prb %bus : !llvm.ptr
        {field("f2", "h2", 0)}
        %l2 = llvm.load %f2 : !llvm.ptr -> {S}
        %v2 = llvm.extractvalue %l2[0] : {S}
        %low = comb.xor %v1, %true : i1
        %rose = comb.and %low, %v2 : i1
        cf.cond_br %rose, ^bb3, ^bb1
      ^bb3:
        sim.proc.print %seen
        cf.br ^bb1
      }}
    }}
    hw.module @t() attributes {{vpi.all_vars = {{}}}} {{ {HEAD} {INTERFACE}
      hw.instance "w" @watch(bus: %bus: !llhd.ref<!llvm.ptr>) -> ()
      llhd.process {{ {wait(1)} {put("a", 0, "s1")} {wait(2)} {put("b", 0, "s0")} {put("o", 1, "s1")} {wait(3)} {put("c", 0, "s1")}
        llhd.halt
      }}
    }}"""
    assert run(text, tops=["t"]).out.split() == ["rose", "rose"]


def test_two_instances_have_memory_of_their_own() -> None:
    text = f"""{MALLOC}
    hw.module private @one(in %go : i1) {{ {HEAD} {INTERFACE} {COPY_FIELD}
      llhd.process {{ {wait(1)}
        cf.cond_br %go, ^bb2, ^bb3
      ^bb2:
        {put("a", 0, "s1")}
        cf.br ^bb3
      ^bb3:
        {wait(4).replace("%t4", "%t5")} {show(1, 1)}
        llhd.halt
      }}
    }}
    hw.module @t() {{
      %true = hw.constant true
      %false = hw.constant false
      hw.instance "a" @one(go: %false: i1) -> ()
      hw.instance "b" @one(go: %true: i1) -> ()
    }}"""
    assert run(text, tops=["t"]).out.split() == ["0", "1"]


def test_an_inout_connection_is_one_net() -> None:
    """A field with a tri-state driver tied to a pulled-up net: the field shows the net, and releasing the driver releases the net."""
    text = f"""{MALLOC} hw.module @t() {{ {HEAD} {INTERFACE}
      %drive = llhd.sig %bz : {L}
      %hm = llhd.prb %bus : !llvm.ptr
      {field("f0", "hm", 0)}
      %dv = llhd.prb %drive : {L}
      %value = hw.struct_extract %dv["value"] : {L}
      %unknown = hw.struct_extract %dv["unknown"] : {L}
      %i0 = llvm.insertvalue %value, %undef[0] : {S}
      %i1 = llvm.insertvalue %unknown, %i0[1] : {S}
      llvm.store %i1, %f0 : {S}, !llvm.ptr
      %net = llhd.sig %b0 : {L}
      llhd.drv %net, %b1 after %eps strength(highz, pull) : {L}
      %np = llhd.prb %net : {L}
      llhd.process {{
        cf.br ^bb1
      ^bb1:
        %q = llhd.prb %net : {L}
        %qv = hw.struct_extract %q["value"] : {L}
        %qi = llvm.insertvalue %qv, %undef[0] : {S}
        %qu = hw.struct_extract %q["unknown"] : {L}
        %qj = llvm.insertvalue %qu, %qi[1] : {S}
        llvm.store %qj, %f0 : {S}, !llvm.ptr
        llhd.wait (%np : {L}), ^bb1
      }}
      %bl = llvm.load %f0 : !llvm.ptr -> {S}
      %bv = llvm.extractvalue %bl[0] : {S}
      %bu = llvm.extractvalue %bl[1] : {S}
      %bs = hw.struct_create (%bv, %bu) : {L}
      llhd.drv %net, %bs after %eps : {L}
      llhd.process {{ {wait(1)} {show(1, 0)}
        llhd.drv %drive, %b0 after %eps : {L} {wait(2)} {show(2, 0)}
        llhd.drv %drive, %bz after %eps : {L} {wait(3)} {show(3, 0)}
        llhd.halt
      }}
    }}"""
    assert run(text).out.split() == ["1", "0", "1"]


def test_two_assignments_of_one_field_are_resolved() -> None:
    text = f"""{MALLOC} hw.module @t() {{ {HEAD} {INTERFACE}
      %a = llhd.sig %false : i1
      %b = llhd.sig %false : i1
      %hm = llhd.prb %bus : !llvm.ptr
      {field("f0", "hm", 0)}
      %ap = llhd.prb %a : i1
      %bp = llhd.prb %b : i1
      %na = comb.xor %ap, %true : i1
      %nb = comb.xor %bp, %true : i1
      %x0 = llvm.insertvalue %na, %undef[0] : {S}
      %x1 = llvm.insertvalue %na, %x0[1] : {S}
      %y0 = llvm.insertvalue %nb, %undef[0] : {S}
      %y1 = llvm.insertvalue %nb, %y0[1] : {S}
      llvm.store %x1, %f0 : {S}, !llvm.ptr
      llvm.store %y1, %f0 : {S}, !llvm.ptr
      llhd.process {{ {wait(1)} {show(1, 0)}
        llhd.drv %a, %true after %eps : i1 {wait(2)} {show(2, 0)}
        llhd.drv %a, %false after %eps : i1 {wait(3)} {show(3, 0)}
        llhd.drv %b, %true after %eps : i1 {wait(4)} {show(4, 0)}
        llhd.halt
      }}
    }}"""
    # Each driver pulls low while its enable is set (value and unknown both 0), and is z otherwise.
    assert run(text).out.split() == ["z", "0", "z", "0"]


def test_ports_of_one_name_are_wired_by_position() -> None:
    text = f"""{MALLOC}
    hw.module private @use(in %bus : !llhd.ref<!llvm.ptr>, in %bus_0 bus : !llhd.ref<!llvm.ptr>) {{ {HEAD}
      llhd.process {{ {show(1, 0)} {show(2, 0, "bus_0")}
        llhd.halt
      }}
    }}
    hw.module @t() {{ {HEAD} {INTERFACE}
      %mem2 = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
      %bus2 = llhd.sig %mem2 : !llvm.ptr
      {field("f0", "mem2", 0)}
      llvm.store %s1, %f0 : {S}, !llvm.ptr
      hw.instance "u" @use(bus: %bus: !llhd.ref<!llvm.ptr>, bus: %bus2: !llhd.ref<!llvm.ptr>) -> ()
    }}"""
    assert run(text, tops=["t"]).out.split() == ["0", "1"]


def test_a_port_is_bound_to_a_pointer_that_is_computed() -> None:
    """A nested interface: the port refers to the field of the outer one that holds the inner one's handle, two levels down."""
    text = f"""{MALLOC}
    hw.module private @leaf(in %bus : !llhd.ref<!llvm.ptr>) {{ {HEAD}
      llhd.process {{ {wait(1)} {show(1, 0)}
        llhd.halt
      }}
    }}
    hw.module private @mid(in %bus : !llhd.ref<!llvm.ptr>) {{
      hw.instance "l" @leaf(bus: %bus: !llhd.ref<!llvm.ptr>) -> ()
    }}
    hw.module @t() {{ {HEAD} {INTERFACE}
      %words = llvm.mlir.constant(16 : i64) : i64
      %outer = llvm.call @malloc(%words) : (i64) -> !llvm.ptr
      %slot = llvm.getelementptr %outer[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.outer", (i32, ptr)>
      llvm.store %mem, %slot : !llvm.ptr, !llvm.ptr
      %ref = builtin.unrealized_conversion_cast %slot : !llvm.ptr to !llhd.ref<!llvm.ptr>
      hw.instance "m" @mid(bus: %ref: !llhd.ref<!llvm.ptr>) -> ()
      llhd.process {{ {put("a", 0, "s1")}
        llhd.halt
      }}
    }}"""
    assert run(text, tops=["t"]).out.split() == ["1"]
