"""Server-sent events: reader, splitter at event boundaries, stream tail."""
