"""Trees evaluated by C libraries through ctypes: XGBoost's own, and treelite's.

The Python packages around them are never imported: they bring scipy, pandas and scikit-learn, which cost
two seconds and 150 MB. One thread each, and nothing here predicts at load: a process forked after OpenMP
has run hangs.
"""

import ctypes
import importlib.util
import re
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import orjson

from scoring.manifest import ModelError

_POINTER = ctypes.c_void_p
_SIZE = ctypes.c_uint64
_SIZES = ctypes.POINTER(ctypes.c_uint64)


class Trees(Protocol):
    """A model that turns rows of float32 (missing is NaN) into probabilities, `width` numbers a row."""

    width: int

    def predict(self, values: "array[float]", rows: int) -> list[float]:
        """The probabilities of all rows, one row after the other."""
        ...


class Booster:
    """An XGBoost model in the C library of the installed package."""

    def __init__(self, path: Path, columns: int, classes: int) -> None:
        self._columns = columns
        self._library = _xgboost()
        self._handle = _POINTER()
        self._do(path, "XGBoosterCreate", None, _SIZE(0), ctypes.byref(self._handle))
        # A booster's own nthread comes too late: reading is parallel otherwise, and that starts OpenMP's threads.
        self._do(path, "XGBSetGlobalConfig", b'{"nthread":1}')
        self._do(path, "XGBoosterLoadModel", self._handle, str(path).encode())
        self._do(path, "XGBoosterSetParam", self._handle, b"nthread", b"1")
        self._check(path, classes)
        self.width = 1 if classes == 2 else classes
        self.rounds, self.used = self._rounds(path)
        self._config = orjson.dumps(
            {"type": 0, "training": False, "iteration_begin": 0, "iteration_end": self.used, "strict_shape": True}
        )[:-1] + b',"cache_id":0,"missing":NaN}'  # fmt: skip
        self._shape, self._dims, self._out = _SIZES(), _SIZE(), ctypes.POINTER(ctypes.c_float)()
        self._refs = [ctypes.byref(each) for each in (self._shape, self._dims, self._out)]

    def predict(self, values: "array[float]", rows: int) -> list[float]:
        """Probabilities as XGBoost gives them: one a row for two classes, else one a class."""
        # fmt: off
        matrix = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}' % (
            values.buffer_info()[0], rows, self._columns)
        # fmt: on
        if self._library.XGBoosterPredictFromDense(self._handle, matrix, self._config, None, *self._refs):
            raise ModelError(f"XGBoost can't predict: {_first_line(self._library.XGBGetLastError())}")
        return self._out[: rows * self.width]

    def _do(self, path: Path, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            why = _first_line(self._library.XGBGetLastError())
            raise ModelError(f"{path}: XGBoost can't read it ({why}); write the model folder again")

    def _check(self, path: Path, classes: int) -> None:
        columns = _SIZE()
        self._do(path, "XGBoosterGetNumFeature", self._handle, ctypes.byref(columns))
        if columns.value != self._columns:
            raise ModelError(f"{path}: it has {columns.value} columns, model.json names {self._columns} fields")
        length, text = _SIZE(), ctypes.c_char_p()
        self._do(path, "XGBoosterSaveJsonConfig", self._handle, ctypes.byref(length), ctypes.byref(text))
        learner = orjson.loads(text.value or b"{}")["learner"]
        objective, outputs = learner["objective"]["name"], int(learner["learner_model_param"]["num_class"])
        wanted = ("binary:logistic", 0) if classes == 2 else ("multi:softprob", classes)
        if (objective, outputs if outputs > 1 else 0) != wanted:
            raise ModelError(
                f"{path}: {objective} with {outputs} classes does not fit the {classes} labels of model.json"
            )

    def _rounds(self, path: Path) -> tuple[int, int]:
        """All rounds, and how many of them count: early stopping leaves later, worse ones behind in the file."""
        rounds, text, found = ctypes.c_int(), ctypes.c_char_p(), ctypes.c_int()
        self._do(path, "XGBoosterBoostedRounds", self._handle, ctypes.byref(rounds))
        self._do(path, "XGBoosterGetAttr", self._handle, b"best_iteration", ctypes.byref(text), ctypes.byref(found))
        best = int(text.value or 0) + 1 if found.value else rounds.value
        return rounds.value, min(best, rounds.value)


class Forest:
    """A model in treelite's general inference (GTIL): random forests, and boosters for a few rows at a time."""

    def __init__(self, path: Path, columns: int, classes: int) -> None:
        self._library = _treelite()
        self._handle, self._config = _POINTER(), _POINTER()
        if not path.is_file():
            raise ModelError(f"{path}: no such file; write the model folder again")
        self._do(path, "TreeliteDeserializeModelFromFile", str(path).encode(), ctypes.byref(self._handle))
        config = b'{"predict_type":"default","nthread":1}'
        self._do(path, "TreeliteGTILParseConfig", config, ctypes.byref(self._config))
        found = ctypes.c_int()
        self._do(path, "TreeliteQueryNumFeature", self._handle, ctypes.byref(found))
        if found.value != columns:
            raise ModelError(f"{path}: it has {found.value} columns, model.json names {columns} fields")
        self._in_code, self._input = self._number_type(path, "TreeliteGetInputType")
        _, self._output = self._number_type(path, "TreeliteGetOutputType")
        self.width = self._width(path)
        if self.width != classes and (self.width, classes) != (1, 2):
            raise ModelError(f"{path}: it gives {self.width} classes, model.json names {classes} labels")

    def predict(self, values: "array[float]", rows: int) -> list[float]:
        """Probabilities, `width` a row."""
        given = values if self._in_code == b"float32" else array("d", values)
        out = (self._output * (rows * self.width))()
        if self._library.TreeliteGTILPredict(
            self._handle, given.buffer_info()[0], self._in_code, rows, out, self._config
        ):
            raise ModelError(f"treelite can't predict: {_first_line(self._library.TreeliteGetLastError())}")
        scores: list[float] = out[:]
        return scores

    def _number_type(self, path: Path, name: str) -> tuple[bytes, Any]:
        text = ctypes.c_char_p()
        self._do(path, name, self._handle, ctypes.byref(text))
        code = text.value or b""
        return code, {b"float32": ctypes.c_float, b"float64": ctypes.c_double}[code]

    def _width(self, path: Path) -> int:
        shape, dims = _SIZES(), _SIZE()
        # fmt: off
        self._do(path, "TreeliteGTILGetOutputShape", self._handle, _SIZE(1), self._config,
                 ctypes.byref(shape), ctypes.byref(dims))
        # fmt: on
        return int(shape[dims.value - 1])

    def _do(self, path: Path, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            why = _first_line(self._library.TreeliteGetLastError())
            raise ModelError(f"{path}: treelite can't read it ({why}); write the model folder again")


@cache
def _xgboost() -> ctypes.CDLL:
    library = _library("xgboost", "xgboost", "xgboost-cpu")
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


@cache
def _treelite() -> ctypes.CDLL:
    library = _library("treelite", "treelite", "treelite")
    library.TreeliteGetLastError.restype = ctypes.c_char_p
    predict: Callable[..., int] = library.TreeliteGTILPredict
    predict.argtypes = [_POINTER, _POINTER, ctypes.c_char_p, _SIZE, _POINTER, _POINTER]  # type: ignore[attr-defined]
    return library


def _library(package: str, name: str, distribution: str) -> ctypes.CDLL:
    """A shared library inside an installed package, which is found but not imported."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll"):
            if (found := Path(folder, "lib", path)).is_file():
                return ctypes.PyDLL(str(found))
    raise ModelError(f"the model needs {package}'s library: install {distribution}")


def _first_line(message: bytes | None) -> str:
    """The first line of a C++ error without its time, source file and stack."""
    lines = (message or b"").decode(errors="replace").strip().splitlines()
    return re.sub(r"^\[[\d:]+\] (\S+:\d+: )?", "", lines[0]) if lines else "no reason given"
