"""`clawgate egress`: the ledger of private connections, and what the egress policy decides."""
