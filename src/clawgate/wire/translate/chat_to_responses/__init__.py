"""OpenAI chat client in front of a provider that speaks the Responses API: requests, responses, streams."""
