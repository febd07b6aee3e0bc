"""Tests of what trains elsewhere."""
