// bus.sv: a net with two drivers is a signal with two drives, resolved bit by bit; (1, 1) in a bit reads z.
module {
  hw.module private @talker(in %on : i1, in %data : i8, in %bus : !llhd.ref<!hw.struct<value: i8, unknown: i8>>) {
    %c0_i8 = hw.constant 0 : i8
    %c-1_i8 = hw.constant -1 : i8
    %0 = llhd.constant_time <0ns, 0d, 1e>
    %1 = comb.mux %on, %data, %c-1_i8 : i8
    %2 = comb.mux %on, %c0_i8, %c-1_i8 : i8
    %3 = hw.struct_create (%1, %2) : !hw.struct<value: i8, unknown: i8>
    llhd.drv %bus, %3 after %0 : !hw.struct<value: i8, unknown: i8>
    hw.output
  }
  hw.module @tb() {
    %c0_i2 = hw.constant 0 : i2
    %c-96_i8 = hw.constant -96 : i8
    %c-80_i8 = hw.constant -80 : i8
    %c1_i8 = hw.constant 1 : i8
    %c3_i8 = hw.constant 3 : i8
    %c0_i32 = hw.constant 0 : i32
    %c1_i32 = hw.constant 1 : i32
    %c12_i32 = hw.constant 12 : i32
    %0 = sim.fmt.literal ": "
    %1 = sim.fmt.literal "\0A"
    %2 = llhd.constant_time <0ns, 0d, 1e>
    %3 = llhd.constant_time <1ns, 0d, 0e>
    %4 = hw.aggregate_constant [-1 : i8, -1 : i8] : !hw.struct<value: i8, unknown: i8>
    %talk = llhd.sig %c0_i2 : i2
    %a = llhd.sig %c-96_i8 : i8
    %b = llhd.sig %c-80_i8 : i8
    %bus = llhd.sig %4 : !hw.struct<value: i8, unknown: i8>
    %5 = llhd.prb %talk : i2
    %6 = comb.extract %5 from 0 : (i2) -> i1
    %7 = comb.extract %5 from 1 : (i2) -> i1
    %8 = llhd.prb %a : i8
    %9 = llhd.prb %b : i8
    hw.instance "left" @talker(on: %6: i1, data: %8: i8, bus: %bus: !llhd.ref<!hw.struct<value: i8, unknown: i8>>) -> ()
    hw.instance "right" @talker(on: %7: i1, data: %9: i8, bus: %bus: !llhd.ref<!hw.struct<value: i8, unknown: i8>>) -> ()
    llhd.process {
      cf.br ^bb1(%c0_i32 : i32)
    ^bb1(%10: i32):  // 2 preds: ^bb0, ^bb3
      %11 = comb.icmp slt %10, %c12_i32 : i32
      cf.cond_br %11, ^bb2, ^bb4
    ^bb2:  // pred: ^bb1
      %12 = comb.extract %10 from 0 : (i32) -> i2
      llhd.drv %talk, %12 after %2 : i2
      %13 = llhd.prb %a : i8
      %14 = comb.add %13, %c1_i8 : i8
      llhd.drv %a, %14 after %2 : i8
      %15 = llhd.prb %b : i8
      %16 = comb.add %15, %c3_i8 : i8
      llhd.drv %b, %16 after %2 : i8
      llhd.wait delay %3, ^bb3
    ^bb3:  // pred: ^bb2
      %17 = llhd.prb %talk : i2
      %18 = llhd.prb %bus : !hw.struct<value: i8, unknown: i8>
      %19 = hw.bitcast %18 : (!hw.struct<value: i8, unknown: i8>) -> i16
      %20 = sim.fmt.bin %17 paddingChar 48 : i2
      %21 = sim.fmt.hex %19, isUpper false fourStateWidth 8 : i16
      %22 = sim.fmt.concat (%20, %0, %21, %1)
      sim.proc.print %22
      %23 = comb.add %10, %c1_i32 : i32
      cf.br ^bb1(%23 : i32)
    ^bb4:  // pred: ^bb1
      sim.terminate success, quiet
      llhd.halt
    }
    hw.output
  }
}
