"""What may be dialled: addresses, names before DNS, and the policies of those who ask. Pure."""
