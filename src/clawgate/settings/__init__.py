"""What the operator wants: read from flags, environment and files, checked as a whole, never written from here."""
