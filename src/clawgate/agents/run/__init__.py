"""Runs an agent: model calls, tools, and the decisions between them."""
