"""The storage account: containers of blobs, each a file of a folder here.

The account's name leads with this host, so that `https://{accountName}.blob.{endpoint}` is an address that resolves:
blobs are at `/storageaccount1.blob.core.localhost/CONTAINER/PATH`. Recorded: HEAD of a blob that is there and of one
that is not. Never recorded: an upload, a list, a SAS. The signature of an account's key is looked for and not
checked; a SAS that was given out here is, and one that a client signed itself is not.
"""

import base64
import hashlib
import secrets
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from tests.azure.calls import RestAnswer, RestCall
from tests.azure.stamps import web_date

ACCOUNT = "storageaccount1"
DOMAIN = "core.localhost"
ROOT = f"/{ACCOUNT}.blob.{DOMAIN}"
VERSION = "2025-11-05"
BLOCKS = ".blocks"


@dataclass(slots=True)
class BlobFacts:
    """What is known of a blob beside its bytes."""

    made_at: str
    kind: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class BlobStore:
    """All containers. `tokens` are the bearer tokens that are good."""

    folder: Path
    base: str = ""
    key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(64)).decode())
    facts: dict[str, BlobFacts] = field(default_factory=dict)
    signatures: set[str] = field(default_factory=set)
    tokens: Container[str] = frozenset()

    @property
    def url(self) -> str:
        """Where the account is."""
        return f"{self.base}{ROOT}"

    def path(self, container: str, name: str) -> Path:
        """Where a blob's file is, or a folder of blobs; it need not be there."""
        found = (self.folder / container / name).resolve()
        if not found.is_relative_to(self.folder.resolve()):
            raise ValueError(f"{name}: outside of its container")
        return found

    def sas(self) -> str:
        """A new signature that opens the account."""
        mark = base64.b64encode(secrets.token_bytes(32)).decode()
        self.signatures.add(mark)
        return urlencode({"sv": VERSION, "se": "2099-01-01T00:00:00Z", "sr": "c", "sp": "racwl", "sig": mark})

    def _allowed(self, call: RestCall) -> bool:
        given = call.headers.get("authorization", "")
        if given.startswith("SharedKey "):
            return True
        if given.startswith("Bearer "):
            return given.removeprefix("Bearer ") in self.tokens
        mark = call.query.get("sig", "")
        return mark in self.signatures or (call.query.get("sr") == "b" and bool(mark))

    def answer(self, call: RestCall) -> RestAnswer:
        """One call to the account."""
        if not self._allowed(call):
            return _refused(403, "AuthenticationFailed")
        container, _, name = call.path.removeprefix(ROOT).strip("/").partition("/")
        if call.query.get("comp") == "list":
            return self._listed(container, call.query.get("prefix", ""))
        if call.query.get("restype") == "container":
            return _headed(200 if (self.folder / container).is_dir() else 404, {})
        if not name:
            return _refused(400, "InvalidUri")
        if call.method == "PUT":
            return self._put(container, name, call)
        if call.method in {"GET", "HEAD"}:
            return self._read(container, name, call)
        return _refused(405, "UnsupportedHttpVerb")

    def _put(self, container: str, name: str, call: RestCall) -> RestAnswer:
        path, what = self.path(container, name), call.query.get("comp", "")
        facts = self.facts.get(f"{container}/{name}")
        metadata = {key[10:].lower(): value for key, value in call.headers.items() if key.startswith("x-ms-meta-")}
        if what == "metadata":
            if facts is None:
                return _refused(404, "BlobNotFound")
            facts.metadata = metadata
            return _headed(200, _about(facts, path))
        if what == "block":
            part = self.folder / BLOCKS / hashlib.sha256(f"{container}/{name}".encode()).hexdigest()
            part.mkdir(parents=True, exist_ok=True)
            (part / call.query["blockid"].replace("/", "_")).write_bytes(call.raw)
            return _headed(201, {})
        if facts is not None and call.headers.get("if-none-match") == "*":
            return _refused(409, "BlobAlreadyExists")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._joined(container, name, call.raw) if what == "blocklist" else call.raw)
        facts = BlobFacts(web_date(), metadata=metadata)
        self.facts[f"{container}/{name}"] = facts
        return _headed(201, _about(facts, path))

    def _joined(self, container: str, name: str, wanted: bytes) -> bytes:
        part = self.folder / BLOCKS / hashlib.sha256(f"{container}/{name}".encode()).hexdigest()
        text = wanted.decode()
        marks = [one.split("<")[0] for one in text.split("<Latest>")[1:]]
        return b"".join((part / one.replace("/", "_")).read_bytes() for one in marks)

    def _read(self, container: str, name: str, call: RestCall) -> RestAnswer:
        path, facts = self.path(container, name), self.facts.get(f"{container}/{name}")
        if facts is None or not path.is_file():
            return _refused(404, "BlobNotFound", call.method)
        headers = _about(facts, path)
        if call.method == "HEAD":
            return RestAnswer(200, None, {**headers, "content-length": str(path.stat().st_size)})
        body = path.read_bytes()
        asked = call.headers.get("x-ms-range") or call.headers.get("range") or ""
        if not asked:
            return RestAnswer(200, body, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(body) - 1), len(body) - 1)
        if start >= len(body):
            return _refused(416, "InvalidRange")
        return RestAnswer(206, body[start : end + 1], {**headers, "content-range": f"bytes {start}-{end}/{len(body)}"})

    def write(self, container: str, name: str, body: bytes) -> None:
        """A blob that the service itself writes."""
        path = self.path(container, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.facts[f"{container}/{name}"] = BlobFacts(web_date(), "text/plain")

    def _listed(self, container: str, prefix: str) -> RestAnswer:
        rows = []
        for known in sorted(self.facts):
            name = known.removeprefix(f"{container}/")
            if known.startswith(f"{container}/") and name.startswith(prefix):
                size = self.path(container, name).stat().st_size
                about = f"<Last-Modified>{self.facts[known].made_at}</Last-Modified><Etag>0x1</Etag>"
                kind = "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>"
                size_xml = f"<Content-Length>{size}</Content-Length>"
                rows.append(f"<Blob><Name>{escape(name)}</Name><Properties>{about}{size_xml}{kind}</Properties></Blob>")
        where = f'ServiceEndpoint="{self.url}/" ContainerName="{container}"'
        head = f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults {where}><Prefix>{escape(prefix)}</Prefix>'
        body = f"{head}<Blobs>{''.join(rows)}</Blobs><NextMarker /></EnumerationResults>"
        return RestAnswer(200, body.encode(), {"content-type": "application/xml", "x-ms-version": VERSION})


def _about(facts: BlobFacts, path: Path) -> dict[str, str]:
    digest = base64.b64encode(hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()).decode()
    said = {
        "accept-ranges": "bytes",
        "content-md5": digest,
        "etag": f'"0x{hashlib.sha256(digest.encode()).hexdigest()[:15].upper()}"',
        "last-modified": facts.made_at,
        "content-type": facts.kind,
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": facts.made_at,
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
    }
    return {**said, **{f"x-ms-meta-{key}": value for key, value in facts.metadata.items()}}


def _headed(status: int, headers: dict[str, str]) -> RestAnswer:
    return RestAnswer(status, None, {"x-ms-version": VERSION, **headers})


def _refused(status: int, code: str, method: str = "") -> RestAnswer:
    said = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    headers = {"x-ms-version": VERSION, "x-ms-error-code": code, "content-type": "application/xml"}
    return RestAnswer(status, None if method == "HEAD" else said.encode(), headers)
