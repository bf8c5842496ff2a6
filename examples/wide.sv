// 128-bit Fibonacci numbers and their remainders: integers wider than the machine.
module tb;
  function automatic bit [127:0] mix(bit [127:0] a, bit [127:0] b);
    return (a * b) ^ (a >> 7);
  endfunction
  bit [127:0] a, b, t;
  initial begin
    a = 0;
    b = 1;
    for (int i = 0; i < 180; i++) begin
      t = a + b;
      a = b;
      b = t;
    end
    $display("fib %h", a);
    $display("mod %0d", a % 128'd1000000007);
    $display("mix %h", mix(a, b));
    $finish;
  end
endmodule
