"""Serves agents at the endpoint of chat completions."""
