"""Receivers on loopback: one that speaks HTTP, one that speaks SMTP with TLS. They take what they get, or refuse."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class HttpReceiver:
    """`statuses` are answered in turn, then 202; `silent` answers nothing at all.

    One that `drips` gives this, then a byte now and then, and never comes to an end.
    """

    statuses: list[int] = field(default_factory=list)
    silent: bool = False
    drips: bytes = b""
    got: list[Request] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
            if self.silent:
                await reader.read()
                return
            if self.drips:
                writer.write(self.drips)
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
                return
            status = self.statuses.pop(0) if self.statuses else 202
            request = Request(head[0].split()[1], headers, body)
            (self.got if status < 300 else self.refused).append(request)
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def _listening(serve: Serve, over: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A free port where somebody listens; whoever is still talked to at the end is hung up on."""
    talks: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks[task] = writer
        await serve(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=over)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # One that had just come in talks a turn or two later, and a transport says later still that it is closed.
        for _ in range(10):
            for task, writer in list(talks.items()):
                task.cancel()
                writer.transport.abort()
            await asyncio.sleep(0)
        await asyncio.gather(*talks, return_exceptions=True)


@contextlib.asynccontextmanager
async def http_receiver(**how: Any) -> AsyncIterator[HttpReceiver]:
    """One on a free port."""
    receiver = HttpReceiver(**how)
    async with _listening(receiver.serve) as receiver.port:
        yield receiver


@dataclass
class SmtpReceiver:
    """Takes mail after STARTTLS, or over TLS from the first byte. `codes` are answered to MAIL in turn, then 250."""

    context: ssl.SSLContext
    ca: Path
    implicit: bool = False
    plain: bool = False
    codes: list[int] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: bool = False
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""

        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await say("220 loopback")
            while line := (await reader.readline()).decode().strip():
                match line.split(" ")[0].upper():
                    case "EHLO":
                        more = "" if self.plain else "250-STARTTLS\r\n"
                        await say(f"250-loopback\r\n{more}250 AUTH PLAIN")
                    case "STARTTLS":
                        await say("220 go on")
                        await writer.start_tls(self.context)
                        self.encrypted = True
                    case "AUTH":
                        self.logins.append(line.split(" ")[-1])
                        await say("235 ok")
                    case "MAIL":
                        code = self.codes.pop(0) if self.codes else 250
                        await say(f"{code} so")
                    case "DATA":
                        await say("354 go on")
                        self.got.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                        await say("250 taken")
                    case "QUIT":
                        await say("221 bye")
                        break
                    case _:
                        await say("250 ok")
        writer.close()


@contextlib.asynccontextmanager
async def smtp_receiver(folder: Path, **how: Any) -> AsyncIterator[SmtpReceiver]:
    """One on a free port, with a certificate of its own."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver = SmtpReceiver(context, cert, **how)
    over = context if receiver.implicit else None
    async with _listening(receiver.serve, over) as receiver.port:
        yield receiver


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_path.write_bytes(private)
    return cert_path, key_path
