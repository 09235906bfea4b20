"""How a request is made acceptable to the upstream that it goes to."""
