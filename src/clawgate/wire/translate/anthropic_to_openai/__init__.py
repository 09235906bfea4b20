"""Anthropic client in front of an OpenAI-type provider: requests, responses, streams."""
