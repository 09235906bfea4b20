"""Responses client in front of an upstream that speaks chat completions: requests, responses, streams."""
