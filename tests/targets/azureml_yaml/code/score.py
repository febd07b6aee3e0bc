"""Stands where the scoring script does."""
