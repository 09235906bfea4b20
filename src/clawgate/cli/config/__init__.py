"""The commands `clawgate config …`."""
