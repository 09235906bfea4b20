"""`clawgate agent` and `clawgate chat`: messages to an agent of the running gateway."""
