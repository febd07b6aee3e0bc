"""`python -m tests.azure.sdk_training FOLDER`: a cluster; jobs streamed, failed, cancelled.

All by Microsoft's own client, unmodified. FOLDER holds `train.py` and `data.csv`; each step is a line of JSON.
"""

import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient, command
from azure.ai.ml.entities import AmlCompute, Environment
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential

from tests.azure.sdk_release import IMAGE, client, say


def job(folder: Path, words: str) -> Any:
    """A command on the cluster, with the folder's code."""
    environment = Environment(image=IMAGE, name="train", version="1")
    data = Input(type="uri_file", path=str(folder / "data.csv"))
    where = {"compute": "train-cluster", "experiment_name": "late", "environment": environment}
    return command(command=words, code=str(folder / "code"), inputs={"data": data}, **where)


def streamed(ml: MLClient, name: str) -> str:
    """What `stream` prints, and how it ends."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            ml.jobs.stream(name)
        except Exception as error:
            return f"{out.getvalue()}\n{type(error).__name__}: {error}"
    return out.getvalue()


def cluster(ml: MLClient) -> None:
    """Made, read, and what sizes and cores there are."""
    wanted = AmlCompute(
        name="train-cluster", size="Standard_D4s_v3", tier="low_priority", min_instances=0, max_instances=4
    )
    made = ml.compute.begin_create_or_update(wanted).result()
    say("cluster", [made.provisioning_state, made.size, made.tier, made.max_instances])
    say("sizes", "Standard_DS3_v2" in {one.name for one in ml.compute.list_sizes()})
    say("usages", next(one.limit for one in ml.compute.list_usage() if one.name["value"] == "standardDSv2Family"))


def main() -> None:
    """All of it."""
    ml, folder = client(DefaultAzureCredential()), Path(sys.argv[1])
    cluster(ml)
    trained = ml.jobs.create_or_update(job(folder, f"{sys.executable} train.py ${{{{inputs.data}}}}"))
    said = streamed(ml, trained.name)
    say("trained", ["3 rows" in said, ml.jobs.get(trained.name).status])
    failed = ml.jobs.create_or_update(job(folder, "echo no such luck; sleep 1; exit 3"))
    said = streamed(ml, failed.name)
    say("failed", ["no such luck" in said, "JobException" in said, "status code 3" in said])
    stuck = ml.jobs.create_or_update(job(folder, "echo begun; sleep 600"))
    while ml.jobs.get(stuck.name).status != "Running":
        time.sleep(0.2)
    ml.jobs.begin_cancel(stuck.name).result()
    say("cancelled", ml.jobs.get(stuck.name).status)
    try:
        ml.jobs.begin_cancel(stuck.name).result()
    except HttpResponseError as error:
        say("too late", error.status_code)
    ml.compute.begin_delete("train-cluster").result()
    say("clusters", [one.name for one in ml.compute.list()])


if __name__ == "__main__":
    main()
