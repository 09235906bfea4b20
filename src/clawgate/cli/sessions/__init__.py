"""`clawgate sessions`: lists, shows, exports and deletes the sessions of agents."""
