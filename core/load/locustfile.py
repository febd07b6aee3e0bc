"""The load that ships: real rows of held-out data, sent to `/predict`. Runs alone too, under plain `locust -f`.

QUARTERDECK_ROWS     a file of JSON lines, a raw record each
QUARTERDECK_KEY      the bearer key, where the endpoint wants one
QUARTERDECK_HEADERS  more headers, as a JSON object
"""

import json
import os
import random
import sys
from pathlib import Path

from locust import FastHttpUser, between, constant, task

BATCH = 50
BATCHES = 20


def rows() -> list[bytes]:
    """Each record as it stands in the file, so that sending one costs no encoding."""
    path = os.environ.get("QUARTERDECK_ROWS")
    if not path:
        raise ValueError("QUARTERDECK_ROWS must name a file of JSON lines, a raw record each")
    lines = [line for line in Path(path).read_bytes().splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} has no rows to send")
    if not lines[0].lstrip().startswith(b"{"):
        raise ValueError(f"{path}: its first line is not a JSON object")
    return lines


def headers() -> dict[str, str]:
    """What goes with every request."""
    key = os.environ.get("QUARTERDECK_KEY")
    return {
        "Content-Type": "application/json",
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **json.loads(os.environ.get("QUARTERDECK_HEADERS") or "{}"),
    }


ROWS = rows()
HEADERS = headers()


class ScoringUser(FastHttpUser):  # type: ignore[misc]
    """Asks for one row, thinks for 0.1 to 0.3 s, asks again: 50 such users make about 250 requests a second."""

    wait_time = between(0.1, 0.3)
    connection_timeout = 5.0
    network_timeout = 10.0

    @task  # type: ignore[untyped-decorator]
    def predict(self) -> None:
        """One bare record."""
        self.client.post("/predict", data=random.choice(ROWS), headers=HEADERS)


class HighLoadUser(FastHttpUser):  # type: ignore[misc]
    """As much as it can: batches, and never a pause. Only runs when it is asked for by name."""

    weight = int("HighLoadUser" in sys.argv)
    wait_time = constant(0)
    connection_timeout = 5.0
    network_timeout = 10.0
    batches = tuple(
        b'{"dataframe_records":[' + b",".join(random.choices(ROWS, k=BATCH)) + b"]}" for _ in range(BATCHES)
    )

    @task  # type: ignore[untyped-decorator]
    def predict(self) -> None:
        """A batch of records."""
        self.client.post("/predict", data=random.choice(self.batches), headers=HEADERS)
