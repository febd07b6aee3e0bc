"""Why an operation of Azure's came to nothing, and what an endpoint's answers mean: a line and the next step. Pure.

An operation that failed is an answer with 200, whose error begins with the word that says what it is.
"""

import re
from collections.abc import Callable, Mapping

from core.domain.errors import Failed
from core.targets.azureml.api_errors import LOGIN, Json, LoginRefused, NotSent, always, clipped, quota_words

BUILD_LOG = re.compile(r"blob store '([^']+)' under the path '([^']+)'")
LOGIN_ENDED = ("AADSTS700082", "AADSTS70043", "AADSTS50173", "AADSTS50076", "AADSTS7000222")

_LOGIN_HOST = re.compile(r"HTTPS?Connection(?:Pool)?\(host='(?!169\.254\.)([^']+)'")
"""Whoever gives tokens; a machine of Azure's own asks a link-local address, where elsewhere nobody is."""
_NO_FILE = "Could not find a suitable TLS CA certificate bundle"
_BROKEN_OFF = re.compile(r"\[SSL[:\]]|SSLError|Connection aborted|Connection reset")
_MUTE = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted; name the authority's file in REQUESTS_CA_BUNDLE"),
    ("resolve", "the name is not known here"),
    ("Name or service", "the name is not known here"),
    ("refused", "it refuses the connection"),
    ("timed out", "no answer in time"),
)


def unreached(error: Exception) -> str:
    """Why nobody was reached, to be put behind words that say so."""
    untrusted, words = _MUTE[0]
    return f": {words}" if untrusted in str(error) else f" ({type(error).__name__})"


def login_failure(workspace: str, text: str, authority: str = "") -> NotSent:
    """Why no token was to be had; of what the login's library says only its own code and a host are kept."""
    code = next((one for one in LOGIN_ENDED if one in text), "")
    if code:
        return LoginRefused(f"azureml {workspace}: the login has run out ({code}); {LOGIN}")
    if _NO_FILE in text:
        named = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that is not there"
        return NotSent(f"azureml {workspace}: no token can be asked for: {named}; name the authority's file")
    host = _LOGIN_HOST.search(text)
    if host is not None or _BROKEN_OFF.search(text):
        why = next((words for mark, words in _MUTE if mark in text), "the connection broke off")
        where = host[1] if host is not None else authority.removeprefix("https://").rstrip("/") or "the login's host"
        return NotSent(f"azureml {workspace}: {where}, which gives the login's tokens, is not to be reached: {why}")
    return LoginRefused(f"azureml {workspace}: no login was found that works; {LOGIN}")


def operation_failure(what: str, body: Json, tail: str = "") -> Failed:
    """Why an operation ended badly, from its body; `tail` is the last that the container or the build wrote."""
    error = body.get("error") or {}
    code, message = error.get("code"), str(error.get("message") or "")
    word, _, rest = message.partition(":")
    word, rest = (str(code), message) if code else (word.strip(), rest.strip())
    known = _OPERATIONS.get(word)
    ended = str(body.get("status") or "Failed").lower()
    said = clipped(message) or f"the operation {ended} without a word"
    why = said if known is None else known(rest)
    return Failed(f"{what}: {why}{f'; it wrote last: {clipped(tail, end=True)}' if tail else ''}")


def scoring_refusal(status: int, headers: Mapping[str, str], text: str = "") -> str:
    """What an answer of the endpoint other than 200 means, and what to do."""
    inner = headers.get("ms-azureml-model-error-statuscode", "")
    reason = headers.get("ms-azureml-model-error-reason", "")
    match status:
        case 401 | 403:
            return f"{status}: the endpoint's key or token is wrong or old; it is read anew"
        case 404:
            return "404: no deployment has traffic, or the address is wrong; release a version, or see 'status'"
        case 408:
            return "408: longer than the request timeout; raise azureml.request_timeout_s"
        case 424:
            told = f" {inner}" if inner else " another status than 200"
            because = f" ({clipped(reason)})" if reason else ""
            return f"424: the model answered{told}{because}; see its log with 'quarterdeck logs'"
        case 429:
            return "429: more at once than the instances take; more instances, or azureml.max_concurrent_requests"
        case 502 | 503 | 504:
            return f"{status}: the container does not answer; it crashed, is too slow, or still starts; see its log"
        case _:
            return f"{status}{f': {clipped(text)}' if text else ''}"


def _crashed(rest: str) -> str:
    return (
        f"the container crashed or never got ready ({clipped(rest)}); see its log, and give a slow start "
        "longer probes (azureml.liveness.initial_s) or a larger instance"
    )


def _build(rest: str) -> str:
    where = BUILD_LOG.search(rest)
    at = f"; its log is in the blob store {where[1]} under {where[2]}" if where else ""
    return f"the image could not be built: {clipped(rest)}{at}" if not where else f"the image could not be built{at}"


_OPERATIONS: Mapping[str, Callable[[str], str]] = {
    "ImageBuildFailure": _build,
    "OutOfQuota": quota_words,
    "OutOfCapacity": always(
        "the region has no such machine free now; try again later, or name another azureml.instance_type or region"
    ),
    "BadArgument": lambda rest: (
        f"an image, a model or a role is missing: {clipped(rest)}; the endpoint's identity needs AcrPull and "
        "Storage Blob Data Reader, a model its folder as it was registered"
    ),
    "ResourceNotReady": _crashed,
    "ResourceNotFound": lambda rest: (
        f"a storage account or registry was not found, or is closed to it: {clipped(rest)}; check names, roles"
    ),
    "OperationCanceled": always("a later change took its place; it is tried again after a minute"),
    "SecretsInjectionError": always(
        "the endpoint's identity may not read the secrets that are named; give it the role"
    ),
    "InternalServerError": lambda rest: f"Azure's own error: {clipped(rest)}; try again, then ask its support",
}
