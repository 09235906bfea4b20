"""The methods of the protocol, by their groups."""
