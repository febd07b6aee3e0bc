"""A model of somebody else's in a process of its own, with an interpreter and packages of its own.

`PYTHON worker.py FOLDER`: runs in the environment that the model asks for and needs nothing but MLflow there. It loads
what MLflow kept, says whether that worked, then answers rows with predictions: a length of four bytes and JSON, each
way. It ends when the other side goes. What the model prints goes to the log.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import Any

LENGTH = struct.Struct("<I")
PR_SET_PDEATHSIG = 1
UNFIT = (ValueError, TypeError, LookupError)
"""What a model raises of rows that it does not know what to do with."""


def main() -> None:
    """Load, then answer until the end."""
    parent = os.getppid()
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    heard, said = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if os.getppid() != parent:
        return
    try:
        model = Served(sys.argv[1])
    except BaseException as error:
        _say(said, {"failed": _line(error)})
        return
    _say(said, {"ready": True, **model.native()})
    while len(head := heard.read(LENGTH.size)) == LENGTH.size:
        rows = json.loads(heard.read(LENGTH.unpack(head)[0]))
        _say(said, model.answer(rows))


class Served:
    """The model as MLflow loads it."""

    def __init__(self, folder: str) -> None:
        self.pyfunc = importlib.import_module("mlflow.pyfunc").load_model(folder)
        self.json = importlib.import_module("mlflow.utils.proto_json_utils")
        self.numpy = importlib.import_module("numpy")
        self.schema = self.pyfunc.metadata.get_input_schema()
        self.names = json.loads(Path(folder, "fields.json").read_text(encoding="utf-8"))

    def native(self) -> dict[str, Any]:
        """What the model itself calls its columns, and how many they are, where it says so."""
        with contextlib.suppress(Exception):
            raw = self.pyfunc.get_raw_model()
            for name in ("feature_names_in_", "feature_names", "feature_name"):
                found = getattr(raw, name, None)
                found = found() if callable(found) else found
                if found is not None and len(found):
                    return {"names": [str(each) for each in found]}
            for name in ("n_features_in_", "num_features", "num_feature"):
                found = getattr(raw, name, None)
                found = found() if callable(found) else found
                if found is not None:
                    return {"count": int(found)}
        return {}

    def answer(self, rows: list[Any]) -> dict[str, Any]:
        """A prediction for each row, or why there is none."""
        try:
            found = self.pyfunc.predict(self.given(rows))
            # What MLflow's own server calls, and it has no public name.
            found = self.json._get_jsonable_obj(found, pandas_orient="records")  # noqa: SLF001
            found = json.loads(json.dumps(found, cls=self.json.NumpyEncoder), parse_constant=lambda _: None)
        except UNFIT as error:
            return {"refused": _line(error)}
        except Exception as error:
            mlflow = any(base.__name__ == "MlflowException" for base in type(error).__mro__)
            kind = "refused" if mlflow else "broken"
            return {kind: _line(error)}
        if isinstance(found, dict) and found and all(isinstance(each, list) for each in found.values()):
            # Several outputs, each a column.
            found = [dict(zip(found, row)) for row in zip(*found.values())]  # noqa: B905 - an older Python may run this
        if not isinstance(found, list) or len(found) != len(rows):
            count = len(found) if isinstance(found, list) else "no list of"
            return {"broken": f"the model gave {count} answers to {len(rows)} rows; one for each is needed"}
        return {"values": found}

    def given(self, rows: list[Any]) -> Any:
        """The rows as MLflow's own server would hand them over."""
        schema = self.schema
        if schema is not None and schema.is_tensor_spec():
            if schema.has_input_names():
                columns = zip(schema.inputs, zip(*rows))  # noqa: B905
                return {one.name: self.numpy.array(values, dtype=one.type) for one, values in columns}
            return self.numpy.array(rows, dtype=schema.inputs[0].type)
        if schema is None and self.names is None:
            return self.numpy.array(rows)
        if schema is not None and not schema.has_input_names():
            return self.json.dataframe_from_parsed_json({"data": rows}, "split", schema)
        return self.json.dataframe_from_parsed_json({"columns": self.names, "data": rows}, "split", schema)


def _line(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:500]}" if lines else type(error).__name__


def _say(said: Any, what: dict[str, Any]) -> None:
    text = json.dumps(what).encode()
    said.write(LENGTH.pack(len(text)) + text)
    said.flush()


if __name__ == "__main__":
    main()
    os._exit(0)
