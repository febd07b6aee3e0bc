"""A login by the command that a kubeconfig names for a user, as kubectl calls it. Called in threads.

It gets no terminal, has an end with all that it started, and says on what it failed; what it prints as its answer is
told nowhere.
"""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from typing import Any, TypeAlias

from core.domain.errors import Unreachable
from core.system.text import clean_line
from core.targets.kubernetes.api_errors import login

LOGIN_S = 10.0
MOST = 200
"""So many characters of its complaint are told."""
_SECRET = re.compile(r"(?=\S*\d)[\w+/=.-]{24,}")
User: TypeAlias = dict[str, Any]


def logged_in(context: str, user: Mapping[str, Any], folder: str, cluster: Mapping[str, Any] | None) -> User:
    """A user of a kubeconfig with what his command gave in its place; `folder` is the kubeconfig's.

    Raises Unreachable, with the next step.
    """
    asked: Mapping[str, Any] = user["exec"]
    status = _status(context, asked, folder, cluster)
    given: User = {name: value for name, value in user.items() if name != "exec"}
    if token := status.get("token"):
        return {**given, "token": str(token)}
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    if certificate and key:
        pair = {"client-certificate-data": certificate, "client-key-data": key}
        return {**given, **{name: base64.b64encode(str(text).encode()).decode() for name, text in pair.items()}}
    raise _failed(context, str(asked.get("command")), "gave neither a token nor a certificate")


def _status(
    context: str, asked: Mapping[str, Any], folder: str, cluster: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """What the command answers."""
    command, version = str(asked.get("command")), asked.get("apiVersion")
    spec = {"interactive": False, **({"cluster": dict(cluster)} if cluster and asked.get("provideClusterInfo") else {})}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    variables = {str(one["name"]): str(one["value"]) for one in asked.get("env") or ()}
    environment = {**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    code, out, complaint = _run(context, command, [str(one) for one in asked.get("args") or ()], folder, environment)
    if code != 0:
        said = _SECRET.sub("…", clean_line(complaint, MOST))
        raise _failed(context, command, f"ended with {code}{': ' + said if said else ' and said nothing'}")
    try:
        answer = json.loads(out)
        status = answer["status"]
        fits = answer["apiVersion"] == version and isinstance(status, dict)
    except (ValueError, KeyError, TypeError):
        raise _failed(context, command, "gave what can't be read as a login") from None
    if not fits:
        raise _failed(context, command, f"gave no login of {version}")
    found: Mapping[str, Any] = status
    return found


def _run(
    context: str, command: str, arguments: list[str], folder: str, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Exit code, answer and complaint. Whoever it started ends with it where it is late."""
    # A path with a slash in it counts from the kubeconfig, a bare name is looked for as shells do.
    program = os.path.join(folder, command) if os.sep in command else command  # noqa: PTH118
    try:
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder or None,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        why = "is not there" if isinstance(error, FileNotFoundError) else f"can't be started ({error.strerror})"
        raise _failed(context, command, f"{why}: install it, or name another in the kubeconfig") from None
    try:
        out, complaint = process.communicate(timeout=LOGIN_S)
    except subprocess.TimeoutExpired:
        # What it started holds its pipes open, and would outlive it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise _failed(context, command, f"gave nothing within {LOGIN_S:g} s") from None
    return process.returncode, out.decode(errors="replace"), complaint.decode(errors="replace")


def _failed(context: str, command: str, why: str) -> Unreachable:
    return Unreachable(f"kubernetes {context}: the login command {command!r} {why}; {login(context)}")
