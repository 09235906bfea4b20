"""The commands `clawgate state …`: the database with the state of agents."""
