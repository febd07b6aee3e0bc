"""HTTP in front of the registry: paths, bodies, lists, watches, and the faults that a test has set."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import web

from tests.kubernetes import discovery, selectors, views
from tests.kubernetes.access import Access
from tests.kubernetes.errors import ApiError, bad_request, expired, no_such_path, not_found
from tests.kubernetes.faults import ApiFault, FaultKind, Faults, slowed
from tests.kubernetes.kinds import Json
from tests.kubernetes.registry import APPLY_PATCH, PATCHES, Registry, WriteOptions
from tests.kubernetes.routes import ApiPath, parsed, verb_of
from tests.kubernetes.watching import BOOKMARK_S, WatchQuery, events

NOT_ALLOWED = ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})
_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
LONGEST_WATCH_S = 1800.0
REMEMBERED = 20_000
FUTURE_S = 3.0


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A call that was made, when it came and when it was answered, in seconds since the epoch."""

    method: str
    path: str
    status: int
    came_at: float
    answered_at: float


@dataclass(slots=True)
class ApiServer:
    """Answers requests. `extra` answers what is beyond the store: logs, proxies, metrics; None is a 404.

    `calls` are the last ones that it answered.
    """

    registry: Registry
    access: Access
    faults: Faults
    served: discovery.Served
    extra: "Extra"
    bookmark_s: float = BOOKMARK_S
    watches: set[asyncio.Event] = field(default_factory=set)
    calls: deque[AnsweredCall] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def __post_init__(self) -> None:
        self.registry.store.listeners.append(lambda change: self.wake())

    def wake(self) -> None:
        """Let every watch look."""
        for one in self.watches:
            one.set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, through the faults."""
        came_at = time.time()
        response = await self._through_faults(request)
        self.calls.append(AnsweredCall(request.method, request.path, response.status, came_at, time.time()))
        return response

    async def _through_faults(self, request: web.BaseRequest) -> web.StreamResponse:
        met = self.faults.met_by(request.method, request.path_qs)
        by_kind = {one.kind: one for one in met}
        await request.read()  # whole, before anything waits: its caller may have left by then
        await slowed(met)
        if FaultKind.DROP in by_kind:
            return _broken(request)
        response = _failed(by_kind) or await self._answered(request)
        if FaultKind.LOSE in by_kind:
            return _broken(request)
        return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._routed(request)
        except ApiError as error:
            return refusal(error)

    async def _routed(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self.access.who(request.headers.get("Authorization", ""))
        path = request.path
        accepts = request.headers.get("Accept", "*/*")
        if not any(kind in accepts for kind in ("*/*", "json", "yaml", "application/*", "text/plain")):
            kinds = ", ".join((*_BODIES, *(f"{_BODIES[one]};stream=watch" for one in (0, 2))))
            raise ApiError(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {kinds}", {})
        if path in {"/readyz", "/livez", "/healthz"}:
            return web.Response(text="ok")
        if (known := self._discovered(path, request)) is not None:
            return web.json_response(known)
        if path.startswith("/apis/authorization.k8s.io/v1/") and request.method == "POST":
            return web.json_response(self.access.reviewed(user, _object(await request.read())), status=201)
        at = parsed(path)
        if at is not None and at.of.group and not self.served(at.of.group):
            at = None
        if at is None:
            return await self._elsewhere(request, user, path)
        watching = request.query.get("watch", "") in {"true", "1"}
        verb = verb_of(request.method, at, watching=watching)
        if verb is None:
            raise NOT_ALLOWED
        name = at.name.split(":")[-2] if at.sub == "proxy" and ":" in at.name else at.name
        self.access.check(user, verb, at.of, at.sub, at.namespace or "", name)
        return await self._done(request, at, verb)

    async def _elsewhere(self, request: web.BaseRequest, user: str, path: str) -> web.StreamResponse:
        if (answered := self.extra.metrics(path, dict(request.query))) is not None:
            return answered
        depth = len([part for part in path.split("/") if part])
        served = depth > 3 and discovery.resources(*_group_version(path), self.served) is not None
        if served:
            raise no_such_path()
        return web.Response(status=404, text="404 page not found\n")

    def _discovered(self, path: str, request: web.BaseRequest) -> Json | None:
        parts = [part for part in path.split("/") if part]
        match parts:
            case ["version"]:
                return discovery.VERSION
            case ["api"]:
                return discovery.versions(request.host)
            case ["api", "v1"]:
                return discovery.resources("", "v1", self.served)
            case ["apis"]:
                return discovery.groups(self.served)
            case ["apis", name]:
                return discovery.group(name, self.served)
            case ["apis", name, version]:
                return discovery.resources(name, version, self.served)
        return None

    async def _done(self, request: web.BaseRequest, at: ApiPath, verb: str) -> web.StreamResponse:
        if at.sub == "proxy":
            return await self.extra.proxied(request, at)
        if at.sub == "log":
            return self.extra.log(at, dict(request.query))
        if verb == "watch":
            return await self._watched(request, at)
        if verb == "list":
            return web.json_response(await self._listed(at, request.query))
        if verb == "get":
            body = self.registry.read(at.of, at.namespace or "", at.name)
            return web.json_response(views.scale(body) if at.sub == "scale" else views.seen(at.of, body))
        raw = await request.read()
        if verb == "create":
            return self._created(request, at, raw)
        if verb in {"delete", "deletecollection"}:
            return self._deleted(request, at, raw)
        return self._changed(request, at, raw)

    async def _listed(self, at: ApiPath, query: Mapping[str, str]) -> Json:
        store, version = self.registry.store, self.registry.store.version
        after = ""
        asked = query.get("resourceVersion", "")
        if asked and _version(asked) > version:
            await asyncio.sleep(FUTURE_S)
            raise too_large(_version(asked), store.version)
        chosen = _chooser(at, query)
        if "continue" in query:
            version, after = views.from_token(query["continue"])
            if version < store.compacted and version > 0:
                again = views.token(-1, after)
                raise expired(_CONTINUE_TOO_OLD, {"continue": again})
            version = store.version if version < 0 else version
            items = store.items_at(at.of.store, at.namespace, version)
        elif query.get("resourceVersionMatch") == "Exact" and asked:
            version = _version(asked)
            items = store.items_at(at.of.store, at.namespace, version)
        else:
            items = store.items(at.of.store, at.namespace)
        items = [one for one in items if chosen(views.seen(at.of, one)) and _place(one) > after]
        limit = int(query.get("limit") or 0)
        if 0 < limit < len(items):
            following = views.token(version, _place(items[limit - 1]))
            return views.as_list(at.of, items[:limit], version, following, len(items) - limit)
        return views.as_list(at.of, items, version)

    async def _watched(self, request: web.BaseRequest, at: ApiPath) -> web.StreamResponse:
        query = request.query
        asked = query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents") == "true"
        version = _version(asked) if asked not in {"", "0"} else None
        if version is not None and version > self.registry.store.version:
            await asyncio.sleep(FUTURE_S)
            raise too_large(version, self.registry.store.version)
        wanted = WatchQuery(
            of=at.of,
            namespace=at.namespace,
            chosen=_chooser(at, query),
            version=None if initial else version,
            seconds=float(query.get("timeoutSeconds") or LONGEST_WATCH_S),
            bookmarks=query.get("allowWatchBookmarks") == "true",
            initial=initial,
            bookmark_s=self.bookmark_s,
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        changed = asyncio.Event()
        self.watches.add(changed)
        try:
            async for line in events(wanted, self.registry.store, changed):
                await response.write(line)
            await response.write_eof()
        except ConnectionResetError:
            pass  # Whoever watched has left.
        finally:
            self.watches.discard(changed)
        return response

    def _created(self, request: web.BaseRequest, at: ApiPath, raw: bytes) -> web.Response:
        _known_type(request, _BODIES)
        body = views.kept(at.of, _typed(at, raw))
        made = self.registry.create(_kept_as(at), at.namespace or _home(at, body), body, _options(request))
        return web.json_response(views.seen(at.of, made), status=201)

    def _changed(self, request: web.BaseRequest, at: ApiPath, raw: bytes) -> web.Response:
        registry, options = self.registry, _options(request, at.sub)
        of, namespace = _kept_as(at), at.namespace or ""
        if request.method == "PATCH":
            if request.content_type not in PATCHES:
                raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
            asked = _parsed_patch(request.content_type, raw)
        else:
            _known_type(request, _BODIES)
            asked = _typed(at, raw) if at.sub != "scale" else _object(raw)
        if at.sub == "scale":
            return web.json_response(self._scaled(at, asked, options))
        if request.method == "PATCH":
            body, made = registry.patch(of, namespace, at.name, asked, request.content_type, options)
        else:
            body, made = registry.update(of, namespace, at.name, views.kept(at.of, asked), options), False
        return web.json_response(views.seen(at.of, body), status=201 if made else 200)

    def _scaled(self, at: ApiPath, asked: Json, options: WriteOptions) -> Json:
        old = self.registry.read(at.of, at.namespace or "", at.name)
        count = (asked.get("spec") or {}).get("replicas", 0 if "metadata" in asked else old["spec"].get("replicas"))
        metadata = {
            **old["metadata"],
            **{k: v for k, v in (asked.get("metadata") or {}).items() if k == "resourceVersion"},
        }
        new = {**old, "metadata": metadata, "spec": {**old["spec"], "replicas": count}}
        return views.scale(self.registry.changed(at.of, old, new, options))

    def _deleted(self, request: web.BaseRequest, at: ApiPath, raw: bytes) -> web.Response:
        asked = _object(raw) if raw.strip() else {}
        query = request.query
        if "propagationPolicy" in query:
            asked["propagationPolicy"] = query["propagationPolicy"]
        if "gracePeriodSeconds" in query:
            asked["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
        dry = query.get("dryRun") == "All" or asked.get("dryRun") == ["All"]
        of = _kept_as(at)
        if at.name:
            held = self.registry.read(of, at.namespace or "", at.name)
            left = self.registry.delete(of, at.namespace or "", at.name, asked, dry_run=dry)
            return web.json_response(views.seen(at.of, left) if left else _success(at, held))
        chosen = _chooser(at, query)
        found = [one for one in self.registry.store.items(of.store, at.namespace) if chosen(views.seen(at.of, one))]
        for one in found:
            metadata = one["metadata"]
            self.registry.delete(of, metadata.get("namespace", ""), metadata["name"], asked, dry_run=dry)
        return web.json_response(views.as_list(at.of, found, self.registry.store.version))


class Extra:
    """What lies beyond the store; the cluster says how."""

    def metrics(self, path: str, query: dict[str, str]) -> web.Response | None:
        """metrics.k8s.io, or None where it is not there."""
        return None

    def log(self, at: ApiPath, query: dict[str, str]) -> web.Response:
        """A pod's log."""
        raise not_found(at.of, at.name)

    async def proxied(self, request: web.BaseRequest, at: ApiPath) -> web.StreamResponse:
        """A request handed on to a pod or a Service."""
        raise not_found(at.of, at.name)


