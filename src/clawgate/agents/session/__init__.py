"""Runs requests within their sessions: one after another, stored, repeated and resumed."""
