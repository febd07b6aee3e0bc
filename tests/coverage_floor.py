"""Fails where core/ or scoring/ is covered by less than its floor. Run by `make test` after the tests."""

import io
import sys

import coverage

FLOORS = {"core": 90.0, "scoring": 90.0}


def main() -> int:
    """The exit code: 1 when a floor is missed."""
    data = coverage.Coverage()
    data.load()
    code = 0
    for folder, floor in FLOORS.items():
        reached = data.report(include=[f"{folder}/*"], file=io.StringIO())
        print(f"{folder}: {reached:.1f} % of lines and branches, {floor:.0f} % wanted")
        code = code if reached >= floor else 1
    return code


if __name__ == "__main__":
    sys.exit(main())
