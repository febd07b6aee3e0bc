"""Which request goes where: the table of traffic, and Envoy's routes made of it. Pure.

Headers of ours are heard only with the endpoint's secret, and none of them reaches a replica.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from core.domain.model import Slot, Sticky, StickyBy

Json: TypeAlias = dict[str, Any]

SLOT_HEADER = "x-quarterdeck-slot"
ROUTE_HEADER = "x-quarterdeck-route"
PROBE_HEADER = "x-quarterdeck-probe"
PAIR_HEADER = "x-quarterdeck-pair"
"""A request that is copied and its copy carry the same value of this, and no other request carries any."""
MIRROR_SUFFIX = "-mirror"
METRICS_PATH = "/metrics"
METRICS_CLUSTER = "metrics_page"
"""Behind it the host answers; no slot can be called so."""

SPLIT, PINNED, PROBE, METRICS = "split", "pinned", "probe", "metrics"
"""What routes are called."""
COUNTED = (SPLIT, PINNED)
"""What people asked; the host's own probes are no traffic."""

TYPE = "type.googleapis.com/envoy."


@dataclass(frozen=True, slots=True)
class Table:
    """Who gets what: weights in percent, who gets a copy of how many percent, and the ports of each slot's ready
    replicas. Generations only rise.

    `secret` is what headers of ours must carry; `metrics` is the socket on which the host answers for /metrics.
    """

    generation: int = 0
    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    ports: Mapping[Slot, tuple[int, ...]] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    metrics: Path | None = None
    sticky: Sticky | None = None


def pin(slot: Slot, secret: str) -> dict[str, str]:
    """The header that reaches a slot whatever its weight is."""
    return {SLOT_HEADER: f"{slot}.{secret}"}


def probe(secret: str) -> dict[str, str]:
    """The header of the host's own questions: counted nowhere, and answered with the slot and its routes' number."""
    return {PROBE_HEADER: secret}


def routes(table: Table) -> Json:
    """The route file: the host's probes, what names a slot, the page of counters, then the weights."""
    found = [route for slot in table.ports for route in _pinned(table, slot)]
    found.append(_route(PROBE, {"prefix": "/", **_with(probe(table.secret))}, _split(table, tell=True)))
    if table.metrics is not None:
        found.append(_route(METRICS, {"path": METRICS_PATH}, {"route": {"cluster": METRICS_CLUSTER, "timeout": "10s"}}))
    found += [_copied(table, slot, percent) for slot, percent in table.mirror.items()]
    found.append(_route(SPLIT, {"prefix": "/"}, _split(table, tell=False)))
    number = _header(ROUTE_HEADER, str(table.generation))
    for route in found:
        if route["name"] == PROBE:
            route["response_headers_to_add"] = [*route.get("response_headers_to_add", []), number]
    return resources(
        table,
        "config.route.v3.RouteConfiguration",
        [
            {
                "name": "split",
                "virtual_hosts": [{"name": "split", "domains": ["*"], "routes": found}],
                # What a route adds is added after this has been taken off.
                "most_specific_header_mutations_wins": True,
                "request_headers_to_remove": [SLOT_HEADER, PROBE_HEADER, PAIR_HEADER],
            }
        ],
    )


def _pinned(table: Table, slot: Slot) -> list[Json]:
    """A probe of one slot, and what names one."""
    to: Json = {"route": {"cluster": slot, **_manners()}}
    told = {"response_headers_to_add": [_header(SLOT_HEADER, slot)]}
    named = pin(slot, table.secret)
    return [
        _route(PROBE, {"prefix": "/", **_with({**probe(table.secret), **named})}, {**to, **told}),
        _route(PINNED, {"prefix": "/", **_with(named)}, to),
    ]


def _route(name: str, match: Json, action: Json) -> Json:
    return {"name": name, "match": match, **action}


def _with(headers: Mapping[str, str]) -> Json:
    return {"headers": [{"name": name, "string_match": {"exact": value}} for name, value in headers.items()]}


def _copied(table: Table, slot: Slot, percent: float) -> Json:
    """So many percent of the requests: the route to the weights for them, with a copy of each and a mark on both.

    To choose here, and not in the policy of the mirror, keeps the mark from all requests that are not copied.
    """
    fraction = {"default_value": {"numerator": round(percent * 10_000), "denominator": "MILLION"}}
    action = _split(table, tell=False)
    action["route"]["request_mirror_policies"] = [
        {"cluster": slot + MIRROR_SUFFIX, "disable_shadow_host_suffix_append": True}
    ]
    mark = {"request_headers_to_add": [_header(PAIR_HEADER, "%UNIQUE_ID%")]}
    return _route(SPLIT, {"prefix": "/", "runtime_fraction": fraction}, {**action, **mark})


def _split(table: Table, *, tell: bool) -> Json:
    """By weight; `tell` names the slot in the answer. Probes are not mirrored: a copy would count as a user's."""
    weights = {slot: weight for slot, weight in table.weights.items() if weight > 0}
    if not weights:
        return {"direct_response": {"status": 503, "body": {"inline_string": "no traffic is routed to this endpoint"}}}
    shares: list[Json] = []
    # Always in the same order: a caller who stays on one side must not change it because another share grew.
    for slot, weight in sorted(weights.items()):
        told = {"response_headers_to_add": [_header(SLOT_HEADER, slot)]} if tell else {}
        shares.append({"name": slot, "weight": max(1, round(weight * 100)), **told})
    clusters: Json = {"clusters": shares}
    if table.sticky is None:
        return {"route": {"weighted_clusters": clusters, **_manners()}}
    clusters["use_hash_policy"] = True
    return {"route": {"weighted_clusters": clusters, "hash_policy": [_hashed(table.sticky)], **_manners()}}


def _hashed(sticky: Sticky) -> Json:
    """By what a caller is known again; without it the router throws dice."""
    name = "header_name" if sticky.by is StickyBy.HEADER else "name"
    return {sticky.by.value: {name: sticky.name}}


def _manners() -> Json:
    """How a request is tried: on another replica if one refuses, breaks off or is draining. A copy is tried once."""
    return {
        "timeout": "60s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset,retriable-status-codes",
            "retriable_status_codes": [503],
            "num_retries": 4,
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
                }
            ],
            "host_selection_retry_max_attempts": 5,
        },
    }


def resources(table: Table, kind: str, resources: list[Json]) -> Json:
    """The contents of a file that Envoy follows."""
    return {
        "version_info": str(table.generation),
        "resources": [{"@type": TYPE + kind, **resource} for resource in resources],
    }


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
