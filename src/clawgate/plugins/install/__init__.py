"""Installs and removes plugins: sources, unpacking, config cleanup."""
