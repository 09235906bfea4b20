"""OpenAI client in front of an Anthropic provider: requests, responses, streams."""
