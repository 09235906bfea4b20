"""Settings of bridge and server: flags, environment variables, config file."""
