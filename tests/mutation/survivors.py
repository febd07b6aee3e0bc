"""Mutants that are no errors: they do what the code does. By their names, with why."""

from collections.abc import Mapping

SAME: Mapping[str, str] = {}
