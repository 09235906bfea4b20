"""Finds, loads and isolates plugins; diagnoses those that cannot be used."""
