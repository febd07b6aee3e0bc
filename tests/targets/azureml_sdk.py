"""What the official client makes of a YAML: the bodies that it would send, as JSON. Runs in a child, which it may fill.

`python -m tests.targets.azureml_sdk FOLDER IDS` reads endpoint.yml, traffic.yml, deployment.yml, model.yml and
environment.yml there; IDS is JSON with what uploads would have made of their files.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main(folder: Path, ids: dict[str, str]) -> dict[str, Any]:
    """The bodies by the names of their files."""
    from azure.ai.ml import load_environment, load_model, load_online_deployment, load_online_endpoint
    from azure.ai.ml.entities._assets import Code

    deployment = load_online_deployment(folder / "deployment.yml")
    # What uploads do: names become ids, and files addresses.
    deployment.model, deployment.environment = ids["model"], ids["environment"]
    deployment.code_configuration.code = ids["code"]
    model = load_model(folder / "model.yml")
    model._path = ids["modelUri"]
    code = Code(path=str(folder), name="n", version="1")
    code._path, code._is_anonymous, code._hash_sha256 = ids["codeUri"], True, ids["hash"]
    environment = load_environment(folder / "environment.yml")
    return {
        "endpoint": _plain(load_online_endpoint(folder / "endpoint.yml")._to_rest_online_endpoint("eastus")),
        "traffic": _plain(load_online_endpoint(folder / "traffic.yml")._to_rest_online_endpoint("eastus")),
        "deployment": _plain(deployment._to_rest_object("eastus")),
        "model": _plain(model._to_rest_object()),
        "environment": _plain(environment._to_rest_object()),
        "code": _plain(code._to_rest_object()),
    }


def _plain(body: Any) -> Any:
    """As it goes over the wire; the older half of the client's models serialize otherwise than the newer."""
    found = body.serialize() if hasattr(body, "serialize") else body.as_dict()
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), json.loads(sys.argv[2])), sys.stdout)
