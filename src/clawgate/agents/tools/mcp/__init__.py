"""Has the tools of MCP servers: their connections, and what of them a model is offered."""
