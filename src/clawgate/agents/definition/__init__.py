"""Describes each agent by the config: its model, its prompt, its limits and its tools."""
