"""The autoscaler: the rule is Quarterdeck's own, the conditions are worded as the controller words them."""

import copy
from collections.abc import Hashable, Iterable

from core.targets.local.hpa import Behavior, Decision, Memory, Metric, Pod, Rules, Usage, look
from core.targets.local.steps import DOWN, UP, Direction, Policy
from tests.kubernetes.clock import seconds_of
from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.controllers.recorder import Recorder
from tests.kubernetes.controllers.replicasets import condition, ready
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.metrics import MetricsApi, PodMetrics
from tests.kubernetes.quantities import millis, quantity
from tests.kubernetes.registry import Registry, WriteOptions
from tests.kubernetes.selectors import matches
from tests.kubernetes.storage import Key, StoreChange

AUTOSCALERS = resource("horizontalpodautoscalers.autoscaling")
DEPLOYMENTS, PODS = resource("deployments.apps"), resource("pods")
PERIOD_S = 15.0
_NO_API = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API"
_API_ERRORS = {
    MetricsApi.ABSENT: f"{_NO_API}: the server could not find the requested resource (get pods.metrics.k8s.io)",
    MetricsApi.DEAD: f"{_NO_API}: the server is currently unable to handle the request (get pods.metrics.k8s.io)",
}
_STABLE = "recent recommendations were higher than current one, applying the highest recent recommendation"
_FOUND = (
    "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)"
)
_LIMITS = (
    ("maximum", "TooManyReplicas", "the desired replica count is more than the maximum replica count"),
    ("minimum", "TooFewReplicas", "the desired replica count is less than the minimum replica count"),
    ("policy: down", "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"),
    ("policy", "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"),
)


