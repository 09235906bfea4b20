"""Writes the reference pages of the documentation from the commands and the settings themselves."""
