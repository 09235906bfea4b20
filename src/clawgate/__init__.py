"""clawgate: a small, fast, fail-closed LLM gateway."""

__version__ = "0.1.0"
