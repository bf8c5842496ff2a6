// Two processes and a four-phase handshake on 4-state signals: x until the first request.
module tb;
  logic req, ack;
  logic [7:0] data;
  initial begin
    $display("data %h", data);
    #1 ack = 0;
    for (int i = 0; i < 4; i++) begin
      data = 8'h11 * i;
      #1 req = 1;
      @(posedge ack);
      #1 req = 0;
      @(negedge ack);
    end
    $finish;
  end
  always @(req) begin
    if (req === 1) $display("got %h at %0d", data, $time);
    #1 ack = req;
  end
endmodule
