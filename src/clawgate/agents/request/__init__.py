"""Reads what a request for an agent says: the agent and session that it means, its fields, its messages."""
