"""The commands `clawgate gateway …` and `clawgate logs`."""
