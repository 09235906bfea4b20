"""Reads JSON5 and edits it in place: comments, order and style stay."""
