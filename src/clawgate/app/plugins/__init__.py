"""Runs plugins inside the gateway: their services, child programs, fetches and relays."""
