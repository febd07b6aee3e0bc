"""Manifests against the published schemas: Kubernetes' own OpenAPI, and the Gateway API's HTTPRoute.

    uv pip install -c constraints.txt --group proofs
    python -m tests.kubernetes_schemas                          # by every version of Kubernetes that the package has
    python -m tests.kubernetes_schemas --write --gateway FILE   # write down what the suite reads

The package `kubernetes-validate` (Apache-2.0) brings the schemas of Kubernetes. FILE is the Gateway API's
config/crd/standard/gateway.networking.k8s.io_httproutes.yaml (Apache-2.0) of a release; what is kept is of v1.6.1.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from core.targets.kubernetes.manifests import all_of, key_secret, route
from tests.targets.kubernetes_scenes import GATEWAY, IMAGE, SEVEN, endpoint_of

Json = dict[str, Any]
KEPT = Path(__file__).parent / "data" / "kubernetes" / "schemas.json"
KEPT_VERSION = "1.36"
OLDEST = (1, 30)
"""The first version in which a pod may sleep before it ends without a feature gate."""
NAMES = {
    "Namespace": "io.k8s.api.core.v1.Namespace",
    "Service": "io.k8s.api.core.v1.Service",
    "Secret": "io.k8s.api.core.v1.Secret",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "HTTPRoute": "io.k8s.networking.gateway.v1.HTTPRoute",
}


class PublishedSchemas:
    """Definitions of one version, each made ready once."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions
        self._ready: dict[str, Any] = {}

    def wrong(self, body: Json) -> list[str]:
        """Every place of an object that its kind's definition does not allow."""
        kind = body["kind"]
        if kind not in self._ready:
            schema = {"$ref": f"#/$defs/{NAMES[kind]}", "$defs": self.definitions}
            self._ready[kind] = jsonschema_rs.validator_for(schema)
        errors = self._ready[kind].iter_errors(body)
        return [f"{kind}: {'.'.join(map(str, error.instance_path))}: {error.message}" for error in errors]


@cache
def kept() -> PublishedSchemas:
    """Those that the suite reads."""
    return PublishedSchemas(json.loads(KEPT.read_text()))


def objects(folder: Path) -> Iterator[Json]:
    """Every kind of object that we write, with all that may stand in it."""
    behavior = {"up": {"policies": [{"pods": 2}]}, "down": {"window_s": 60, "select": "min"}}
    scaling = {"min": 2, "max": 15, "cpu": 60, "memory": 80, "behavior": behavior}
    endpoint = {"name": "late", "key_env": "LATE_KEY", "autoscaling": scaling}
    for place in ({"create_namespace": True}, {"traffic": "selector"}, GATEWAY):
        at = endpoint_of(folder, place, endpoint=endpoint)
        yield from (*all_of(at, "blue", SEVEN, IMAGE), key_secret(at, "key"))
    host = {**GATEWAY, "gateway": {"name": "front", "namespace": "infra", "host": "*.example.com"}}
    at = endpoint_of(folder, host)
    for copied in (20.0, 0.5):
        yield route(at, {"blue": 99.5, "green": 0.5}, {"green": copied}, secret="5ec")


def published() -> dict[str, Path]:
    """The definitions of each version that the package has and that we can serve on."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        sys.exit("the package kubernetes-validate is not installed: uv pip install -c constraints.txt --group proofs")
    home = Path(spec.origin).parent / "kubernetes-json-schema"
    found = {
        path.parent.name.removeprefix("v").split(".0-")[0]: path for path in home.glob("*-strict/_definitions.json")
    }
    return {name: found[name] for name in sorted(found) if tuple(map(int, name.split("."))) >= OLDEST}


def definitions_of(path: Path) -> Json:
    """Those of a file, with what our kinds need and no other, without what only people read."""
    whole, found, wanted = json.loads(path.read_text())["$defs"], {}, sorted(NAMES.values())
    while wanted:
        name = wanted.pop()
        if name in whole and name not in found:
            found[name] = _bare(whole[name])
            wanted += _named(found[name])
    return found


def route_of(path: Path) -> Json:
    """The schema of an HTTPRoute, which takes no field that it does not name."""
    versions = yaml.safe_load(path.read_text())["spec"]["versions"]
    schema = _bare(next(one for one in versions if one["name"] == "v1")["schema"]["openAPIV3Schema"])
    schema["properties"].pop("status")
    return {NAMES["HTTPRoute"]: _closed(schema)}


def _bare(value: Any, *, named: bool = False) -> Any:
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return f"#/$defs/{value.rpartition('/')[2]}" if isinstance(value, str) and "/$defs/" in value else value
    said = {key: _bare(one, named=key == "properties") for key, one in value.items()}
    return {key: one for key, one in said.items() if named or not key.startswith(("description", "default", "x-kube"))}


def _named(value: Any) -> Iterator[str]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(one, str) and one.startswith("#/$defs/"):
            yield one.removeprefix("#/$defs/")
        yield from _named(one)


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    shut = {"additionalProperties": False} if isinstance(value.get("properties"), dict) and "type" in value else {}
    return {**{key: _closed(one) for key, one in value.items()}, **shut}


def main() -> int:
    """Print what each version finds wrong; 1 where one finds something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--gateway", type=Path)
    options = parser.parse_args()
    published_route = (
        route_of(options.gateway) if options.gateway else {NAMES["HTTPRoute"]: kept().definitions[NAMES["HTTPRoute"]]}
    )
    if options.write:
        found = {**definitions_of(published()[KEPT_VERSION]), **published_route}
        parts = (f"{json.dumps(name)}: {json.dumps(found[name], sort_keys=True)}" for name in sorted(found))
        KEPT.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    troubles = 0
    with tempfile.TemporaryDirectory() as folder:
        made = list(objects(Path(folder)))
    for version, path in published().items():
        schemas = PublishedSchemas({**definitions_of(path), **published_route})
        lines = [line for body in made for line in schemas.wrong(body)]
        troubles += len(lines)
        head = f"{version}  {len(made)} objects, {len(schemas.definitions)} definitions, {len(lines)} wrong"
        print("\n".join([head, *lines]))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
