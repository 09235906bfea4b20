"""An HTTP/1.1 client and a scripted upstream that speak raw bytes on real sockets."""
