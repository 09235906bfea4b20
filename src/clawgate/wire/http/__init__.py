"""HTTP/1.1 messages: framing, chunked bodies, URLs."""
