"""What Envoy is told: pure functions from a table of traffic to the contents of its files. Starts nothing.

Everything that changes lies in three files that Envoy follows (endpoints, clusters, routes); the bootstrap only
says where they are, where to listen and what to count. The routes stand in `routes`.
"""

from pathlib import Path

from core.domain.model import Slot
from core.targets.local.routes import (
    METRICS_CLUSTER,
    MIRROR_SUFFIX,
    PROBE_HEADER,
    ROUTE_HEADER,
    SLOT_HEADER,
    TYPE,
    Json,
    Table,
    resources,
    routes,
)

__all__ = [
    "PROBE_HEADER",
    "ROUTE_HEADER",
    "SLOT_HEADER",
    "Json",
    "Table",
    "bootstrap",
    "clusters",
    "endpoints",
    "endpoints_file",
    "routes",
]

_MANY = 1_000_000
_BUFFER_BYTES = 16 << 20
_COPIES = 32
"""So many copies may be under way to a slot, and as many wait; the others are not made, and no user waits for one."""

_OWN_ERRORS = {
    ("UH",): "no replica is ready: try again in a moment",
    ("UF", "UC", "URX", "UR"): "the replica went away before its answer: try again",
    ("UT",): "the replica did not answer in time: send fewer rows at a time",
    ("SI",): "the request did not come whole in time: send it without a pause",
}
"""What the router's own answers say, by the flags that Envoy gives their cause."""
_AGAIN: Json = {"headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}]}
_OWN_STATUSES = {
    400: "the request is not HTTP as it should be: look at its first line, its headers and its framing",
    403: "the connection can't be upgraded to another protocol: send plain HTTP/1.1",
    404: "there is no such path: POST to /predict or /score, or GET /metadata",
    408: "the request did not come whole in time: send it without a pause",
    413: "the request is larger than the router takes: send fewer rows at a time",
    426: "this version of HTTP is not taken: send HTTP/1.0 or HTTP/1.1",
    431: "the headers are larger than the router takes: send fewer or shorter ones",
}
"""What they say by status, where no flag says more."""
GAVE_UP_MS = 1000
"""Who goes away without an answer after so long has given up; before that it may be for reasons of their own."""
HEADERS_S, REQUEST_S = "10s", "60s"
"""So long a request's headers, and the whole of it, may take to come."""


def endpoints(table: Table, slot: Slot) -> Json:
    """The endpoint file of one slot, empty while nothing is ready."""
    ports = [{"endpoint": {"address": _at("127.0.0.1", port)}} for port in table.ports[slot]]
    assignment = {"cluster_name": slot, "endpoints": [{"lb_endpoints": ports}]}
    return resources(table, "config.endpoint.v3.ClusterLoadAssignment", [assignment])


def endpoints_file(slot: Slot) -> str:
    """Its name. A file each, since Envoy takes one assignment from a file."""
    return f"endpoints-{slot}.json"


def clusters(table: Table, folder: Path) -> Json:
    """The cluster file: each slot twice, since a mirrored request is counted nowhere else."""
    names = [name for slot in table.ports for name in (slot, slot + MIRROR_SUFFIX)]
    page = [] if table.metrics is None else [_page(table.metrics)]
    return resources(table, "config.cluster.v3.Cluster", [*(_cluster(name, folder) for name in names), *page])


def _page(socket: Path) -> Json:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(socket)}}}}
    return {
        "name": METRICS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": METRICS_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _cluster(name: str, folder: Path) -> Json:
    most = _COPIES if name.endswith(MIRROR_SUFFIX) else _MANY
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
                    "max_connections": most,
                    "max_pending_requests": most,
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
    prefix = TYPE + "extensions.filters.network.http_connection_manager.v3."
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": prefix + "HttpConnectionManager",
            "stat_prefix": "front",
            "generate_request_id": False,
            "server_header_transformation": "PASS_THROUGH",
            "stream_idle_timeout": "60s",
            "request_headers_timeout": HEADERS_S,
            "request_timeout": REQUEST_S,
            "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "quarterdeck"},
            "rds": {"route_config_name": "split", "config_source": _follow(folder / "routes.json")},
            "local_reply_config": {
                "mappers": [
                    *(_said(_flags(flags), text) | _AGAIN for flags, text in _OWN_ERRORS.items()),
                    *(_said(_status(status), text) for status, text in _OWN_STATUSES.items()),
                ],
                "body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%", "status": "%RESPONSE_CODE%"}},
            },
            "access_log": [_counting(), _giving_up()],
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": TYPE + "extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
        },
    }


def _said(when: Json, text: str) -> Json:
    return {"filter": when, "body": {"inline_string": text}}


def _flags(flags: tuple[str, ...]) -> Json:
    return {"response_flag_filter": {"flags": list(flags)}}


def _status(status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"own_answers.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _counting() -> Json:
    """Counts answers as users saw them, after retries, in microseconds; the route says who asked."""
    tags = [
        {"name": "route", "value_format": "%ROUTE_NAME%"},
        {"name": "slot", "value_format": "%UPSTREAM_CLUSTER%"},
        {"name": "code", "value_format": "%RESPONSE_CODE%"},
        {"name": "flags", "value_format": "%RESPONSE_FLAGS%"},
    ]
    whole = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"
    return {
        "name": "envoy.access_loggers.stats",
        "typed_config": {
            "@type": TYPE + "extensions.access_loggers.stats.v3.Config",
            "stat_prefix": "user",
            "counters": [{"stat": {"name": "answers", "tags": tags}, "value_fixed": 1}],
            "histograms": [{"stat": {"name": "took", "tags": tags}, "unit": "Microseconds", "value_format": whole}],
        },
    }


def _giving_up() -> Json:
    """Counts callers who went away without an answer after a while, by the ms in which their request came.

    One that never came whole is not counted: who sends slowly has waited for nobody.
    """
    left = {"response_flag_filter": {"flags": ["DC"]}}
    unanswered = {"comparison": {"op": "EQ", "value": {"default_value": 0, "runtime_key": "gave_up.status"}}}
    late = {"comparison": {"op": "GE", "value": {"default_value": GAVE_UP_MS, "runtime_key": "gave_up.after_ms"}}}
    tags = [
        {"name": "route", "value_format": "%ROUTE_NAME%"},
        {"name": "slot", "value_format": "%UPSTREAM_CLUSTER%"},
    ]
    came = "%COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)%"
    return {
        "name": "envoy.access_loggers.stats",
        "filter": {"and_filter": {"filters": [left, {"status_code_filter": unanswered}, {"duration_filter": late}]}},
        "typed_config": {
            "@type": TYPE + "extensions.access_loggers.stats.v3.Config",
            "stat_prefix": "user",
            "histograms": [{"stat": {"name": "gave_up", "tags": tags}, "unit": "Milliseconds", "value_format": came}],
        },
    }


def _follow(path: Path) -> Json:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _at(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
