"""Terminal input and output: prompts, confirmation, progress line, tables."""
