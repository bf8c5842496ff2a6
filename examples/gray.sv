// Gray code as continuous logic in two levels of hierarchy, checked by its inverse.
module bin2gray (input bit [7:0] b, output bit [7:0] g);
  assign g = b ^ (b >> 1);
endmodule

module gray2bin (input bit [7:0] g, output bit [7:0] b);
  bit [7:0] s1, s2;
  assign s1 = g ^ (g >> 4);
  assign s2 = s1 ^ (s1 >> 2);
  assign b = s2 ^ (s2 >> 1);
endmodule

module tb;
  bit [7:0] i, g, back;
  bin2gray enc (.b(i), .g);
  gray2bin dec (.g, .b(back));
  int errors;
  initial begin
    for (int n = 0; n < 256; n++) begin
      i = n;
      #1 if (back != i) errors++;
      if (n % 64 == 5) $display("%0d -> %b", i, g);
    end
    $display("%0d errors", errors);
    $finish;
  end
endmodule
