"""Small errors put into the pure core, one at a time, and which of them no test sees.

`python -m tests.mutation [GLOB…]` goes on where it was ended (`--fresh`: from the beginning) and prints a table of
the files, then every survivor that `survivors.txt` does not explain.
"""

import argparse
import fnmatch
import json
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.judge import Judge
from tests.mutation.mutants import Mutant, mutants

HOME = Path(__file__).parents[2]
KNOWN = HOME / ".mutation.jsonl"
SAME = frozenset(Path(__file__).with_name("survivors.txt").read_text().splitlines())
UNSEEN = ("survived", "untested")
MUTATED = (
    "core/rollout/*.py",
    "core/state/*.py",
    "core/domain/gates.py",
    "core/domain/intervals.py",
    "core/domain/shares.py",
    "core/targets/local/hpa.py",
    "scoring/payload.py",
)
TESTS = (
    "tests/rollout", "tests/state", "tests/domain", "tests/targets/test_hpa.py", "tests/targets/test_hpa_properties.py",
    "tests/scoring/test_payload.py",
)  # fmt: skip
PYTEST = ("-q", "-s", "-p", "no:cacheprovider", "-o", "timeout=0", "--tb=short", f"--rootdir={HOME}")


def table(every: list[Mutant], became: dict[str, str]) -> list[str]:
    """A row for each file. Of the survivors those that are no errors at all count for nothing."""
    rows: dict[str, Counter[str]] = {}
    for one in every:
        word = became.get(one.name, "not run")
        word = "same" if word in UNSEEN and one.name in SAME else word
        for name in (one.name.split()[0], "all"):
            rows.setdefault(name, Counter())[word] += 1
    words = ("killed", "timeout", "survived", "untested", "same", "not run")
    lines = [f"{'file':<32}{'mutants':>9}" + "".join(f"{word:>10}" for word in words) + f"{'killed %':>10}"]
    for name, row in [*((name, row) for name, row in rows.items() if name != "all"), ("all", rows["all"])]:
        dead = row["killed"] + row["timeout"]
        share = 100 * dead / max(1, dead + row["survived"] + row["untested"])
        lines.append(f"{name:<32}{row.total():>9}" + "".join(f"{row[word]:>10}" for word in words) + f"{share:>10.1f}")
    return lines


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", default=["*"])
    parser.add_argument("--fresh", action="store_true", help="Judge everything anew.")
    parser.add_argument("--most", type=float, default=0.3, help="Tests that take more CPU seconds are not asked.")
    given = parser.parse_args()
    files = [path for glob in MUTATED for path in sorted(HOME.glob(glob))]
    names = [str(path.relative_to(HOME)) for path in files]
    names = [name for name in names if any(fnmatch.fnmatch(name, only) for only in given.only)]
    every = [one for name in names for one in mutants(name, (HOME / name).read_text())]
    tests = zlib.crc32(b"".join(path.read_bytes() for path in sorted((HOME / "tests").rglob("*.py"))))
    known: dict[str, list[str | int]] = {}
    if KNOWN.exists() and not given.fresh:
        known = {name: said for name, *said in map(json.loads, KNOWN.read_text().splitlines())}

    def is_known(one: Mutant) -> bool:
        # What a test has seen once it sees again; what none saw may be seen by one that is new.
        word, was, by = known.get(one.name, ("", 0, 0))
        return was == one.was and (word in ("killed", "timeout") or by == tests)

    def tell(one: Mutant, became: str, by: str) -> None:
        known[one.name] = [became, one.was, tests]
        print(f"{became:<9} {one.name}  {by}", flush=True)
        kept.write(json.dumps([one.name, *known[one.name]]) + "\n")

    KNOWN.unlink(missing_ok=True) if given.fresh else None
    left = [one for one in every if not is_known(one)]
    print(f"{len(every)} mutants, {len(left)} to judge", flush=True)
    if left:
        with KNOWN.open("a", buffering=1) as kept:
            code = pytest.main([*PYTEST, *(str(HOME / name) for name in TESTS)], [Judge(HOME, left, given.most, tell)])
        if code:
            return int(code)
    became = {one.name: str(known[one.name][0]) for one in every if one.name in known}
    survivors = [one.name for one in every if became.get(one.name) in UNSEEN and one.name not in SAME]
    print("\n".join(table(every, became)), *survivors, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
