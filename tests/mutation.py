"""Small errors put into the pure core, one at a time, and which of them no test sees.

`python -m tests.mutation [--seconds S] [--only GLOB]` works on a copy, bounded, and prints a table of killed and
survived for each file, then every survivor. It needs the group `mutation`.
"""

import argparse
import fnmatch
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

HOME = Path(__file__).parents[1]
MUTATED = (
    "core/rollout/*.py",
    "core/state/*.py",
    "core/domain/gates.py",
    "core/targets/local/hpa.py",
    "scoring/payload.py",
)
TESTS = (
    "tests/rollout",
    "tests/state",
    "tests/domain",
    "tests/targets/test_hpa.py",
    "tests/targets/test_hpa_properties.py",
    "tests/scoring/test_payload.py",
)
SAYS: Mapping[int | None, str] = {0: "survived", 5: "untested", 33: "untested", 34: "skipped", None: "not run"}
"""Of mutmut's exit codes; every other one means that a test failed, hung or broke: killed."""


def settings(only: str) -> str:
    """What mutmut is told."""

    def listed(values: Iterator[str]) -> str:
        return "".join(f"\n  {value}" for value in values)

    mutated = (path for path in MUTATED if fnmatch.fnmatch(path, only) or fnmatch.fnmatch(only, path))
    return "\n".join(
        [
            "[mutmut]",
            "source_paths =\n  core\n  scoring",
            f"only_mutate ={listed(only if path.endswith('*.py') and '*' not in only else path for path in mutated)}",
            "also_copy =\n  themes\n  tui\n  README.md",
            f"pytest_add_cli_args_test_selection ={listed(iter(TESTS))}",
            "pytest_add_cli_args =\n  -q\n  -p\n  no:cacheprovider",
            "timeout_constant = 5.0",
            "",
        ]
    )


def copied(folder: Path) -> None:
    """The files of the repository, as they are now."""
    said = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=HOME,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, said.stdout.split("\0")):
        if (HOME / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HOME / name, folder / name)


def results(folder: Path) -> dict[str, dict[str, str]]:
    """By file, what became of each mutant."""
    found: dict[str, dict[str, str]] = {}
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        name = str(meta.relative_to(folder / "mutants")).removesuffix(".meta")
        if codes:
            found[name] = {key: SAYS.get(code, "killed") for key, code in codes.items()}
    return found


def table(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The rows as lines."""
    lines, total = (
        [f"{'file':<36} {'killed':>7} {'survived':>9} {'untested':>9} {'not run':>8} {'killed %':>9}"],
        Counter[str](),
    )
    for name, mutants in [*found.items(), ("all", {})]:
        count = Counter(mutants.values()) if mutants else total
        total += count if mutants else Counter()
        judged = count["killed"] + count["survived"] + count["untested"]
        share = f"{100 * count['killed'] / judged:.1f}" if judged else "-"
        figures = f"{count['survived']:>9} {count['untested']:>9} {count['not run']:>8} {share:>9}"
        lines.append(f"{name:<36} {count['killed']:>7} {figures}")
    return lines


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--only", default="*", help="One of the files.")
    parser.add_argument("--survivors", type=Path, help="Where each survivor is written as a diff.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copied(folder)
        (folder / "setup.cfg").write_text(settings(given.only))
        call = [sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
        with (folder / "mutmut.log").open("wb") as log:
            process = subprocess.Popen(call, cwd=folder, stdout=log, stderr=log, start_new_session=True)
            try:
                process.wait(given.seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                process.wait(60)
        found = results(folder)
        if not found:
            print((folder / "mutmut.log").read_text(errors="replace")[-3000:])
            return 1
        print("\n".join(table(found)))
        left = [key for mutants in found.values() for key, word in mutants.items() if word in ("survived", "untested")]
        diffs = [_diff(folder, key) for key in left]
        if given.survivors is not None:
            given.survivors.write_text("\n".join(diffs))
        else:
            print("\n".join(diffs))
    return 0


def _diff(folder: Path, key: str) -> str:
    call = [sys.executable, "-m", "mutmut", "show", key]
    shown = subprocess.run(call, cwd=folder, check=False, capture_output=True, text=True)
    lines = [line for line in shown.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return f"{key}\n" + "\n".join(f"    {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
