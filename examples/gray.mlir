// gray.sv: continuous logic through two instances, driven by one process.
module {
  hw.module @bin2gray(in %b : i8, out g : i8) {
    %c1_i8 = hw.constant 1 : i8
    %0 = comb.shru %b, %c1_i8 : i8
    %1 = comb.xor %b, %0 : i8
    hw.output %1 : i8
  }
  hw.module @gray2bin(in %g : i8, out b : i8) {
    %c1_i8 = hw.constant 1 : i8
    %c2_i8 = hw.constant 2 : i8
    %c4_i8 = hw.constant 4 : i8
    %0 = comb.shru %g, %c4_i8 : i8
    %s1 = comb.xor %g, %0 : i8
    %1 = comb.shru %s1, %c2_i8 : i8
    %s2 = comb.xor %s1, %1 : i8
    %2 = comb.shru %s2, %c1_i8 : i8
    %3 = comb.xor %s2, %2 : i8
    hw.output %3 : i8
  }
  hw.module @tb() {
    %c0_i8 = hw.constant 0 : i8
    %c0_i32 = hw.constant 0 : i32
    %c1_i32 = hw.constant 1 : i32
    %c5_i32 = hw.constant 5 : i32
    %c64_i32 = hw.constant 64 : i32
    %c256_i32 = hw.constant 256 : i32
    %0 = sim.fmt.literal " -> "
    %1 = sim.fmt.literal "\0A"
    %2 = sim.fmt.literal " errors\0A"
    %3 = llhd.constant_time <0ns, 0d, 1e>
    %4 = llhd.constant_time <1ns, 0d, 0e>
    %i = llhd.sig %c0_i8 : i8
    %5 = llhd.prb %i : i8
    %enc.g = hw.instance "enc" @bin2gray(b: %5: i8) -> (g: i8)
    %dec.b = hw.instance "dec" @gray2bin(g: %enc.g: i8) -> (b: i8)
    llhd.process {
      cf.br ^bb1(%c0_i32, %c0_i32 : i32, i32)
    ^bb1(%6: i32, %7: i32):  // 2 preds: ^bb0, ^bb4
      %8 = comb.icmp slt %6, %c256_i32 : i32
      cf.cond_br %8, ^bb2, ^bb5
    ^bb2:  // pred: ^bb1
      %9 = comb.extract %6 from 0 : (i32) -> i8
      llhd.drv %i, %9 after %3 : i8
      llhd.wait delay %4, ^bb3
    ^bb3:  // pred: ^bb2
      %10 = comb.icmp ne %dec.b, %9 : i8
      %11 = comb.add %7, %c1_i32 : i32
      %12 = comb.mux %10, %11, %7 : i32
      %13 = comb.mods %6, %c64_i32 : i32
      %14 = comb.icmp eq %13, %c5_i32 : i32
      %15 = comb.add %6, %c1_i32 : i32
      cf.cond_br %14, ^bb4, ^bb1(%15, %12 : i32, i32)
    ^bb4:  // pred: ^bb3
      %16 = sim.fmt.dec %9 paddingChar 48 specifierWidth 0 : i8
      %17 = sim.fmt.bin %enc.g : i8
      %18 = sim.fmt.concat (%16, %0, %17, %1)
      sim.proc.print %18
      cf.br ^bb1(%15, %12 : i32, i32)
    ^bb5:  // pred: ^bb1
      %19 = sim.fmt.dec %7 paddingChar 48 specifierWidth 0 signed : i32
      %20 = sim.fmt.concat (%19, %2)
      sim.proc.print %20
      sim.terminate success, quiet
      llhd.halt
    }
    hw.output
  }
}
