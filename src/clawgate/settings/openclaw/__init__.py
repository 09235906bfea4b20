"""OpenClaw's config file: validation, known keys, edits."""
