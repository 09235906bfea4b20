"""Admits or rejects a request by its head: source, caller, route, framing."""
