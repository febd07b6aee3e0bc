"""What an endpoint is called in Azure ML: its name as people have it, turned by one rule into 3 to 32 characters."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from core.system.text import counted

SHORTEST, LONGEST = 3, 32
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_DIGEST_LETTERS = 8
RUNS = ("GITHUB_RUN_NUMBER", "BUILD_BUILDID")
"""The variables in which GitHub and Azure Pipelines say which run it is."""
_RUN = re.compile(r"[0-9]{1,18}")


def azure_name(name: str) -> str:
    """`customer_churn_model` as `customer-churn-model`: small, begun by a letter, and unique among what is cut off."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    label = _NOT_IN_NAMES.sub("-", plain).strip("-")
    if label and not label[0].isalpha():
        label = f"model-{label}"
    if label and len(label) < SHORTEST:
        label = f"{label}-model"
    if label and len(label) <= LONGEST:
        return label
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_LETTERS]
    kept = label[: LONGEST - _DIGEST_LETTERS - 1].rstrip("-") or "model"
    return f"{kept}-{digest}"


def broken_rule(name: str) -> str:
    """Which of Azure's rules a name for an endpoint breaks, in words that follow it; empty where it keeps all."""
    if not SHORTEST <= len(name) <= LONGEST:
        return f"has {counted(len(name), 'character')}; Azure takes {SHORTEST} to {LONGEST}"
    if wrong := next(
        (one for one in name if not (one == "-" or (one.isascii() and (one.islower() or one.isdigit())))), ""
    ):
        return f"holds {wrong!r}; write small letters, digits and dashes"
    if not name[0].isalpha():
        return f"begins with {name[0]!r}; a letter must be first"
    return "ends with a dash; a letter or a digit must be last" if name.endswith("-") else ""


def ci_run(environ: Mapping[str, str]) -> str:
    """The number of the run of CI that a shell is of; empty where it is of none."""
    return next((value for name in RUNS if _RUN.fullmatch(value := environ.get(name, ""))), "")


def meeting(names: Sequence[str]) -> str:
    """Which two endpoints would have one name in a region, in a line; empty where none would."""
    taken: dict[str, str] = {}
    for name in dict.fromkeys(names):
        label = azure_name(name)
        if label in taken:
            return f"{taken[label]} and {name} would both be {label} in Azure ML; rename one of them"
        taken[label] = name
    return ""
