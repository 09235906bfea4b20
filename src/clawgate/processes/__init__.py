"""Manages processes: supervised children, workers, and the gateway's own instance."""
