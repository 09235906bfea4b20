"""The program's own instance: lock, daemon, restart with sockets, unit files, log file."""
