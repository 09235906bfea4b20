"""A local Claude proxy as a provider: a program that speaks Anthropic's Messages API for a Claude subscription."""
