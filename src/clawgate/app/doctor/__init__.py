"""Examines an installation: facts are gathered first, pure checks find what is wrong, fixes repair it."""
