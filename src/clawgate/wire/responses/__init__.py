"""OpenAI's Responses API: types, ids, errors, end of a stream, assembly."""
