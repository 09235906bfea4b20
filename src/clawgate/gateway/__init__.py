"""The control plane: what a role says of itself, apart from the data path."""
