"""Supervises child programs: start, probe, restart, stop, no orphans."""
