"""What bytes mean: HTTP framing, event streams and dialects, without sockets, clocks or logs."""
