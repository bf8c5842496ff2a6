// handshake.sv: 4-state values are pairs (value, unknown); (0, 1) in every bit reads x.
module {
  hw.module @tb() {
    %true = hw.constant true
    %false = hw.constant false
    %c0_i8 = hw.constant 0 : i8
    %c17_i8 = hw.constant 17 : i8
    %c0_i32 = hw.constant 0 : i32
    %c1_i32 = hw.constant 1 : i32
    %c4_i32 = hw.constant 4 : i32
    %c1000000_i64 = hw.constant 1000000 : i64
    %0 = sim.fmt.literal "data "
    %1 = sim.fmt.literal "got "
    %2 = sim.fmt.literal " at "
    %3 = sim.fmt.literal "\0A"
    %4 = llhd.constant_time <0ns, 0d, 1e>
    %5 = llhd.constant_time <1ns, 0d, 0e>
    %6 = hw.aggregate_constant [false, true] : !hw.struct<value: i1, unknown: i1>
    %7 = hw.aggregate_constant [0 : i8, -1 : i8] : !hw.struct<value: i8, unknown: i8>
    %8 = hw.aggregate_constant [true, false] : !hw.struct<value: i1, unknown: i1>
    %9 = hw.aggregate_constant [false, false] : !hw.struct<value: i1, unknown: i1>
    %req = llhd.sig %6 : !hw.struct<value: i1, unknown: i1>
    %ack = llhd.sig %6 : !hw.struct<value: i1, unknown: i1>
    %data = llhd.sig %7 : !hw.struct<value: i8, unknown: i8>
    %10 = llhd.prb %req : !hw.struct<value: i1, unknown: i1>
    %11 = llhd.prb %ack : !hw.struct<value: i1, unknown: i1>
    llhd.process {
      %12 = llhd.prb %data : !hw.struct<value: i8, unknown: i8>
      %13 = hw.bitcast %12 : (!hw.struct<value: i8, unknown: i8>) -> i16
      %14 = sim.fmt.hex %13, isUpper false fourStateWidth 8 : i16
      %15 = sim.fmt.concat (%0, %14, %3)
      sim.proc.print %15
      llhd.wait delay %5, ^bb1
    ^bb1:  // pred: ^bb0
      llhd.drv %ack, %9 after %4 : !hw.struct<value: i1, unknown: i1>
      cf.br ^bb2(%c0_i32, %c0_i8 : i32, i8)
    ^bb2(%16: i32, %17: i8):  // 2 preds: ^bb1, ^bb7
      %18 = comb.icmp slt %16, %c4_i32 : i32
      cf.cond_br %18, ^bb3, ^bb8
    ^bb3:  // pred: ^bb2
      %19 = hw.struct_create (%17, %c0_i8) : !hw.struct<value: i8, unknown: i8>
      llhd.drv %data, %19 after %4 : !hw.struct<value: i8, unknown: i8>
      llhd.wait delay %5, ^bb4
    ^bb4:  // pred: ^bb3
      llhd.drv %req, %8 after %4 : !hw.struct<value: i1, unknown: i1>
      llhd.wait (%11 : !hw.struct<value: i1, unknown: i1>), ^bb5
    ^bb5:  // pred: ^bb4
      llhd.wait delay %5, ^bb6
    ^bb6:  // pred: ^bb5
      llhd.drv %req, %9 after %4 : !hw.struct<value: i1, unknown: i1>
      llhd.wait (%11 : !hw.struct<value: i1, unknown: i1>), ^bb7
    ^bb7:  // pred: ^bb6
      %20 = comb.add %16, %c1_i32 : i32
      %21 = comb.add %17, %c17_i8 : i8
      cf.br ^bb2(%20, %21 : i32, i8)
    ^bb8:  // pred: ^bb2
      sim.terminate success, quiet
      llhd.halt
    }
    llhd.process {
      cf.br ^bb1
    ^bb1:  // 2 preds: ^bb0, ^bb5
      llhd.wait (%10 : !hw.struct<value: i1, unknown: i1>), ^bb2
    ^bb2:  // pred: ^bb1
      %12 = llhd.prb %req : !hw.struct<value: i1, unknown: i1>
      %value = hw.struct_extract %12["value"] : !hw.struct<value: i1, unknown: i1>
      %unknown = hw.struct_extract %12["unknown"] : !hw.struct<value: i1, unknown: i1>
      %13 = comb.xor bin %unknown, %true : i1
      %14 = comb.and bin %value, %13 : i1
      cf.cond_br %14, ^bb3, ^bb4
    ^bb3:  // pred: ^bb2
      %15 = llhd.prb %data : !hw.struct<value: i8, unknown: i8>
      %16 = hw.bitcast %15 : (!hw.struct<value: i8, unknown: i8>) -> i16
      %17 = sim.fmt.hex %16, isUpper false fourStateWidth 8 : i16
      %18 = llhd.current_time
      %19 = llhd.time_to_int %18
      %20 = comb.divu %19, %c1000000_i64 : i64
      %21 = sim.fmt.dec %20 paddingChar 48 specifierWidth 0 : i64
      %22 = sim.fmt.concat (%1, %17, %2, %21, %3)
      sim.proc.print %22
      cf.br ^bb4
    ^bb4:  // 2 preds: ^bb2, ^bb3
      llhd.wait delay %5, ^bb5
    ^bb5:  // pred: ^bb4
      %23 = llhd.prb %req : !hw.struct<value: i1, unknown: i1>
      llhd.drv %ack, %23 after %4 : !hw.struct<value: i1, unknown: i1>
      cf.br ^bb1
    }
    hw.output
  }
}
