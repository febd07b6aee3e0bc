"""Calls to one API server, made in threads: the official client knows who we are, and each call has an end.

The package `kubernetes` is imported with the first connection and never on a loop. A context is always named: nothing
falls through to the one that kubectl happens to use.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from core.domain.errors import BadInput, QuarterdeckError, Unreachable
from core.system.files import check_regular
from core.system.suggest import did_you_mean
from core.targets.kubernetes.api_errors import ApiRequest, Json, kubectl, refusal
from core.targets.kubernetes.login import logged_in

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
MANAGER = "quarterdeck"
CONNECT_S, CALL_S = 3.0, 10.0
_PLAIN = {"accept": "text/plain, */*"}
_IMPORTING = threading.Lock()
"""One for the process, as its modules are: two threads that import the official client at once break it for good."""
_Query: TypeAlias = Mapping[str, str] | None


class ApiCalls:
    """One API server as one context of a kubeconfig leads to it. Any thread may call; none waits for another.

    Raises ApiMissing, ApiConflict, ApiExpired, ApiBusy, Refused, BadInput or Unreachable, each with one line.
    """

    def __init__(self, context: str, kubeconfig: str = "") -> None:
        if not context:
            raise BadInput(
                "kubernetes.context: no context is named; write the one that 'kubectl config get-contexts' has"
            )
        self.context = context
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._client: Any = None
        self._closed = False

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = JSON,
        query: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> Json:
        """One call; the object that it answers."""
        asked = ApiRequest(self.context, method, path)
        sent = None if body is None else json.dumps(body).encode()
        headers = {"accept": JSON, **({} if body is None else {"content-type": kind})}
        response = self._answered(asked, sent, headers, query, timeout_s)
        try:
            found = json.loads(_read(asked, response) or b"{}")
        except ValueError as error:
            raise Unreachable(f"{asked}: the answer is no JSON; does something else listen there?") from error
        return found if isinstance(found, dict) else {}

    def text(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> tuple[str, Mapping[str, str]]:
        """What is no object: a log, or what a pod answers through the server; with the headers, by small names."""
        asked = ApiRequest(self.context, "GET", path)
        response = self._answered(asked, None, {**_PLAIN, **(headers or {})}, query, timeout_s)
        return _read(asked, response).decode(errors="replace"), _headers(response)

    def passed(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """What a pod answers through the server, whatever it is: status, headers by small names, body."""
        asked = ApiRequest(self.context, method, path)
        response = self._opened(asked, body or None, headers, None, timeout_s)
        return response.status, _headers(response), _read(asked, response)

    def stream(self, path: str, query: Mapping[str, str], silent_s: float) -> "ApiStream":
        """An answer without an end, line by line; it breaks off where nothing comes for `silent_s`."""
        asked = ApiRequest(self.context, "GET", path)
        return ApiStream(asked, self._answered(asked, None, {"accept": JSON}, query, silent_s))

    def close(self) -> None:
        """Let go of the connections that nobody uses; those in use end with their calls."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _answered(
        self, asked: ApiRequest, body: bytes | None, headers: Mapping[str, str], query: _Query, timeout_s: float
    ) -> Any:
        """A good answer that is not read yet. A login that ran out is fetched anew once, as kubectl does."""
        response = self._opened(asked, body, headers, query, timeout_s)
        if response.status == 401:
            response.drain_conn()
            self._forget()
            response = self._opened(asked, body, headers, query, timeout_s)
        if response.status >= 300:
            raise _failed(asked, response)
        return response

    def _opened(
        self, asked: ApiRequest, body: bytes | None, headers: Mapping[str, str], query: _Query, timeout_s: float
    ) -> Any:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        client = self._connected()
        settings = client.configuration
        login_by = {one["key"]: one["value"] for one in settings.auth_settings().values()}
        try:
            return client.rest_client.pool_manager.request(
                asked.method,
                f"{settings.host}{asked.path}{'?' + urlencode(query) if query else ''}",
                body=body,
                headers={"user-agent": MANAGER, **headers, **login_by},
                timeout=Timeout(connect=min(CONNECT_S, timeout_s), read=timeout_s),
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            mute = f"{asked}: no answer from {_host(settings.host)} ({_kind(error)})"
            raise Unreachable(f"{mute}; see whether '{kubectl(self.context)} get ns' gets one") from error

    def _connected(self) -> Any:
        with self._lock:
            if self._closed:
                raise Unreachable(f"kubernetes {self.context}: the connection is closed")
            if self._client is None:
                self._client = _client(self.context, self._kubeconfig)
            return self._client

    def _forget(self) -> None:
        with self._lock:
            self._client = None


class ApiStream:
    """An answer that is read line by line in one thread, and ended from any other."""

    def __init__(self, asked: ApiRequest, response: Any) -> None:
        self._asked = asked
        self._response = response
        self._ended = False

    def lines(self) -> Iterator[bytes]:
        """Each line, until the server ends it or `end` was called; raises Unreachable where it breaks off."""
        from urllib3.exceptions import HTTPError

        rest = b""
        try:
            for chunk in self._response.stream(2**16):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line for line in whole if line.strip())
        except (HTTPError, OSError, ValueError) as error:
            if not self._ended:
                raise Unreachable(f"{self._asked}: the connection broke off ({_kind(error)})") from error
        finally:
            self._response.close()

    def end(self) -> None:
        """Wake the thread that reads, and let it end."""
        self._ended = True
        with suppress(Exception):
            self._response.shutdown()


