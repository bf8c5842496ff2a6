// An 8-bit counter with synchronous reset; prints when it wraps. 2-state types throughout.
module counter (input bit clk, rst, output bit [7:0] count);
  always_ff @(posedge clk) if (rst) count <= 0; else count <= count + 1;
endmodule

module tb;
  bit clk, rst = 1;
  bit [7:0] count;
  counter dut (.clk, .rst, .count);
  always #5 clk = ~clk;
  initial begin
    #12 rst = 0;
    repeat (3) begin
      @(negedge clk);
      $display("count %0d at %0d", count, $time);
    end
    #2560 $display("count %0d at %0d", count, $time);
    $finish;
  end
endmodule
