"""Conformance tests and a fake host for plugin authors."""
