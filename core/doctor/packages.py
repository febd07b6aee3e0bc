"""Python and the packages that Quarterdeck needs, by what they say of themselves: none is imported for that."""

import base64
import hashlib
import platform
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from core.domain.diagnosis import Diagnoses, Examination, fail, looking, ok

US = "quarterdeck"
MOST = 5
"""So many packages are named in one line."""
WITHIN_S = 15.0
_PACKAGE = re.compile(r"^([^/\n,]+/__init__\.py),", re.MULTILINE)
_SCORING = re.compile(r"^(scoring/[^,\n]+\.py),sha256=([^,]+),", re.MULTILINE)


def examinations() -> list[Examination]:
    """What holds for every project."""
    return [
        looking("python", python),
        looking("packages", packages, within_s=WITHIN_S),
        looking("scoring", lambda: scoring(distribution(US))),
    ]


def python() -> Diagnoses:
    """Whether this Python is one that Quarterdeck runs on."""
    wanted, here = distribution(US).metadata["Requires-Python"] or "", platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return [ok(f"{here} at {sys.executable}")]
    return [fail(f"{here} at {sys.executable}, and {wanted} is needed", "install Quarterdeck with a Python of that")]


def requirements(of: Distribution) -> Iterator[Requirement]:
    """What a distribution needs here, its extras left out."""
    for line in of.requires or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield needed


def packages() -> Diagnoses:
    """Whether each package is there, as new as it must be, and whole."""
    needed = list(requirements(distribution(US)))
    wrong = {one: why for one in needed if (why := _wrong(one))}
    if not wrong:
        return [ok(f"{len(needed)} there, each in a version that fits")]
    told = [f"{one.name} {why}" for one, why in list(wrong.items())[:MOST]]
    more = f", and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
    again = " ".join(shlex.quote(f"{one.name}{one.specifier}") for one in list(wrong)[:MOST])
    call = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall {again}"
    return [fail(f"{'; '.join(told)}{more}", call)]


def _wrong(needed: Requirement) -> str:
    """What is wrong with a package, in words; empty where it fits."""
    try:
        found = distribution(needed.name)
    except PackageNotFoundError:
        return "is missing"
    if not needed.specifier.contains(found.version, prereleases=True):
        return f"{found.version} is here, {needed.specifier} is needed"
    gone = [name for name in _PACKAGE.findall(found.read_text("RECORD") or "") if not _path(found, name).is_file()]
    return f"lacks its file {gone[0]}" if gone else ""


def _path(found: Distribution, name: str) -> Path:
    return Path(str(found.locate_file(name)))


def scoring(of: Distribution) -> Diagnoses:
    """Whether the code that answers callers is as it was installed; from source it is whatever stands there."""
    listed = _SCORING.findall(of.read_text("RECORD") or "")
    changed = [name for name, digest in listed if _digest(_path(of, name)) != digest]
    if changed:
        told = f"{len(changed)} of {len(listed)} files are not as they were installed, {changed[0]} first"
        return [fail(told, f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps {US}")]
    if listed:
        return [ok(f"the scoring code is as it was installed, {of.version}")]
    return [ok(f"the scoring code runs from source, {of.version}")]


def _digest(path: Path) -> str:
    """A file's SHA-256 as a wheel's RECORD writes it; empty without the file."""
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
