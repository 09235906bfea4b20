"""Encodes an upstream's response for the client: passthrough, redaction, translation, error mapping."""
