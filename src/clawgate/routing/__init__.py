"""Chooses the provider that serves a request: model name, fallbacks, plugin hooks, session ids."""
