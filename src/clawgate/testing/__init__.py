"""Fakes that ship with clawgate, for the tests of plugins and of clients.

`http` has a scripted upstream and a client that speak raw bytes on real sockets and report every anomaly; `plugins` has
a fake host and the conformance kit. Must not be imported by anything that serves.
"""