_CONTINUE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def too_large(asked: int, held: int) -> ApiError:
    """504 for a version from the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {held}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1}, retry_after_s=1)


def refusal(error: ApiError) -> web.Response:
    """A Status as an answer."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return web.json_response(error.body(), status=error.code, headers=headers)


def _broken(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _failed(by_kind: Mapping[FaultKind, ApiFault]) -> web.Response | None:
    if busy := by_kind.get(FaultKind.BUSY):
        message = "too many requests, please try again later"
        seconds = round(busy.seconds) or 1
        return refusal(ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": seconds}, retry_after_s=seconds))
    if status := by_kind.get(FaultKind.STATUS):
        return refusal(
            ApiError(status.status, "ServiceUnavailable", "the server is currently unable to handle the request")
        )
    return None


def _group_version(path: str) -> tuple[str, str]:
    parts = [part for part in path.split("/") if part]
    return ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])


def _place(body: Json) -> str:
    return "/".join(filter(None, (body["metadata"].get("namespace"), body["metadata"]["name"])))


def _home(at: ApiPath, body: Json) -> str:
    return (body.get("metadata") or {}).get("namespace", "") if at.of.namespaced else ""


def _kept_as(at: ApiPath) -> Any:
    from tests.kubernetes.kinds import resource

    return resource("events") if at.of.plural == "events" else at.of


