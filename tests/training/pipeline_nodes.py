"""An exported pipeline run by nobody but a shell: each node's command as a plain process in a folder of its own."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

NODE_S = 300.0


@dataclass(slots=True)
class NodeRun:
    """How a node ended, and what it said."""

    code: int
    said: str


@dataclass(slots=True)
class PipelineOnDisk:
    """The files at `exported`, run below `scratch`. Nothing but the files and the packages of this machine is used."""

    exported: Path
    scratch: Path
    ran: dict[str, NodeRun] = field(default_factory=dict)

    def run(self) -> None:
        """Node by node in the order in which they stand, up to the first that fails."""
        whole = yaml.safe_load((self.exported / "pipeline.yml").read_text())
        for name, node in whole["jobs"].items():
            given = {key: self._given(whole, value) for key, value in node["inputs"].items()}
            self.ran[name] = self._node(name, self.exported / node["component"], given)
            if self.ran[name].code:
                return

    def output(self, node: str, name: str) -> Path:
        """The folder of a node's output."""
        return self.scratch / node / "outputs" / name

    def _given(self, whole: dict[str, dict[str, dict[str, str]]], value: str) -> Path:
        if of_all := re.fullmatch(r"\$\{\{parent\.inputs\.(\w+)\}\}", value):
            return self.exported / whole["inputs"][of_all[1]]["path"]
        of_one = re.fullmatch(r"\$\{\{parent\.jobs\.(\w+)\.outputs\.(\w+)\}\}", value)
        assert of_one is not None, value
        return self.output(of_one[1], of_one[2])

    def _node(self, name: str, file: Path, given: dict[str, Path]) -> NodeRun:
        component = yaml.safe_load(file.read_text())
        folder = self.scratch / name / "code"
        shutil.copytree(file.parent / component["code"], folder)
        paths = {("inputs", key): path for key, path in given.items()}
        for key in component["outputs"]:
            paths["outputs", key] = self.output(name, key)
            self.output(name, key).mkdir(parents=True)
        words = re.sub(r"\$\{\{(\w+)\.(\w+)\}\}", lambda at: str(paths[at[1], at[2]]), component["command"])
        environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(self.scratch)}
        done = subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=NODE_S,
            check=False,
        )
        return NodeRun(done.returncode, done.stdout)