def _client(context: str, kubeconfig: str) -> Any:
    """The official client for a context of a kubeconfig; raises BadInput where there is none such."""
    with _IMPORTING:
        try:
            from kubernetes.client import ApiClient, Configuration
            from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config
        except ImportError as error:
            needs = f"target kubernetes needs a package more ({error})"
            raise BadInput(f"{needs}: pip install 'quarterdeck[kubernetes]'") from error
    if not logging.getLogger().handlers:
        # The package tells its troubles to the root logger, which would begin to write to the screen.
        logging.getLogger().addHandler(logging.NullHandler())
    path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    settings = Configuration()
    try:
        for one in map(Path, filter(None, path.split(os.pathsep))):
            if one.exists():
                check_regular(one)
        names = [one["name"] for one in list_kube_config_contexts(path)[0]]
        if context not in names:
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise BadInput(f"kubernetes.context {context!r}: not in {path}; {known}{did_you_mean(context, names)}")
        if not _by_command(path, context, settings):
            load_kube_config(path, context=context, client_configuration=settings)
    except (ConfigException, OSError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)[:200]
        raise BadInput(f"kubernetes: the kubeconfig {path} can't be used: {why}") from error
    return ApiClient(settings)


def _by_command(path: str, context: str, settings: Any) -> bool:
    """Fill in the settings of a context whose user logs in by a command, which we call; False for any other."""
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

    config = KubeConfigMerger(path).config
    chosen = config["contexts"].get_with_name(context)["context"]
    name = chosen.safe_get("user")
    held = config["users"].get_with_name(name, safe=True) if name and "users" in config else None
    user = held.value.get("user") if held is not None else None
    if held is None or not isinstance(user, dict) or not isinstance(user.get("exec"), dict):
        return False
    cluster = config["clusters"].get_with_name(chosen["cluster"])["cluster"].value
    held.value["user"] = logged_in(context, user, str(Path(held.path or path).absolute().parent), cluster)
    KubeConfigLoader(config_dict=config, active_context=context, config_base_path=None).load_and_set(settings)
    return True


def _failed(asked: ApiRequest, response: Any) -> QuarterdeckError:
    """The error that an answer is."""
    try:
        body = json.loads(_read(asked, response))
    except (ValueError, QuarterdeckError):
        body = {}
    return refusal(asked, response.status, body if isinstance(body, dict) else {}, _headers(response))


def _read(asked: ApiRequest, response: Any) -> bytes:
    from urllib3.exceptions import HTTPError

    try:
        data: bytes = response.read()
        response.release_conn()
    except (HTTPError, OSError) as error:
        raise Unreachable(f"{asked}: the answer broke off ({_kind(error)})") from error
    return data


def _headers(response: Any) -> Mapping[str, str]:
    return {str(name).lower(): str(value) for name, value in response.headers.items()}


def _host(url: str) -> str:
    """Where it is, without what may stand before an @."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _kind(error: BaseException) -> str:
    """What broke, in a word or two; messages of these libraries hold addresses of objects."""
    cause = error.__cause__ or error.__context__
    name = type(error).__name__
    return f"{name}, {type(cause).__name__}" if cause is not None and name in {"ProtocolError", "HTTPError"} else name
