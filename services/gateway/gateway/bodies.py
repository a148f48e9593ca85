"""Reading what a caller sends, never more of it than was agreed, and saying precisely what is wrong with it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from kit import strict_json
from kit.errors import Invalid, Malformed, TooLarge, UnsupportedMediaType, Violation
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.refusals import RequestTimeout

READ_S_MAX = 15.0
QUERY_FIELDS_MAX = 16
DRAIN_BYTES_MAX = 16 * 1024 * 1024
DRAIN_S_MAX = 2.0

T = TypeVar("T")


class ClientGone(Exception):
    """Nobody is left to answer."""


class EarlyResponse(Response):
    """An answer given before the request was read to its end.

    Most clients only look for an answer once they have sent everything, so what still comes is read and forgotten,
    within limits, before the connection closes. Those that do look have the whole answer at once.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["connection"] = "close"
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(DRAIN_S_MAX):
                await _forget(receive)
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _forget(receive: Receive) -> None:
    seen = 0
    while seen <= DRAIN_BYTES_MAX:
        message = await receive()
        seen += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def header(scope: Scope, name: bytes) -> str:
    """The first header of this name, or nothing."""
    for found, value in scope["headers"]:
        if found == name:
            return str(value, "latin-1")
    return ""


async def read(scope: Scope, receive: Receive, bytes_max: int) -> bytes:
    """The body, refused as soon as it is known to be too large. Raises TooLarge, RequestTimeout, ClientGone."""
    length = header(scope, b"content-length")
    if length.isdigit() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(READ_S_MAX):
            return await _gather(receive, bytes_max)
    except TimeoutError as error:
        raise RequestTimeout("REQUEST_TIMEOUT", f"a body may take {READ_S_MAX:.0f} seconds") from error


async def pieces(scope: Scope, receive: Receive, bytes_max: int, within_s: float) -> AsyncIterator[bytes]:
    """The body as it comes, never more of it than one piece. Raises TooLarge, RequestTimeout, ClientGone."""
    length = header(scope, b"content-length")
    if length.isdigit() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    until, size, has_more = time.monotonic() + within_s, 0, True
    while has_more:
        message = await _message(receive, until - time.monotonic())
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        if chunk:
            yield chunk
        has_more = message.get("more_body", False)


async def _message(receive: Receive, within_s: float) -> Message:
    try:
        async with asyncio.timeout(within_s):
            message = await receive()
    except TimeoutError as error:
        raise RequestTimeout("REQUEST_TIMEOUT", "the body took too long") from error
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def _gather(receive: Receive, bytes_max: int) -> bytes:
    message = await receive()
    chunks, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunk
        message = await receive()


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge("TOO_LARGE", f"at most {bytes_max} bytes are accepted here", facts={"bytes_max": str(bytes_max)})


def require_media_type(scope: Scope, *wanted: str) -> None:
    """Any of them. Raises UnsupportedMediaType."""
    if not any(is_media_type(scope, one) for one in wanted):
        named = " or ".join(wanted)
        raise UnsupportedMediaType("UNSUPPORTED_MEDIA_TYPE", f"send {named}, in UTF-8 and not compressed")


def is_media_type(scope: Scope, wanted: str) -> bool:
    """UTF-8 and no content coding: what we do not expand cannot be a bomb."""
    given, _, parameters = header(scope, b"content-type").partition(";")
    charset = re.search(r'charset\s*=\s*"?([^\s";]*)', parameters, re.IGNORECASE)
    if charset and charset.group(1).lower() not in ("utf-8", "utf8"):
        return False
    return given.strip().lower() == wanted and header(scope, b"content-encoding").lower() in ("", "identity")


def parse(raw: bytes, shape: type[T]) -> T:
    """Strict JSON in one of our own shapes. Raises Malformed (400) or Invalid (422)."""
    try:
        return msgspec.convert(strict_json.loads(raw), shape)
    except msgspec.ValidationError as error:
        raise Invalid("INVALID_REQUEST", violations=[violation(error)]) from error


def query(raw: bytes, shape: type[T]) -> T:
    """Parameters of the query: each known and once. Raises Malformed."""
    given = _pairs(raw)
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        wrong = violation(error)
        wrong = Violation(f"/query{wrong.pointer}", "INVALID_PARAMETER", wrong.message)
        raise Malformed("MALFORMED", "a query parameter is wrong", violations=[wrong]) from error


def no_query(raw: bytes) -> None:
    if raw:
        query(raw, _Nothing)


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


def _pairs(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        raise Malformed("MALFORMED", "the query is not well formed") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Malformed("MALFORMED", "a query parameter is given twice")
    if any(_has_control(text) for pair in pairs for text in pair):
        raise Malformed("MALFORMED", "a query parameter holds a control character")
    return given


def _has_control(text: str) -> bool:
    return any(char < " " or "\x7f" <= char <= "\x9f" for char in text)


_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")


def violation(error: msgspec.ValidationError) -> Violation:
    """msgspec's `… - at `$.lines[0].unit`` as a violation with a JSON pointer."""
    text = str(error)
    at = _AT.search(text)
    steps = [name or index for name, index in _STEP.findall(at.group("path"))] if at else []
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return Violation(pointer, _violation_code(text), text[: at.start()] if at else text)


def _violation_code(text: str) -> str:
    if "missing required field" in text:
        return "REQUIRED"
    return "UNKNOWN_FIELD" if "unknown field" in text else "INVALID_VALUE"
