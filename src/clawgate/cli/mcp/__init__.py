"""`clawgate mcp`: the MCP servers of the config, and which of their tools are accepted."""
