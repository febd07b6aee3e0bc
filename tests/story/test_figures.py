"""A version whose answers are mixed otherwise is stopped by what its replicas say; somebody else's figure is fine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.state import events as ev
from tests.story.shop import Shop, quarterdeck

TOKEN = "s3cret-of-the-shop"
GATES = """
release:
  strategy: canary
  steps: [50, 100]
  hold_s: 60
  background: {{users: 10, spawn_rate: 10}}
  more_gates:
  - {{metric: mix_points, limit: 15, against: live}}
  - {{metric: unknown_percent, limit: 1}}
  - {{metric: memory_percent, limit: 95}}
  - metric: sold
    source: {{kind: json, url: "{url}/{{{{endpoint}}}}/{{{{slot}}}}", query: sold, token_env: SHOP_TOKEN, every_s: 1}}
    op: ">="
    limit: 5
"""


class Sold(BaseHTTPRequestHandler):
    """Says how much each slot sold, to those who have the token."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        """One figure."""
        known = self.headers.get("authorization") == f"Bearer {TOKEN}"
        self.asked.append(self.path)
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"sold": 7} if known else {"error": "who are you?"}).encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sold)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def rows(path: Path, late_from: float) -> Path:
    """Flights that are late where they leave late enough."""
    draw = np.random.default_rng(3)
    delay = draw.normal(0, 10, 600).round(1)
    carrier = draw.choice(["UA", "AA"], 600)
    pd.DataFrame({"delay": delay, "carrier": carrier, "late": np.where(delay > late_from, "yes", "no")}).to_csv(
        path, index=False
    )
    return path


@pytest.mark.slow
def test_another_mix_of_answers_stops_a_release_and_what_others_measure_is_asked_meanwhile(
    tmp_path: Path, url: str
) -> None:
    first, second = rows(tmp_path / "rows.csv", 0.0), rows(tmp_path / "other.csv", 12.0)
    shop = Shop(tmp_path / "shop", "rows", "late", ("--set", "train.n_iter=2", "--env", "dev"))
    told = quarterdeck("init", str(shop.folder), "--data", str(first), "--target", "late", cwd=tmp_path)
    assert told.code == 0, told.err
    written = shop.folder / "quarterdeck.yaml"
    kept = "\n".join(line for line in written.read_text().split("release:")[0].splitlines())
    written.write_text(kept + GATES.format(url=url))
    try:
        refused = shop.release()
        assert refused.code == 2
        assert "release.gates: the variable SHOP_TOKEN is not set" in refused.error
        good = shop.release(env={"SHOP_TOKEN": TOKEN})
        assert good.code == 0, good.out + good.err
        assert any("sold >= 5 (json 127.0.0.1:" in line for line in shop.run("plan", "--env", "dev").lines)
        bad = shop.release("--input-data", str(second), env={"SHOP_TOKEN": TOKEN})
        assert bad.code == 1, bad.out + bad.err
        snapshot = shop.snapshot()
        stopped = snapshot.release_of("rows-dev")
        assert stopped is not None
        assert (stopped.outcome, stopped.reached) == (ev.Outcome.FAILED, 50.0)
        assert "mix : live" in stopped.why
        assert "points is not < 15" in stopped.why
        (held,) = [step.verdicts for step in stopped.steps if any(v.gate.metric == "mix_points" for v in step.verdicts)]
        outcomes = {verdict.gate.metric: verdict.outcome.value for verdict in held[-4:]}
        assert outcomes == {"mix_points": "FAIL", "unknown_percent": "PASS", "memory_percent": "PASS", "sold": "PASS"}
        assert {verdict.outcome.value for verdict in held[:-4] if not verdict.gate.dry_run} <= {"PASS", "INCONCLUSIVE"}
        served = snapshot.endpoint("rows-dev").served
        assert served is not None
        assert served.number == "1"
        assert set(Sold.asked) == {f"/rows-dev/{stopped.slot}"}
        assert not [path for path in shop.folder.rglob("*") if path.is_file() and TOKEN in _text(path)]
    finally:
        shop.down()


def _text(path: Path) -> str:
    """What everybody who reads the project may see; what is kept for a way back is its owner's alone."""
    return "" if path.parent.name == "variables" else path.read_bytes().decode("latin-1")
