"""Serves named agents: reads a request for one, runs it, and encodes its response. Imported only where that is on."""
