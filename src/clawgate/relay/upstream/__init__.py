"""Connections to upstreams: address check, dial, pool, response parsing."""
