"""A receiver of webhooks as a client would write one: it keeps what it got and answers what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    server_name: str = ""

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = msgspec.json.decode(self.body)
        return content

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")

    def is_signed_by(self, key: str) -> bool:
        """Written from the specification, not from our signing code."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        return any(_verifies(key, one.partition(",")[0], one.partition(",")[2], signed) for one in self.signatures)


def _verifies(key: str, version: str, signature: str, signed: bytes) -> bool:
    kind, _, text = key.partition("_")
    raw = base64.b64decode(text)
    if (kind, version) == ("whsec", "v1"):
        expected = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(expected, signature)
    if (kind, version) != ("whpk", "v1a"):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature), signed)
    except Exception:
        return False
    return True


class Receiver:
    """`answers` are given in order, the last for ever; `on_receive` runs before the answer."""

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None, pause_s: float = 0.0) -> None:
        self.received: list[Received] = []
        self.answers: Sequence[bytes] = answers or (OK,)
        self.on_receive: Callable[[], None] = lambda: None
        self.pause_s = pause_s
        self.server_names: list[str] = []
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.server_names.append(name or "")

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        given = self.answers[min(len(self.received), len(self.answers) - 1)]
        self.received.append(Received(head[0].split(" ")[1], headers, body))
        self.on_receive()
        await asyncio.sleep(self.pause_s)
        writer.write(given)
        await writer.drain()
        writer.close()


def certificate(name: str, folder: Any) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for the name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))
