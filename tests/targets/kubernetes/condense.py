"""Cuts recordings of a real API server to what a watch reads: `python -m tests.targets.kubernetes.condense FROM TO`.

A recording is lines of JSON: exchanges, watches, their events, and remarks. What comes of each is a line for each
change of an object, and one for the figures of all pods.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
NAMES = ("scaling", "quota", "image-pull", "unschedulable", "metrics-missing", "no-cpu-request")
KINDS = ("deployments", "pods", "horizontalpodautoscalers")
METRICS = "/apis/metrics.k8s.io/"
STATUS = ("phase", "conditions", "containerStatuses", "startTime", "replicas", "readyReplicas", "observedGeneration",
          "currentReplicas", "desiredReplicas", "currentMetrics")  # fmt: skip
SPEC = ("replicas", "nodeName", "scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior")
CONDITION = ("type", "status", "reason", "message")
CONTAINER = ("name", "image", "state", "lastState", "ready", "restartCount")


def condensed(lines: Iterator[Json]) -> Iterator[Json]:
    """The changes in a recording, each at its second from the start."""
    for line in lines:
        at = round(line["t"], 2)
        if "event" in line and (kind := _kind(line["watch"])) and line["event"]["type"] != "BOOKMARK":
            yield {"t": at, "kind": kind, "type": line["event"]["type"], "object": small(line["event"]["object"])}
        elif line.get("request", {}).get("method") == "GET" and line.get("status") == 200:
            path = line["request"]["path"]
            if path.startswith(METRICS) and path.endswith("/pods"):
                yield {"t": at, "usage": [_usage(one) for one in line["body"]["items"]]}
            elif _kind(path):
                for body in line["body"]["items"]:
                    yield {"t": at, "kind": _kind(path), "type": "ADDED", "object": small(body)}


def _kind(path: str) -> str:
    last = path.partition("?")[0].rpartition("/")[2]
    return last if last in KINDS and not path.startswith(METRICS) else ""


def _usage(body: Json) -> Json:
    return {"metadata": {"name": body["metadata"]["name"]}, "window": body["window"], "containers": body["containers"]}


def small(body: Json) -> Json:
    """An object with the fields that are read, and no others."""
    head = {key: body["metadata"][key] for key in ("name", "uid", "creationTimestamp", "deletionTimestamp")
            if key in body["metadata"]}  # fmt: skip
    spec, status = body.get("spec") or {}, body.get("status") or {}
    cut = {key: status[key] for key in STATUS if key in status}
    if "conditions" in cut:
        cut["conditions"] = [{key: one[key] for key in CONDITION if one.get(key)} for one in cut["conditions"]]
    if "containerStatuses" in cut:
        cut["containerStatuses"] = [_some(one, CONTAINER) for one in cut["containerStatuses"]]
    found: Json = {"metadata": head, "spec": _some(spec, SPEC), "status": cut}
    template = (spec.get("template") or {}).get("spec")
    if template:
        found["spec"]["template"] = {"spec": {"containers": [_container(one) for one in template["containers"]]}}
    return found


def _some(body: Json, names: tuple[str, ...]) -> Json:
    return {name: body[name] for name in names if name in body}


def _container(body: Json) -> Json:
    return _some(body, ("name", "image", "resources"))


def main(source: Path, folder: Path) -> None:
    """Each recording as a smaller file of the same name."""
    for name in NAMES:
        with (source / f"{name}.jsonl").open(encoding="utf-8") as lines:
            found = list(condensed(json.loads(line) for line in lines))
        text = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in found)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}: {len(found)} changes, {len(text)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
