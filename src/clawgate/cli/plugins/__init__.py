"""The commands `clawgate plugins …` and the commands that plugins add."""
