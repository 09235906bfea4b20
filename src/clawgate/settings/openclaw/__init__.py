"""OpenClaw's config file: schema, validation, known keys, edits."""
