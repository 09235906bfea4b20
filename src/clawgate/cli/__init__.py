"""The commands: read flags, call what does the work, say how it went. Nothing imports this."""
