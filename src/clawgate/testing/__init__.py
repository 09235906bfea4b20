"""Fakes that ship with clawgate, for the tests of plugins: a fake host and the conformance kit.

Must not be imported by anything that serves.
"""
