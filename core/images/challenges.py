"""How a server says that it wants to know who asks: the header WWW-Authenticate (RFC 9110, 11.6.1). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r'([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z][A-Za-z-]*)')
"""A parameter with its value, or the name of a way."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to say it: `basic`, or `bearer` with the place where tokens are had."""

    scheme: str
    realm: str = ""
    service: str = ""


def challenge_in(headers: Iterable[str]) -> Challenge | None:
    """The first way that we know, tokens before passwords; None where there is none."""
    found = [each for header in headers for each in _challenges(header)]
    usable = [each for each in found if each.scheme == "basic" or each.realm]
    return next(iter(sorted(usable, key=lambda each: each.scheme != "bearer")), None)


def _challenges(header: str) -> Iterable[Challenge]:
    ways: list[tuple[str, dict[str, str]]] = []
    for name, quoted, plain, scheme in _WORD.findall(header):
        if scheme:
            ways.append((scheme.lower(), {}))
        elif ways:
            ways[-1][1][name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain
    for scheme, told in ways:
        if scheme in ("basic", "bearer"):
            yield Challenge(scheme, told.get("realm", ""), told.get("service", ""))
