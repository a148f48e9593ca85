"""Attachments: sent and fetched in pieces; no process ever holds a whole one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
from kit import grpc as kit_grpc
from kit.errors import UnsupportedMediaType
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response, StreamingResponse

from gateway import bodies, hot, rates
from gateway.call import Call, passed_on
from gateway.operation import BINARY, Operation
from gateway.shapes.attachments import Attachment

TRANSFER_S_MAX = 60.0
# Beside the transfer: what intake takes to search the file.
ANSWER_S = 8.0


async def store_attachment(call: Call) -> Response:
    """What it is, is decided by what it holds: Content-Type is not asked."""
    if call.header("content-encoding").lower() not in ("", "identity"):
        raise UnsupportedMediaType("UNSUPPORTED_MEDIA_TYPE", "send the file as it is, not compressed")
    kit_grpc.begin_budget(TRANSFER_S_MAX + ANSWER_S)
    reply = await kit_grpc.upload(
        call.up.intake.StoreAttachment,
        _pieces(call),
        token=call.principal.token,
        language=call.asked_language,
        deadline_s=TRANSFER_S_MAX + ANSWER_S,
    )
    return passed_on(reply.attachment_json, 201, {"location": f"/v1/attachments/{_sha256(reply.attachment_json)}"})


async def _pieces(call: Call) -> AsyncIterator[intake_pb2.StoreAttachmentRequest]:
    most = call.wiring.settings.attachment_bytes_max
    async for chunk in bodies.pieces(call.request.scope, call.request.receive, most, TRANSFER_S_MAX):
        yield intake_pb2.StoreAttachmentRequest(chunk=chunk)
    yield intake_pb2.StoreAttachmentRequest(is_last=True)


def _sha256(attachment_json: bytes) -> str:
    return msgspec.json.decode(attachment_json, type=Attachment).sha256


async def get_attachment(call: Call, sha256: str) -> Response:
    """Never shown by a browser in our name: a file to save, whatever it holds."""
    headers = {"etag": hot.entity_tag(sha256), "content-disposition": f'attachment; filename="{sha256}"'}
    kit_grpc.begin_budget(TRANSFER_S_MAX)
    pieces = kit_grpc.download(
        call.up.intake.ReadAttachment,
        intake_pb2.ReadAttachmentRequest(sha256=sha256),
        token=call.principal.token,
        language=call.asked_language,
        deadline_s=TRANSFER_S_MAX,
    )
    described = await anext(pieces)
    headers["content-length"] = str(described.size_bytes)
    return StreamingResponse(_bytes(pieces), 200, headers, BINARY)


async def _bytes(pieces: AsyncGenerator[intake_pb2.ReadAttachmentResponse, None]) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece.chunk


OPERATIONS = (
    Operation(
        *("POST", "/v1/attachments", store_attachment, "Send a file; the same bytes again are the same attachment"),
        answer=Attachment,
        status=201,
        tag="attachments",
        media_type=BINARY,
        answer_headers=("Location",),
        rate_class=rates.UPLOADS,
    ),
    Operation(
        *("GET", "/v1/attachments/{sha256}", get_attachment, "The bytes of a file in which no virus was found"),
        tag="attachments",
        answer_media_type=BINARY,
        answer_headers=("ETag",),
    ),
)
