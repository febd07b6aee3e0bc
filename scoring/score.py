"""`init()` and `run(raw_data)`, as Azure ML calls them, over the same model as the service.

`python -m scoring.score FOLDER` tries them on the model's own example and prints the answer.
"""

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scoring.answers import Writer
from scoring.model import Model, ModelError, load


@dataclass(slots=True)
class _Loaded:
    """Azure ML's contract is two functions of a module, so what `init` loads has to wait here for `run`."""

    model: Model | None = None
    writer: Writer | None = None


_loaded = _Loaded()


def init() -> None:
    """Load the model of the folder `AZUREML_MODEL_DIR`, or of the first folder below it that holds one."""
    folder = _folder(Path(os.environ.get("AZUREML_MODEL_DIR", ".")))
    model = load(folder)
    model.warm_up()
    _loaded.model = model
    _loaded.writer = Writer(model, _version(folder))


def run(raw_data: str | bytes) -> Any:
    """The answer to a request's body, in the forms and words of `POST /predict`.

    A request that can't be used gets its error and status through Azure ML's own answer, where its server is
    installed, and else as `{"error": …}`.
    """
    if _loaded.model is None or _loaded.writer is None:
        raise ModelError("run() came before init(): call init() once first")
    body = raw_data.encode() if isinstance(raw_data, str) else bytes(raw_data)
    batch = _loaded.model.predict([(body, "")])
    if refused := batch.refused.get(0):
        return _refusal(refused.status, {"error": str(refused)})
    return _loaded.writer.document(batch, 0)


def _refusal(status: int, document: dict[str, str]) -> Any:
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        return document
    answers = importlib.import_module("azureml_inference_server_http.api.aml_response")
    return answers.AMLResponse(document, status, json_str=True)


def _folder(root: Path) -> Path:
    """Azure ML mounts a model under a folder of the name it was registered by."""
    if (root / "model.json").is_file():
        return root
    return next((path.parent for path in sorted(root.glob("**/model.json"))), root)


def _version(folder: Path) -> str:
    """Azure ML mounts models under `…/NAME/VERSION`; empty where no part of the path is a number."""
    numbers = [part for part in folder.resolve().parts if part.isdigit()]
    return os.environ.get("MODEL_VERSION") or (numbers[-1] if numbers else "")


def main(arguments: list[str]) -> int:
    """Try `init` and `run` on the model's own example."""
    if arguments:
        os.environ["AZUREML_MODEL_DIR"] = arguments[0]
    try:
        init()
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    example = dict(_loaded.model.about.example) if _loaded.model else {}
    answer = run(orjson.dumps({"dataframe_records": [example], "probabilities": True}))
    sys.stdout.write(orjson.dumps(answer).decode() + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
