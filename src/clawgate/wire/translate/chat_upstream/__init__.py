"""What the translations towards an upstream of chat completions share: ids, names, opaque state, its responses."""
