"""The commands `clawgate models …` and `clawgate route …`."""
