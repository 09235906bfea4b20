"""The composition root: builds a role from its settings, and owns its start and stop.

The three roles (bridge, server, gateway) are compositions of the same parts: admission, upstreams, control API.
"""
