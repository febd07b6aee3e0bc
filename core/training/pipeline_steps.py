"""The six steps of a release that trains, as nodes of a pipeline: what each runs, needs and leaves. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

SETTINGS, TABLE, MODEL, DEPLOYMENT = "settings", "table", "model", "deployment"
TRAINED = "trained"


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """One node. `runs` are steps of a release; `needs` are inputs of the pipeline or outputs of other nodes; `leaves`
    is what of its folder goes into its one `output`."""

    name: str
    says: str
    output: str
    needs: tuple[str, ...]
    runs: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


_EVERY = (
    PipelineStep(
        "validate",
        "Rows read, judged and split.",
        "rows",
        (SETTINGS, TABLE),
        ("data",),
        ("data.json", "rows.jsonl", "train.parquet", "test.parquet"),
    ),
    PipelineStep(
        "features",
        "Columns encoded, as the training rows have them.",
        "features",
        (SETTINGS, "rows"),
        ("preprocess",),
        ("preprocess.json", "encoder.json", "matrices.npz"),
    ),
    PipelineStep(
        "train",
        "The baseline, and the candidate by a search.",
        TRAINED,
        (SETTINGS, "rows", "features"),
        ("train",),
        ("train.json", "baseline", "candidate"),
    ),
    PipelineStep(
        "evaluate",
        "Both on the held-out rows; ends the pipeline where a threshold is not met.",
        "evaluated",
        (SETTINGS, "rows", "features", TRAINED),
        ("train", "evaluate", "gate"),
        ("evaluate.json", "gate.json"),
    ),
    PipelineStep(
        "register",
        "The candidate as a model of MLflow, loaded back and tried; its output is a version of the model.",
        MODEL,
        (SETTINGS, "rows", "features", TRAINED, "evaluated"),
        ("train", "register", "check"),
    ),
    PipelineStep(
        "prepare",
        "A folder to deploy the model from: code, packages and deployment.yml, tried.",
        DEPLOYMENT,
        (SETTINGS, MODEL),
    ),
)
PIPELINE: Mapping[str, PipelineStep] = {step.name: step for step in _EVERY}
"""By their names, in their order."""


def maker_of(output: str) -> str:
    """Which node leaves it; empty for an input of the pipeline."""
    return next((step.name for step in _EVERY if step.output == output), "")
