// Two talkers on a shared bus: z while nobody talks, x where both talk and disagree.
module talker (input bit on, input bit [7:0] data, inout wire [7:0] bus);
  assign bus = on ? data : 8'bz;
endmodule
module tb;
  bit [1:0] talk;
  bit [7:0] a = 8'ha0, b = 8'hb0;
  wire [7:0] bus;
  talker left (talk[0], a, bus);
  talker right (talk[1], b, bus);
  initial begin
    for (int i = 0; i < 12; i++) begin
      talk = i[1:0];
      a = a + 1;
      b = b + 3;
      #1 $display("%b: %h", talk, bus);
    end
    $finish;
  end
endmodule
