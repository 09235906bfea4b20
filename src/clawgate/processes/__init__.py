"""Processes of this machine: our own workers, and whoever holds a port."""
