"""`clawgate agents`: lists the agents of the config, and shows one."""
