"""LiteLLM's config file, read to be written as ours."""
