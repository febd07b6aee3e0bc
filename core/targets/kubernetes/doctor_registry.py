"""What the doctor finds of the registry to which a release pushes its image, asked as who pushes. Nothing is pushed."""

import asyncio
import os

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.errors import BadInput, Failed, QuarterdeckError
from core.domain.image_reference import Reference, repository_of
from core.images.places import place_of, pusher
from core.targets.kubernetes.doctor_image import ASK_S, in_registry
from core.targets.kubernetes.labels import ClusterEndpoint

NO_IMAGE = f"sha256:{'0' * 64}"
"""Nobody has this one: a registry that takes the login says so."""


def registry(at: ClusterEndpoint, settings: Settings) -> Diagnoses:
    """Whether a release that trains has somewhere to push its image; nothing where the settings name one that is there.

    No cluster is asked.
    """
    if at.place.image is not None:
        return []
    if settings.image.repository is None:
        named = f"registry.example.com/{repository_of(endpoint_name(settings))}"
        write = f"write image.repository: {named}, or push by hand: 'quarterdeck image build', then 'image push'"
        return [warn("image.repository is not set: a release that trains can't push its image, and is refused", write)]
    try:
        return [_answering(place_of(settings, endpoint_name(settings)))]
    except BadInput as error:
        return [fail(str(error))]


def _answering(place: Reference) -> Diagnosis:
    """Whether the registry is there and takes who pushes."""
    try:
        known = pusher(place, os.environ)
        asyncio.run(in_registry(place, NO_IMAGE, known))
    except Failed as error:
        return fail(str(error), "log in as you do to push there; a release pushes its image from this machine")
    except (QuarterdeckError, TimeoutError) as error:
        why = str(error) or f"{place.registry}: no answer within {ASK_S:g} s"
        return fail(why, "see that image.repository is right; a release pushes its image there from this machine")
    who = "without a login" if known is None else f"as {known.user}" if known.user else "with the login known here"
    return ok(f"{place} answers, {who}")
