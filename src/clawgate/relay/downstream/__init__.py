"""Client connections: server, request parsing, client timeouts, error replies."""
