"""The commands `clawgate models auth …`."""
