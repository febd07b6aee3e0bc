"""Kubernetes as one kind of place: an endpoint is a few objects in a namespace, and what is done to it whole."""

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput, QuarterdeckError, Refused
from core.domain.plan import Plan
from core.system.aside import aside
from core.targets.kinds import Models, Note, Standing
from core.targets.kubernetes import beforehand, doctor
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.costs import costs_of
from core.targets.kubernetes.keys import other_key
from core.targets.kubernetes.labels import ClusterEndpoint, cluster_endpoint
from core.targets.kubernetes.lease import elsewhere, refusal
from core.targets.kubernetes.lease_holder import holder_of
from core.targets.kubernetes.looks import looks
from core.targets.kubernetes.manifests_pod import resources
from core.targets.kubernetes.names import key_name
from core.targets.kubernetes.other_way import way_of, why_otherwise
from core.targets.kubernetes.paths import LEASES, SECRETS
from core.targets.kubernetes.pod_use import PodUsages
from core.targets.kubernetes.restarting import restarted
from core.targets.kubernetes.standing import as_it_goes, lines_of, looked_at, slots_in, taken_down
from core.targets.protocol import Target

NAME = "kubernetes"
CONFIG = "KUBECONFIG"


class KubernetesKind:
    """Endpoints in a namespace of a cluster."""

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """The endpoint's target; raises BadInput for what can't work. Models are in images, and none is fetched."""
        if importlib.util.find_spec("kubernetes") is None:
            raise BadInput("target kubernetes needs a package more: pip install 'quarterdeck[kubernetes]'")
        at = cluster_endpoint(settings)
        resources(at.endpoint)
        given = os.environ if environ is None else environ
        key = _needed_key(settings, given)
        return lambda token: KubernetesTarget(at, settings.folder, token, key=key, kubeconfig=given.get(CONFIG, ""))

    def key(self, settings: Settings, endpoint: str) -> str:
        """The key that this shell has; the cluster's own is read by nobody."""
        return _key(settings, os.environ)

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """What stands at each endpoint; where its cluster can't be asked, why."""
        asking = [partial(_standing, cluster_endpoint(one), one.folder, _key(one, os.environ)) for one in settings]
        found = [await aside(one, "kubernetes status") for one in asking]
        return [one for one in found if one is not None]

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """Everything of ours goes, and pods end in their own time; False where there is nothing."""
        if endpoint_name(settings) != endpoint:
            raise Refused(f"{endpoint}: no environment is called so any more, so nobody knows its cluster")
        at = cluster_endpoint(settings)
        return await aside(lambda: taken_down(at, _calls(at)), "kubernetes down")

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """New pods with the key of now, of the images that serve: this machine's package changes none of these."""
        at, key = cluster_endpoint(settings), _needed_key(settings, os.environ)
        await aside(lambda: restarted(at, _calls(at), key, note), "kubernetes restart")

    async def beforehand(self, settings: Settings, plan: Plan) -> Sequence[str]:
        """Shares that so many pods can't give, else what the cluster would refuse."""
        at = cluster_endpoint(settings)
        if missed := list(beforehand.missed_shares(at, plan)):
            return missed
        calls = _calls(at)
        try:
            return await aside(
                lambda: [*beforehand.refusals(at, calls), *beforehand.unmeasured_gates(at, plan, calls)],
                "kubernetes beforehand",
            )
        finally:
            calls.close()

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """What the cluster says of each endpoint's place."""
        return doctor.examinations(settings)


def _calls(at: ClusterEndpoint) -> ApiCalls:
    return ApiCalls(at.place.context, os.environ.get(CONFIG, ""))


def _key(settings: Settings, environ: Mapping[str, str]) -> str:
    return environ.get(settings.endpoint.key_env, "").strip() if settings.endpoint.key_env else ""


def _needed_key(settings: Settings, environ: Mapping[str, str]) -> str:
    key, name = _key(settings, environ), settings.endpoint.key_env
    if name and not key:
        raise BadInput(f"endpoint.key_env: the variable {name} is not set; set it to the endpoint's key")
    return settings.endpoint.carried(key)


def _key_lines(at: ClusterEndpoint, calls: ApiCalls, key: str) -> list[str]:
    """That the Secret's key is another one, as far as it may be seen."""
    if not key:
        return []
    try:
        why = other_key(at, ObjectChanges(at, calls).read(SECRETS, key_name(at.name)), key)
    except QuarterdeckError:
        return []
    return [f"key      {why}"] if why else []


def _standing(at: ClusterEndpoint, folder: Path, key: str) -> Standing | None:
    calls = _calls(at)
    usages = PodUsages(at, calls)
    try:
        view = looked_at(at, calls)
    except QuarterdeckError as error:
        return Standing(at.called, NAME, (), (f"cluster  {at.place.where}: {error}",), unknown=str(error))
    if not view.objects:
        return None
    usages.asked()
    meant, (at, view) = at, as_it_goes(at, view, calls)
    moved = at is not meant
    slots = slots_in(at, view, usages.known)
    seen, holder = looks(at, view, time.time()), holder_of(view.get(LEASES, at.name))
    refuses, driver = refusal(holder, folder), elsewhere(holder, folder)
    lines = (*lines_of(at, view, way_of(at) if moved else ""), *_key_lines(at, calls, key))
    if moved:
        refuses = why_otherwise(meant)
        lines = (*lines, f"settings {refuses}")
    return Standing(at.called, NAME, slots, lines, costs_of(at, view), looks=seen, refuses=refuses, driver=driver)


KIND = KubernetesKind()