def _version(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{text}": {why}') from error


def _chooser(at: ApiPath, query: Mapping[str, str]) -> selectors.Chooser:
    by_labels = selectors.by_labels(query.get("labelSelector", ""))
    by_fields = selectors.by_fields(at.of, query.get("fieldSelector", ""))
    return lambda body: by_labels(body) and by_fields(body)


def _known_type(request: web.BaseRequest, known: tuple[str, ...]) -> None:
    if request.content_type not in {*known, "application/octet-stream"}:
        types = ", ".join(known)
        message = f"the body of the request was in an unknown format - accepted media types include: {types}"
        raise ApiError(415, "UnsupportedMediaType", message)


def _object(raw: bytes) -> Json:
    try:
        body = yaml.safe_load(raw) if raw[:1] not in b"{[" else json.loads(raw)
    except (yaml.YAMLError, ValueError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(body, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
    return body


def _typed(at: ApiPath, raw: bytes) -> Json:
    try:
        return _object(raw)
    except ApiError as error:
        shown = raw.decode(errors="replace")[:60]
        message = f"the object provided is unrecognized (must be of type {at.of.kind}): {error.message} ({shown})"
        raise bad_request(message) from error


def _parsed_patch(content_type: str, raw: bytes) -> Any:
    try:
        return yaml.safe_load(raw) if content_type == APPLY_PATCH and raw[:1] != b"{" else json.loads(raw)
    except (yaml.YAMLError, ValueError) as error:
        raise bad_request(f"error decoding patch: {error}") from error


def _options(request: web.BaseRequest, sub: str = "") -> WriteOptions:
    query = request.query
    agent = request.headers.get("User-Agent", "unknown").split("/")[0]
    return WriteOptions(
        manager=query.get("fieldManager") or agent,
        subresource=sub,
        dry_run=query.get("dryRun") == "All",
        strict=query.get("fieldValidation") == "Strict",
        force=query.get("force") in {"true", "1", "True"},
        named="fieldManager" in query,
    )


def _success(at: ApiPath, body: Json) -> Json:
    details = {**at.of.details(at.name), "uid": body["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
