"""What Envoy is told: pure functions from a table of traffic to the contents of its files. Starts nothing.

Everything that changes lies in three files that Envoy follows (endpoints, clusters, routes); the bootstrap only
says where they are, where to listen and what to count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from core.domain.model import Slot

Json: TypeAlias = dict[str, Any]

SLOT_HEADER = "x-quarterdeck-slot"
ROUTE_HEADER = "x-quarterdeck-route"
PROBE_HEADER = "x-quarterdeck-probe"
MIRROR_SUFFIX = "-mirror"

_TYPE = "type.googleapis.com/envoy."
_MANY = 1_000_000
_BUFFER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """Who gets what: weights in percent, and the ports of each slot's ready replicas. Generations only rise."""

    generation: int = 0
    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Slot | None = None
    ports: Mapping[Slot, tuple[int, ...]] = field(default_factory=dict)


def endpoints(table: Table, slot: Slot) -> Json:
    """The endpoint file of one slot, empty while nothing is ready."""
    ports = [{"endpoint": {"address": _at("127.0.0.1", port)}} for port in table.ports[slot]]
    assignment = {"cluster_name": slot, "endpoints": [{"lb_endpoints": ports}]}
    return _resources(table, "config.endpoint.v3.ClusterLoadAssignment", [assignment])


def endpoints_file(slot: Slot) -> str:
    """Its name. A file each, since Envoy takes one assignment from a file."""
    return f"endpoints-{slot}.json"


def clusters(table: Table, folder: Path) -> Json:
    """The cluster file: each slot twice, since a mirrored request is counted nowhere else."""
    names = [name for slot in table.ports for name in (slot, slot + MIRROR_SUFFIX)]
    return _resources(table, "config.cluster.v3.Cluster", [_cluster(name, folder) for name in names])


def _cluster(name: str, folder: Path) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {
            "service_name": name.removesuffix(MIRROR_SUFFIX),
            "eds_config": _follow(folder / endpoints_file(name.removesuffix(MIRROR_SUFFIX))),
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "ignore_health_on_host_removal": True,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _MANY,
                    "max_pending_requests": _MANY,
                    "max_requests": _MANY,
                    "max_retries": _MANY,
                }
            ]
        },
        # A model's own 500 says nothing about its process, so only failures to reach it eject.
        "outlier_detection": {
            "consecutive_gateway_failure": 3,
            "enforcing_consecutive_gateway_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_success_rate": 0,
            "base_ejection_time": "1s",
            "max_ejection_time": "5s",
            "interval": "0.5s",
            "max_ejection_percent": 50,
        },
    }


def routes(table: Table) -> Json:
    """The route file: a header that names a slot, then the weights."""
    pinned: list[Json] = [
        {
            "match": {"prefix": "/", "headers": [{"name": SLOT_HEADER, "string_match": {"exact": slot}}]},
            "route": {"cluster": slot, **_manners(None)},
            "response_headers_to_add": [_header(SLOT_HEADER, slot)],
        }
        for slot in table.ports
    ]
    probed = {
        "match": {"prefix": "/", "headers": [{"name": PROBE_HEADER, "present_match": True}]},
        **_split(table, None),
    }
    split: Json = {"match": {"prefix": "/"}, **_split(table, table.mirror)}
    return _resources(
        table,
        "config.route.v3.RouteConfiguration",
        [
            {
                "name": "split",
                "virtual_hosts": [
                    {
                        "name": "split",
                        "domains": ["*"],
                        # Probes are not mirrored: the copy would be counted as a user's.
                        "routes": [*pinned, *([probed] if table.mirror else []), split],
                    }
                ],
                "response_headers_to_add": [_header(ROUTE_HEADER, str(table.generation))],
            }
        ],
    )


def _split(table: Table, mirror: Slot | None) -> Json:
    weights = {slot: weight for slot, weight in table.weights.items() if weight > 0}
    if not weights:
        return {"direct_response": {"status": 503, "body": {"inline_string": "no traffic is routed to this endpoint"}}}
    shares = [
        {
            "name": slot,
            "weight": max(1, round(weight * 100)),
            "response_headers_to_add": [_header(SLOT_HEADER, slot)],
        }
        for slot, weight in weights.items()
    ]
    return {"route": {"weighted_clusters": {"clusters": shares}, **_manners(mirror)}}


def _manners(mirror: Slot | None) -> Json:
    """How a request is tried: on another replica if one refuses, breaks off or is draining."""
    manners: Json = {
        "timeout": "60s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset,retriable-status-codes",
            "retriable_status_codes": [503],
            "num_retries": 4,
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": _TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
                }
            ],
            "host_selection_retry_max_attempts": 5,
        },
    }
    if mirror:
        manners["request_mirror_policies"] = [{"cluster": mirror + MIRROR_SUFFIX}]
    return manners


def bootstrap(folder: Path, admin: Path, host: str, port: int) -> Json:
    """The file Envoy starts with. `admin` is a unix socket; the port is bound alone, so a taken one is noticed."""
    return {
        "node": {"id": "quarterdeck", "cluster": "quarterdeck"},
        "admin": {"address": {"pipe": {"path": str(admin), "mode": 0o600}}},
        "stats_flush_interval": "0.2s",
        "dynamic_resources": {"cds_config": _follow(folder / "clusters.json")},
        "static_resources": {
            "listeners": [
                {
                    "name": "front",
                    "address": _at(host, port),
                    "enable_reuse_port": False,
                    "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
                    "filter_chains": [{"filters": [_manager(folder)]}],
                }
            ]
        },
    }


def _manager(folder: Path) -> Json:
    prefix = _TYPE + "extensions.filters.network.http_connection_manager.v3."
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": prefix + "HttpConnectionManager",
            "stat_prefix": "front",
            "generate_request_id": False,
            "server_header_transformation": "PASS_THROUGH",
            "stream_idle_timeout": "60s",
            "rds": {"route_config_name": "split", "config_source": _follow(folder / "routes.json")},
            "local_reply_config": {
                "body_format": {
                    "json_format": {"error": "%LOCAL_REPLY_BODY%", "status": "%RESPONSE_CODE%"},
                }
            },
            "access_log": [_counting()],
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": _TYPE + "extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
        },
    }


def _counting() -> Json:
    """Counts answers as users saw them, after retries, in microseconds; what the host probes is left out."""
    tags = [
        {"name": "slot", "value_format": "%UPSTREAM_CLUSTER%"},
        {"name": "code", "value_format": "%RESPONSE_CODE%"},
        {"name": "flags", "value_format": "%RESPONSE_FLAGS%"},
    ]
    whole = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"
    return {
        "name": "envoy.access_loggers.stats",
        "filter": {"header_filter": {"header": {"name": PROBE_HEADER, "present_match": True, "invert_match": True}}},
        "typed_config": {
            "@type": _TYPE + "extensions.access_loggers.stats.v3.Config",
            "stat_prefix": "user",
            "counters": [{"stat": {"name": "answers", "tags": tags}, "value_fixed": 1}],
            "histograms": [{"stat": {"name": "took", "tags": tags[:1]}, "unit": "Microseconds", "value_format": whole}],
        },
    }


def _resources(table: Table, kind: str, resources: list[Json]) -> Json:
    return {
        "version_info": str(table.generation),
        "resources": [{"@type": _TYPE + kind, **resource} for resource in resources],
    }


def _follow(path: Path) -> Json:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _at(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
