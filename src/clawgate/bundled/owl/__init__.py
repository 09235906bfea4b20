"""A provider for an inference server of one's own, which speaks OpenAI's API behind any kind of credential."""
