"""The demo of the repository: gateway, bridge and server in front of fake models. Not part of the wheel."""
