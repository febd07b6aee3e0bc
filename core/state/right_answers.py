"""The truth that comes later than the answers: how often each of two versions was right. Pure."""

from core.domain.errors import Refused
from core.domain.figures import RightAnswers
from core.state import events as ev
from core.state.commands import TellTruth
from core.state.release import Release
from core.system.text import clean_line

SOURCE_LENGTH = 200


def asked_truth(command: TellTruth, release: Release) -> tuple[ev.Body, ...]:
    """What comes of a truth that is told: a fact of the newest release, which had two versions to compare."""
    new, old = release.version, release.old_version
    if new is None or old is None or new.number == old.number:
        raise Refused(f"{release.id}: has no two versions to compare")
    missing = [one.label for one in (new, old) if one.number not in command.sides]
    if missing:
        had = ", ".join(f"v{number}" for number in command.sides) or "none"
        raise Refused(
            f"{release.id} compares {new.label} with {old.label}: no answer of {missing[0]} is told, of {had}"
        )
    sides = {one.number: command.sides[one.number] for one in (new, old)}
    if any(told.of < 1 or not 0 <= told.right <= told.of for told in sides.values()):
        raise Refused(f"{release.id}: what is right is a part of what was answered")
    return (ev.TruthTold(release.id, sides, clean_line(command.source, SOURCE_LENGTH)),)


def sides_of(release: Release) -> tuple[RightAnswers, RightAnswers] | None:
    """How often its version was right, and the one before; None while that is not known."""
    numbers = [one.number for one in (release.version, release.old_version) if one is not None]
    # A fact is read whatever it says.
    found = [told for number in numbers if (told := release.truth.get(number)) is not None and told.of > 0]
    return (found[0], found[1]) if len(found) == 2 else None
