"""Anthropic's Messages API: types, errors, end of a stream."""
