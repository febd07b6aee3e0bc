"""Gates on figures of others as a project writes them: who is asked, and one line for each slip."""

from pathlib import Path

import pytest

from core.config.gates import GATES, sources_of
from core.config.other_gates import gates_of
from core.config.planner import Wishes, plan_of
from core.config.settings import Settings
from core.domain.gates import Gate
from core.domain.plan import Hold, Shift
from core.domain.sources import MetricSource
from tests.config.test_config import line, settings
from tui.plan_steps import gate_line

SOLD = "kind: json, url: 'http://shop:80/sold', query: sold"
PROMETHEUS = "kind: prometheus, url: 'http://prom:9090', query: 'x{slot=\"{{slot}}\"}'"


def gates(*lines: str) -> str:
    return f"release.gates=[{', '.join(lines)}]"


def test_a_source_becomes_a_gate_and_stands_in_the_plan_once(tmp_path: Path) -> None:
    asked = f"source: {{{PROMETHEUS}, token_env: PROM_TOKEN, every_s: 10s, max_age_s: 2m}}"
    one = f"{{metric: sold_percent, {asked}, op: '>=', limit: 2, window_s: 60}}"
    other = f"{{metric: sold_percent, {asked}, limit: 10, against: live, at_least: 3}}"
    read = settings(
        tmp_path, "environment: dev\ndata: {source: flights, target: late}\nendpoint: {name: late}", gates(one, other)
    )
    source = MetricSource(
        "sold_percent", "prometheus", "http://prom:9090", 'x{slot="{{slot}}"}', "", "PROM_TOKEN", "", 10.0, 120.0
    )
    plan = plan_of(read, False, Wishes(), False)
    assert plan.sources == sources_of(read.release.gates) == (source,)
    absolute = Gate("sold_percent", ">=", 2.0, None, 60.0, 1, source="prometheus prom:9090", max_age_s=120.0)
    beside = Gate("sold_percent", "<", 10.0, "live", 0.0, 3, source="prometheus prom:9090", max_age_s=120.0)
    holds = [step.gates for step in plan.steps if isinstance(step, Hold)]
    assert holds == [(absolute, beside), (absolute, beside), (absolute,)]
    assert [step.percent for step in plan.steps if isinstance(step, Shift)] == [10, 50, 100]
    assert gate_line(beside) == "sold percent : live < 10 % (prometheus prom:9090)"
    assert Settings.from_dump(read.dump()) == read


def test_without_a_source_nobody_is_asked(tmp_path: Path) -> None:
    assert plan_of(settings(tmp_path), False, Wishes(), False).sources == ()


@pytest.mark.parametrize(
    ("gate", "complaint"),
    [
        ("{metric: sold, limit: 1, source: {kind: promethius, url: 'http://h', query: a}}",
         ".source.kind: 'promethius' is none of prometheus, json; did you mean prometheus?"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://h', querry: a}}",
         ".source.querry: unknown key; did you mean query?"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://h'}}", ".source.query: is needed and not set"),
        (f"{{metric: rps, limit: 1, source: {{{SOLD}}}}}",
         ".metric: 'rps' is measured here; call what the source measures otherwise, such as conversion_percent"),
        (f"{{metric: 'a b', limit: 1, source: {{{SOLD}}}}}",
         ".metric: 'a b' is no name; call what the source measures otherwise, such as conversion_percent"),
        (f"{{metric: sold, limit: 1, against: live, source: {{{SOLD}}}}}",
         ": against live asks for each slot: put {{slot}} or {{version}} into the source's query or url"),
        (f"{{metric: sold, limit: 1, at_least: 20, window_s: 30, source: {{{SOLD}}}}}",
         ": at_least 20: of 30 s at most 6 values are kept"),
        (f"{{metric: sold, limit: 1, source: {{{SOLD}, token_env: s3cret}}}}",
         ".source.token_env: should be the name of a variable, such as PROMETHEUS_TOKEN, never the token"),
        (f"{{metric: sold, limit: 1, source: {{{SOLD}, token_env: QUARTERDECK_X}}}}",
         ".source.token_env: QUARTERDECK_X would be read as a setting; call it otherwise"),
        (f"{{metric: sold, limit: 1, source: {{{SOLD}, max_age_s: 0}}}}",
         ".source.max_age_s: 0 should be at least 1"),
        (f"{{metric: sold, limit: 1, source: {{{SOLD}, timeout_s: 1h}}}}",
         ".source.timeout_s: '1h' should be at most 10"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'ftp://h/x', query: a}}",
         ".source.url: 'ftp://h/x' is no address; write http://host:port/path"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://u:s3cret@h/x', query: a}}",
         ".source.url: holds a login; name a variable with a bearer token in token_env instead"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://{{slot}}.h/x', query: a}}",
         ".source.url: takes names in double braces in its path alone: whom to ask must stand there"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://[h/x', query: a}}",
         ".source.url: is no address; write http://host:port/path"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://h', query: '{{slott}}'}}",
         ".source.query: {{slott}} can't be filled in; one of {{endpoint}}, {{slot}}, {{version}}; did you mean slot?"),
        ("{metric: sold, limit: 1, source: {kind: json, url: 'http://h', query: 'a..b'}}",
         ".source: query 'a..b' is no path in a JSON document, such as data.rate or items[0].value"),
        (f"{{metric: sold, limit: 1, source: {{{PROMETHEUS}, time: at}}}}",
         ".source: time is for JSON documents; Prometheus says itself when its value was so"),
    ],
)  # fmt: skip
def test_a_slip_is_one_line(gate: str, complaint: str, tmp_path: Path) -> None:
    said = line(tmp_path, "data: {source: flights, target: late}\nendpoint: {name: late}", gates(gate))
    assert said == f"--set release.gates[0]{complaint}"
    assert "s3cret" not in said


def test_one_name_is_one_figure(tmp_path: Path) -> None:
    two = (f"{{metric: sold, limit: 1, source: {{{SOLD}}}}}", f"{{metric: sold, limit: 1, source: {{{PROMETHEUS}}}}}")
    said = line(tmp_path, "data: {source: flights, target: late}\nendpoint: {name: late}", gates(*two))
    assert said == "--set release: sold is asked of two sources; give each its own name"


def test_more_gates_stand_beside_the_usual_ones_and_gates_in_their_place(tmp_path: Path) -> None:
    text = "data: {source: flights, target: late}\nendpoint: {name: late}\n"
    more = (
        f"release: {{more_gates: [{{metric: sold, limit: 1, source: {{{SOLD}}}}}, {{metric: rps, op: '>', limit: 1}}]}}"
    )
    plan = plan_of(settings(tmp_path, text + more), False, Wishes(), False)
    held = next(step.gates for step in plan.steps if isinstance(step, Hold))
    assert [gate.metric for gate in held] == [*(gate.metric for gate in GATES), "sold", "rps"]
    assert [source.name for source in plan.sources] == ["sold"]
    other = tmp_path / "other.yaml"
    other.write_text(more)
    assert gates_of(other) == held
