"""Plugins: what they may do (`api`), which ones there are (`registry`), and how they come and go (`install`)."""
