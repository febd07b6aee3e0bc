"""What the official client makes of a job's YAML, as JSON. Runs in a child, which it may fill.

`python -m tests.training.sdk_jobs FILE` for a command's body; with `--pipeline` a pipeline as it reads it, with
`--deployment` the body of an online deployment.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def main(file: Path) -> Any:
    """The body that it would send, before names become ids."""
    from azure.ai.ml import load_job, load_online_deployment

    if "--deployment" in sys.argv:
        deployment = load_online_deployment(file)
        # What uploads would have made of its parts.
        deployment.environment = deployment.code_configuration.code = "there"
        return json.loads(json.dumps(deployment._to_rest_object("eastus").as_dict()))
    found = load_job(file)
    if "--pipeline" in sys.argv:
        return json.loads(json.dumps(found._to_dict(), default=str))
    body = found._to_job()._to_rest_object()
    return json.loads(json.dumps(body.as_dict() if hasattr(body, "as_dict") else body.serialize()))["properties"]


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        told = main(Path(sys.argv[1]))
    json.dump(told, sys.stdout)
