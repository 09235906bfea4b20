"""Fake model servers, deterministic and offline: one speaks OpenAI's dialect, one Anthropic's."""
