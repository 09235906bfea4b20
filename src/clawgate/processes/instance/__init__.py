"""Manages the program's own instance: lock, daemon, restart, unit files, log file."""
