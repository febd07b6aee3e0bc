"""Where the image of a version is pushed, and who we are there."""

import os
from collections.abc import Callable, Mapping

from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.image_reference import Reference, parse, repository_of
from core.images import ecr
from core.images.credentials import Credentials, credentials


def place_of(settings: Settings, model: str, told: str = "", environ: Mapping[str, str] | None = None) -> Reference:
    """What was told, else what the project says, else Amazon's by its variables; raises BadInput."""
    given = os.environ if environ is None else environ
    text = told or settings.image.repository or ""
    if not text and (registry := given.get(ecr.REGISTRY)):
        text = f"{registry}/{given.get(ecr.REPOSITORY) or repository_of(model)}"
    if not text:
        raise BadInput(
            f"no registry is named: write image.repository: registry.example.com/{repository_of(model)} into"
            f" quarterdeck.yaml, call with --to, or set {ecr.REGISTRY}"
        )
    place = parse(text)
    if place.tag or place.digest:
        raise BadInput(f"{text}: holds a tag or a digest; a version's tag is its own, NAME-vN")
    return place


def pusher(place: Reference, environ: Mapping[str, str]) -> Credentials | None:
    """Who we are there, as `login_of` finds it, for who only looks: nothing is made there. Blocks."""
    found = credentials(place.registry, environ)
    return ecr.token(place, environ) if found is None and ecr.is_ecr(place.registry, environ) else found


def login_of(
    place: Reference, say: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> Callable[[], Credentials | None]:
    """How credentials are found when they are wanted: docker's, or Amazon's where docker knows none."""
    given = os.environ if environ is None else environ

    def find() -> Credentials | None:
        found = credentials(place.registry, given)
        return ecr.prepared(place, given, say) if found is None and ecr.is_ecr(place.registry, given) else found

    return find
