"""Decisions as values with a reason: no sockets, no clock, no log; what a rule needs is passed in."""
