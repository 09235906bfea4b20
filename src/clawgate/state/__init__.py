"""Keeps what outlives a request: sessions with their turns, usage, requests, idempotency records; in one database.

Imported only where it is used, since SQLAlchemy comes with it: a gateway without agents starts without this folder.
"""
