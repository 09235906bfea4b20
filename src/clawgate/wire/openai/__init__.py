"""OpenAI's Chat Completions API: types, errors, end of a stream."""
