"""The data path: from a client's bytes to an upstream's and back. Knows no config file and no command line."""
