"""Translates between dialects; pairs are named client dialect first."""
