// wide.sv: integers of 128 bits, a function called from a process.
module {
  func.func private @mix(%arg0: i128, %arg1: i128) -> i128 {
    %c7_i128 = hw.constant 7 : i128
    %0 = comb.mul %arg0, %arg1 : i128
    %1 = comb.shru %arg0, %c7_i128 : i128
    %2 = comb.xor %0, %1 : i128
    return %2 : i128
  }
  hw.module @tb() {
    %c0_i128 = hw.constant 0 : i128
    %c1_i128 = hw.constant 1 : i128
    %c1000000007_i128 = hw.constant 1000000007 : i128
    %c0_i32 = hw.constant 0 : i32
    %c1_i32 = hw.constant 1 : i32
    %c180_i32 = hw.constant 180 : i32
    %0 = sim.fmt.literal "fib "
    %1 = sim.fmt.literal "mod "
    %2 = sim.fmt.literal "mix "
    %3 = sim.fmt.literal "\0A"
    llhd.process {
      cf.br ^bb1(%c0_i128, %c1_i128, %c0_i32 : i128, i128, i32)
    ^bb1(%4: i128, %5: i128, %6: i32):  // 2 preds: ^bb0, ^bb2
      %7 = comb.icmp slt %6, %c180_i32 : i32
      cf.cond_br %7, ^bb2, ^bb3
    ^bb2:  // pred: ^bb1
      %8 = comb.add %4, %5 : i128
      %9 = comb.add %6, %c1_i32 : i32
      cf.br ^bb1(%5, %8, %9 : i128, i128, i32)
    ^bb3:  // pred: ^bb1
      %10 = sim.fmt.hex %4, isUpper false : i128
      %11 = sim.fmt.concat (%0, %10, %3)
      sim.proc.print %11
      %12 = comb.modu %4, %c1000000007_i128 : i128
      %13 = sim.fmt.dec %12 paddingChar 48 specifierWidth 0 : i128
      %14 = sim.fmt.concat (%1, %13, %3)
      sim.proc.print %14
      %15 = func.call @mix(%4, %5) : (i128, i128) -> i128
      %16 = sim.fmt.hex %15, isUpper false : i128
      %17 = sim.fmt.concat (%2, %16, %3)
      sim.proc.print %17
      sim.terminate success, quiet
      llhd.halt
    }
    hw.output
  }
}
