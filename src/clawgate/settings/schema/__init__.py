"""OpenClaw's config file as it may be: which keys it has, and which values. Knows no role, reads no file."""
