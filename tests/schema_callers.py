"""Schemathesis over an endpoint's own /openapi.json: what the document promises, asked for and compared.

    python -m tests.schema_callers --url http://127.0.0.1:8080

By hand against an endpoint that serves; the key is taken from QUARTERDECK_KEY. `uv pip install -c constraints.txt
--group proofs` brings it. One check is left out: the document shows the usual forms, and the service takes more than
these, such as 1 for true, so that not all that is outside of it is refused.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LEFT_OUT = "negative_data_rejection"


def main() -> int:
    """Run it, with the exit code of its own command."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--url", required=True)
    options.add_argument("--examples", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    key = os.environ.get("QUARTERDECK_KEY", "")
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{chosen.url}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--exclude-checks", LEFT_OUT),
        *("--max-examples", str(chosen.examples), "--seed", str(chosen.seed), "--no-color"),
        *(("--header", f"Authorization: Bearer {key}") if key else ()),
    ]
    # It keeps its examples in the folder that it runs in.
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
