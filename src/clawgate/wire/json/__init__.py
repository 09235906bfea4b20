"""JSON as peers send it: strict and lenient readers, surrogates, the model field."""
