// counter.sv as LLHD / Seq / HW / Comb; 1 ns = 1000000 fs.
module {
  hw.module @counter(in %clk : i1, in %rst : i1, out count : i8) {
    %c0_i8 = hw.constant 0 : i8
    %c1_i8 = hw.constant 1 : i8
    %0 = comb.add %count, %c1_i8 : i8
    %1 = seq.to_clock %clk
    %count = seq.firreg %0 clock %1 reset sync %rst, %c0_i8 preset 0 : i8
    hw.output %count : i8
  }
  hw.module @tb() {
    %false = hw.constant false
    %true = hw.constant true
    %c0_i32 = hw.constant 0 : i32
    %c1_i32 = hw.constant 1 : i32
    %c3_i32 = hw.constant 3 : i32
    %c1000000_i64 = hw.constant 1000000 : i64
    %0 = sim.fmt.literal "count "
    %1 = sim.fmt.literal " at "
    %2 = sim.fmt.literal "\0A"
    %3 = llhd.constant_time <0ns, 0d, 1e>
    %4 = llhd.constant_time <5ns, 0d, 0e>
    %5 = llhd.constant_time <12ns, 0d, 0e>
    %6 = llhd.constant_time <2560ns, 0d, 0e>
    %clk = llhd.sig %false : i1
    %rst = llhd.sig %true : i1
    %7 = llhd.prb %clk : i1
    %8 = llhd.prb %rst : i1
    %dut.count = hw.instance "dut" @counter(clk: %7: i1, rst: %8: i1) -> (count: i8)
    llhd.process {
      cf.br ^bb1
    ^bb1:  // 2 preds: ^bb0, ^bb2
      llhd.wait delay %4, ^bb2
    ^bb2:  // pred: ^bb1
      %9 = llhd.prb %clk : i1
      %10 = comb.xor bin %9, %true : i1
      llhd.drv %clk, %10 after %3 : i1
      cf.br ^bb1
    }
    llhd.process {
      llhd.wait delay %5, ^bb1
    ^bb1:  // pred: ^bb0
      llhd.drv %rst, %false after %3 : i1
      cf.br ^bb2(%c0_i32 : i32)
    ^bb2(%9: i32):  // 2 preds: ^bb1, ^bb5
      %10 = comb.icmp eq %9, %c3_i32 : i32
      cf.cond_br %10, ^bb6, ^bb3
    ^bb3:  // 2 preds: ^bb2, ^bb4
      %11 = llhd.prb %clk : i1
      llhd.wait (%7 : i1), ^bb4
    ^bb4:  // pred: ^bb3
      %12 = llhd.prb %clk : i1
      %13 = comb.xor bin %12, %true : i1
      %14 = comb.and bin %11, %13 : i1
      cf.cond_br %14, ^bb5, ^bb3
    ^bb5:  // pred: ^bb4
      %15 = llhd.current_time
      %16 = llhd.time_to_int %15
      %17 = comb.divu %16, %c1000000_i64 : i64
      %18 = sim.fmt.dec %dut.count paddingChar 48 specifierWidth 0 : i8
      %19 = sim.fmt.dec %17 paddingChar 48 specifierWidth 0 : i64
      %20 = sim.fmt.concat (%0, %18, %1, %19, %2)
      sim.proc.print %20
      %21 = comb.add %9, %c1_i32 : i32
      cf.br ^bb2(%21 : i32)
    ^bb6:  // pred: ^bb2
      llhd.wait delay %6, ^bb7
    ^bb7:  // pred: ^bb6
      %22 = llhd.current_time
      %23 = llhd.time_to_int %22
      %24 = comb.divu %23, %c1000000_i64 : i64
      %25 = sim.fmt.dec %dut.count paddingChar 48 specifierWidth 0 : i8
      %26 = sim.fmt.dec %24 paddingChar 48 specifierWidth 0 : i64
      %27 = sim.fmt.concat (%0, %25, %1, %26, %2)
      sim.proc.print %27
      sim.terminate success, quiet
      llhd.halt
    }
    hw.output
  }
}
