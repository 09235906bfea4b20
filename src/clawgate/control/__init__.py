"""The control API of a listener: health, readiness, model list, metrics."""
