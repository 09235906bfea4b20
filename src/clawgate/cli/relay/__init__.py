"""The commands `clawgate bridge …` and `clawgate server …`."""