class AutoscalerController(Controller):
    """By the autoscaler's key, every `period_s`. `clock_factor` above 1 divides every time in the rule."""

    def __init__(self, registry: Registry, metrics: PodMetrics) -> None:
        super().__init__(registry)
        self.metrics = metrics
        self.period_s = PERIOD_S
        self.clock_factor = 1.0
        self.events = Recorder(registry, "horizontal-pod-autoscaler")
        self._memory: dict[str, Memory] = {}
        self._due: set[Hashable] = set()

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """One that is new; from then on it comes back by itself."""
        new = change.store == AUTOSCALERS.store and change.before is None
        return (change.key,) if new else ()

    def look(self, key: Hashable) -> None:
        """One look, and the next in a while."""
        body = self.store.get(AUTOSCALERS.store, key)  # type: ignore[arg-type]
        if body is None:
            return
        self.later(self.period_s, key)
        target: Key = (body["metadata"]["namespace"], body["spec"]["scaleTargetRef"]["name"])
        deployment = self.store.get(DEPLOYMENTS.store, target)
        if deployment is None:
            name = body["spec"]["scaleTargetRef"]["name"]
            message = (
                f'the HPA controller was unable to get the target\'s current scale: deployments.apps "{name}" not found'
            )
            self._write(body, [("AbleToScale", "False", "FailedGetScale", message)], {})
            return
        self._looked(body, deployment)

    def _looked(self, body: Json, deployment: Json) -> None:
        now_n = deployment["status"].get("replicas", 0) if deployment["spec"]["replicas"] else 0
        pods = [
            one
            for one in self.store.items(PODS.store, body["metadata"]["namespace"])
            if matches(deployment["spec"]["selector"], one["metadata"].get("labels") or {})
        ]
        request, missing = _request(pods)
        rules = self._rules(body["spec"], request)
        uid = body["metadata"]["uid"]
        measured = [] if missing or self.metrics.api is not MetricsApi.THERE else [self._pod(one) for one in pods]
        before = deployment["spec"]["replicas"]
        decision = look(rules, before, measured, self._memory.get(uid, Memory()), self.clock.now_s())
        self._memory[uid] = decision.memory
        self._decided(body, deployment, now_n, decision, self._trouble(missing), request)

    def _trouble(self, missing: str) -> str:
        if self.metrics.api is not MetricsApi.THERE:
            return _API_ERRORS[self.metrics.api]
        return missing or "did not receive metrics for targeted pods (pods might be unready)"

    def _rules(self, spec: Json, request: float) -> Rules:
        metrics = tuple(
            Metric("cpu", one["resource"]["target"]["averageUtilization"], request)
            for one in spec["metrics"]
            if one["type"] == "Resource" and "averageUtilization" in one["resource"]["target"]
        )
        behavior = spec.get("behavior")
        told = None
        if behavior is not None:
            told = Behavior(_way(behavior.get("scaleUp"), UP), _way(behavior.get("scaleDown"), DOWN))
        return Rules(spec["minReplicas"], spec["maxReplicas"], metrics, told, self.clock_factor)

    def _pod(self, body: Json) -> Pod:
        use = self.metrics.use_of(body)
        turned = condition(body, "Ready") or {"lastTransitionTime": body["metadata"]["creationTimestamp"]}
        return Pod(
            name=body["metadata"]["name"],
            started_s=seconds_of(body["status"].get("startTime") or body["metadata"]["creationTimestamp"]),
            ready=ready(body),
            turned_s=seconds_of(turned["lastTransitionTime"]) - self.metrics.window_s,
            pending=body["status"]["phase"] == "Pending",
            leaving="deletionTimestamp" in body["metadata"],
            usage={"cpu": Usage(use.cores, use.at_s, use.window_s)} if use else {},
        )

    def _decided(
        self, body: Json, deployment: Json, now_n: int, decision: Decision, trouble: str, request: float
    ) -> None:
        failed = decision.reason.startswith("no metric")
        before, after = deployment["spec"]["replicas"], decision.after
        told = [
            (
                "AbleToScale",
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            )
        ]
        clamped = decision.reason.startswith(("maximum: ", "minimum: "))
        if before == 0:
            told.append(
                (
                    "ScalingActive",
                    "False",
                    "ScalingDisabled",
                    "scaling is disabled since the replica count of the target is zero",
                )
            )
        elif failed:
            told.append(
                (
                    "ScalingActive",
                    "False",
                    "FailedGetResourceMetric",
                    f"the HPA was unable to compute the replica count: failed to get cpu utilization: {trouble}",
                )
            )
            self._complain(body, trouble)
        elif not clamped:
            stable = "window: " in decision.reason
            able = (
                ("ScaleDownStabilized", _STABLE)
                if stable
                else ("ReadyForNewScale", "recommended size matches current size")
            )
            told[0] = ("AbleToScale", "True", *able)
            told.append(("ScalingActive", "True", "ValidMetricFound", _FOUND))
            told.append(_limit(decision.reason))
        status: Json = {
            "currentReplicas": now_n,
            "desiredReplicas": after,
            "currentMetrics": self._current(decision, request),
        }
        if failed:
            status["desiredReplicas"] = body["status"].get("desiredReplicas", 0)
            status["currentMetrics"] = [{"type": ""}]
        if after != before:
            self._rescale(body, deployment, after, decision.reason)
            status["lastScaleTime"] = self.clock.stamp()
            told[0] = (
                "AbleToScale",
                "True",
                "SucceededRescale",
                f"the HPA controller was able to update the target scale to {after}",
            )
        elif "lastScaleTime" in body["status"]:
            status["lastScaleTime"] = body["status"]["lastScaleTime"]
        self._write(body, told, status)

    def _current(self, decision: Decision, request: float) -> list[Json] | None:
        reading = next(iter(decision.readings), None)
        if reading is None or reading.value is None:
            return None
        average = millis(quantity(f"{reading.value * request / 100:.3f}"))
        current = {"averageValue": average, "averageUtilization": int(reading.value)}
        return [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]

    def _rescale(self, body: Json, deployment: Json, count: int, reason: str) -> None:
        new = copy.deepcopy(deployment)
        new["spec"]["replicas"] = count
        self.registry.changed(DEPLOYMENTS, deployment, new, WriteOptions(subresource="scale"))
        why = "cpu resource utilization (percentage of request) above target"
        if reason.startswith("minimum: "):
            why = "Current number of replicas below Spec.MinReplicas"
        elif reason.startswith("maximum: "):
            why = "Current number of replicas above Spec.MaxReplicas"
        elif count < deployment["spec"]["replicas"]:
            why = "All metrics below target"
        self.events.say(body, "Normal", "SuccessfulRescale", f"New size: {count}; reason: {why}")

    def _complain(self, body: Json, trouble: str) -> None:
        why = f"failed to get cpu utilization: {trouble}"
        self.events.say(body, "Warning", "FailedGetResourceMetric", why)
        first = f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {why}"
        self.events.say(body, "Warning", "FailedComputeMetricsReplicas", first)

    def _write(self, body: Json, told: list[tuple[str, str, str, str]], status: Json) -> None:
        kept = {one["type"]: one for one in body["status"].get("conditions", ())}
        for kind, holds, reason, message in told:
            held = kept.get(kind)
            since = held["lastTransitionTime"] if held and held["status"] == holds else self.clock.stamp()
            kept[kind] = {
                "type": kind,
                "status": holds,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        self.registry.status(AUTOSCALERS, body, {**(status or body["status"]), "conditions": list(kept.values())})


def _limit(reason: str) -> tuple[str, str, str, str]:
    found = reason.partition("; ")[2]
    for word, name, message in _LIMITS:
        if word in found:
            return "ScalingLimited", "True", name, message
    return "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"


def _request(pods: list[Json]) -> tuple[float, str]:
    """The CPU request of a pod, or what is missing."""
    request = 0.0
    for pod in pods:
        total = 0.0
        for container in pod["spec"]["containers"]:
            asked = (container["resources"].get("requests") or {}).get("cpu")
            if asked is None:
                return 1.0, f"missing request for cpu in container {container['name']} of Pod {pod['metadata']['name']}"
            total += float(quantity(asked))
        request = total
    return request or 1.0, ""


def _way(written: Json | None, default: Direction) -> Direction:
    if written is None:
        return default
    policies = tuple(
        Policy("pods" if one["type"] == "Pods" else "percent", one["value"], float(one["periodSeconds"]))
        for one in written.get("policies") or ()
    )
    chosen = {"Min": "min", "Disabled": "disabled"}.get(written.get("selectPolicy", "Max"), "max")
    window_s = float(written.get("stabilizationWindowSeconds", default.window_s))
    return Direction(window_s, policies or default.policies, chosen)  # type: ignore[arg-type]
