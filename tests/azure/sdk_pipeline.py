"""`python -m tests.azure.sdk_pipeline FILE`: a pipeline's YAML submitted by Microsoft's own client, unmodified.

As `az ml job create --file FILE` does it. Each step is a line of JSON.
"""

import sys
from pathlib import Path

from azure.ai.ml import load_job
from azure.identity import DefaultAzureCredential

from tests.azure.sdk_release import client, say


def main(file: Path) -> None:
    """Loaded, validated, submitted, read back."""
    ml = client(DefaultAzureCredential())
    job = load_job(file)
    say("validated", ml.jobs.validate(job).passed)
    made = ml.jobs.create_or_update(job)
    say("submitted", [made.type, made.display_name, made.experiment_name, [*made.jobs]])
    say("name", made.name)
    say("read", ml.jobs.get(made.name).type)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
