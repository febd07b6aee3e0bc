"""Rows to begin with, and a commented quarterdeck.yaml for each. The modules need pandas: import them in children."""
