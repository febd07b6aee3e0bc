"""What calls to an API server come to: each with an end, each refusal one clear line, and no secret in any."""

import contextlib
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable
from core.targets.kubernetes.api_errors import ApiBusy, ApiConflict, ApiExpired, ApiMissing
from core.targets.kubernetes.calls import APPLY, MERGE, ApiCalls
from core.targets.kubernetes.paths import DEPLOYMENTS, LEASES, SERVICES, namespace_path
from tests.kubernetes import bodies
from tests.kubernetes.access import AccessRule
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.faults import FaultKind

HOME = "flights"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for all tests here."""
    with running() as one:
        yield one
        assert one.troubles == []


@pytest.fixture
def calls(cluster: Cluster, tmp_path: Path) -> Iterator[ApiCalls]:
    """Calls as the administrator, in a namespace that is there."""
    cluster.faults.clear()
    cluster.access.denied.clear()
    calls = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    with contextlib.suppress(ApiConflict):
        calls.ask("POST", namespace_path(), {"metadata": {"name": HOME}})
    yield calls
    calls.close()


def _apply(calls: ApiCalls, body: dict[str, object], name: str, manager: str = "quarterdeck") -> dict[str, object]:
    query = {"fieldManager": manager}
    return calls.ask("PATCH", DEPLOYMENTS.path(HOME, name), body, kind=APPLY, query=query)


def test_an_object_is_applied_and_read_again(calls: ApiCalls) -> None:
    made = _apply(calls, bodies.deployment("read-again", 2), "read-again")
    read = calls.ask("GET", DEPLOYMENTS.path(HOME, "read-again"))
    assert read["metadata"]["uid"] == made["metadata"]["uid"]  # type: ignore[index]
    assert read["spec"]["replicas"] == 2


def test_what_is_not_there_is_said_to_be_missing(calls: ApiCalls) -> None:
    with pytest.raises(ApiMissing, match=r"kubernetes stand-in: GET deployments/none: there is none$"):
        calls.ask("GET", DEPLOYMENTS.path(HOME, "none"))
    with pytest.raises(ApiMissing, match="may not have this API"):
        calls.ask("GET", f"/apis/gateway.networking.k8s.io/v1/namespaces/{HOME}/httproutes")


def test_a_field_that_another_holds_is_named_with_its_holder_and_left_alone(calls: ApiCalls) -> None:
    _apply(calls, bodies.deployment("held", 2), "held", manager="kustomize")
    with pytest.raises(ApiConflict, match=r"kustomize holds .*replicas.*; it was left as it is"):
        _apply(calls, bodies.deployment("held", 3), "held")
    assert calls.ask("GET", DEPLOYMENTS.path(HOME, "held"))["spec"]["replicas"] == 2


def test_a_change_from_an_old_version_is_a_conflict(calls: ApiCalls) -> None:
    # No controller writes to a Service meanwhile, as one does to a Deployment.
    made = calls.ask("POST", SERVICES.path(HOME), bodies.service("stale", "stale"))
    path, old = SERVICES.path(HOME, "stale"), {"resourceVersion": made["metadata"]["resourceVersion"]}
    calls.ask("PATCH", path, {"metadata": {**old, "labels": {"is": "new"}}}, kind=MERGE)
    with pytest.raises(ApiConflict, match="changed in the meantime"):
        calls.ask("PATCH", path, {"metadata": {**old, "labels": {"is": "late"}}}, kind=MERGE)
    calls.ask("DELETE", path)


def test_an_invalid_field_is_named_without_what_was_sent(calls: ApiCalls) -> None:
    body = bodies.deployment("invalid", 1)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "KEY", "value": "s3cret"}]
    body["spec"]["selector"]["matchLabels"] = {"app": "another"}
    with pytest.raises(BadInput, match=r"spec\.template\.metadata\.labels") as told:
        _apply(calls, body, "invalid")
    assert "s3cret" not in str(told.value)
    assert "{" not in str(told.value)


def test_a_lease_with_times_of_whole_seconds_is_refused_without_the_object(calls: ApiCalls) -> None:
    body = {"metadata": {"name": "late"}, "spec": {"holderIdentity": "s3cret", "leaseDurationSeconds": 15}}
    calls.ask("POST", LEASES.path(HOME), body)
    with pytest.raises(QuarterdeckError) as told:
        calls.ask("PATCH", LEASES.path(HOME, "late"), {"spec": {"renewTime": "2026-11-27T02:00:00Z"}}, kind=MERGE)
    assert "s3cret" not in str(told.value)


def test_what_a_user_may_not_is_said_as_the_rule_that_is_missing(
    calls: ApiCalls, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.access.user("token-of-eve", "eve", AccessRule(("get",), ("*",)))
    folder = tmp_path / "eve"
    folder.mkdir()
    eve = ApiCalls("stand-in", str(cluster.kubeconfig(folder, token="token-of-eve")))
    with pytest.raises(
        Refused, match=r"eve may not patch deployments\.apps in the namespace flights; a role needs"
    ) as e:
        _apply(eve, bodies.deployment("late", 1), "late")
    assert "token-of-eve" not in str(e.value)
    eve.close()


def test_a_login_that_ran_out_says_what_to_type(calls: ApiCalls, cluster: Cluster) -> None:
    calls.ask("GET", namespace_path(HOME))
    cluster.renew_token()
    with pytest.raises(Unreachable, match=r"not logged in.*kubectl --context stand-in get ns"):
        calls.ask("GET", namespace_path(HOME))


def test_a_login_is_fetched_anew_where_the_kubeconfig_has_a_new_one(
    calls: ApiCalls, cluster: Cluster, tmp_path: Path
) -> None:
    calls.ask("GET", namespace_path(HOME))
    cluster.renew_token()
    cluster.kubeconfig(tmp_path)
    assert calls.ask("GET", namespace_path(HOME))["metadata"]["name"] == HOME


@pytest.mark.parametrize(
    ("kind", "rest", "error", "why"),
    [
        (FaultKind.BUSY, {"seconds": 7}, ApiBusy, "asked again after 7 s"),
        (FaultKind.STATUS, {"status": 500}, Unreachable, "answers 500"),
        (FaultKind.STATUS, {"status": 503}, Unreachable, "answers 503"),
        (FaultKind.DROP, {}, Unreachable, "no answer from 127.0.0.1"),
        (FaultKind.LOSE, {}, Unreachable, "no answer from 127.0.0.1"),
    ],
)
def test_a_server_in_trouble_may_be_asked_again(
    calls: ApiCalls, cluster: Cluster, kind: FaultKind, rest: dict[str, int], error: type[Exception], why: str
) -> None:
    cluster.fault(kind, "GET", "services", **rest)
    with pytest.raises(error, match=why):
        calls.ask("GET", SERVICES.path(HOME))


def test_a_call_that_hangs_ends_in_its_time_and_others_go_on_meanwhile(calls: ApiCalls, cluster: Cluster) -> None:
    cluster.fault(FaultKind.HANG, "GET", "services", seconds=20, times=1)
    begun_s = time.monotonic()
    with pytest.raises(Unreachable, match="no answer"):
        calls.ask("GET", SERVICES.path(HOME), timeout_s=0.3)
    assert calls.ask("GET", SERVICES.path(HOME))["kind"] == "ServiceList"
    assert time.monotonic() - begun_s < 15


def test_nobody_there_is_unreachable(cluster: Cluster, tmp_path: Path) -> None:
    path = cluster.kubeconfig(tmp_path)
    body = yaml.safe_load(path.read_text())
    body["clusters"][0]["cluster"]["server"] = "http://user:s3cret@127.0.0.1:9"
    path.write_text(yaml.safe_dump(body))
    with pytest.raises(Unreachable, match=r"no answer from 127\.0\.0\.1:9 ") as told:
        ApiCalls("stand-in", str(path)).ask("GET", namespace_path())
    assert "s3cret" not in str(told.value)


def test_a_context_is_always_named_and_must_be_there(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no context is named"):
        ApiCalls("")
    path = cluster.kubeconfig(tmp_path)
    with pytest.raises(BadInput, match=r"'stand-im': not in .*; it has stand-in.*did you mean"):
        ApiCalls("stand-im", str(path)).ask("GET", namespace_path())
    with pytest.raises(BadInput, match="can't be used"):
        ApiCalls("stand-in", str(tmp_path / "none")).ask("GET", namespace_path())


def test_a_login_command_is_run_and_one_that_fails_is_named(cluster: Cluster, tmp_path: Path) -> None:
    path, plugin = cluster.kubeconfig(tmp_path), tmp_path / "plugin"
    said = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "TOKEN"}}'
    plugin.write_text(f"#!/bin/sh\ncat <<'END'\n{said.replace('TOKEN', cluster.token)}\nEND\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    body = yaml.safe_load(path.read_text())
    api = "client.authentication.k8s.io/v1"
    body["users"][0]["user"] = {"exec": {"apiVersion": api, "command": str(plugin), "interactiveMode": "Never"}}
    path.write_text(yaml.safe_dump(body))
    assert ApiCalls("stand-in", str(path)).ask("GET", namespace_path())["kind"] == "NamespaceList"
    plugin.write_text("#!/bin/sh\necho s3cret\nexit 3\n")
    with pytest.raises(Unreachable, match=r"the login command '.*plugin' ended with 3 and said nothing; log") as told:
        ApiCalls("stand-in", str(path)).ask("GET", namespace_path())
    assert "s3cret" not in str(told.value)


def test_a_stream_is_ended_from_another_thread(calls: ApiCalls) -> None:
    import threading

    query = {"watch": "true", "timeoutSeconds": "60", "labelSelector": "of=nobody"}
    stream = calls.stream(SERVICES.path(HOME), query, silent_s=60)
    timer = threading.Timer(0.2, stream.end)
    timer.start()
    begun_s = time.monotonic()
    assert list(stream.lines()) == []
    assert time.monotonic() - begun_s < 30
    timer.join()


def test_a_list_from_a_version_that_is_forgotten_has_expired(calls: ApiCalls, cluster: Cluster) -> None:
    for number in range(3):
        calls.ask("POST", SERVICES.path(HOME), bodies.service(f"many-{number}", "late"))
    page = calls.ask("GET", SERVICES.path(HOME), query={"limit": "1"})
    calls.ask("DELETE", SERVICES.path(HOME, "many-0"))
    cluster.do(cluster.compact)
    with pytest.raises(ApiExpired):
        calls.ask("GET", SERVICES.path(HOME), query={"limit": "1", "continue": page["metadata"]["continue"]})


def test_many_may_make_the_first_call_of_a_process_at_once(cluster: Cluster, tmp_path: Path) -> None:
    """Imported by two threads at once the official client is broken for the rest of the process."""
    kubeconfig = str(cluster.kubeconfig(tmp_path))
    asked = subprocess.run(
        [sys.executable, "-c", AT_ONCE, kubeconfig], capture_output=True, text=True, timeout=120, check=False, cwd=HOUSE
    )
    assert (asked.stdout.split(), asked.stderr) == (["stand-in"] * 6, "")


HOUSE = Path(__file__).parents[3]
AT_ONCE = """
import sys, threading
from core.targets.kubernetes.calls import ApiCalls

def ask():
    calls = ApiCalls("stand-in", sys.argv[1])
    calls.ask("GET", "/version")
    sys.stdout.write(calls.context + "\\n")

threads = [threading.Thread(target=ask) for _ in range(6)]
for one in threads: one.start()
for one in threads: one.join()
"""
