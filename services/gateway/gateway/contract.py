"""The OpenAPI document as the pack in force makes it: asked of intake at the start, and again from time to time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from kit import strict_json, telemetry
from kit.errors import PortolanError
from portolan.intake.v1 import intake_pb2

from gateway.upstreams import Upstreams, ask

RETRY_S = 0.5
REFRESH_S = 30.0

DocumentTypes = Sequence[Mapping[str, Any]]


class Contract:
    def __init__(self, upstreams: Upstreams, build: Callable[[DocumentTypes], Mapping[str, Any]]) -> None:
        self._upstreams = upstreams
        self._build = build
        self._raw: Sequence[bytes] = ()
        self.document_types: DocumentTypes = ()
        self.openapi: bytes = msgspec.json.encode(build(()))

    @property
    def is_known(self) -> bool:
        return bool(self.document_types)

    @property
    def pack_version(self) -> str | None:
        versions = {str(one["pack_version"]) for one in self.document_types if "pack_version" in one}
        return max(versions, default=None)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.refresh()
            except PortolanError as error:
                telemetry.log().warning("document_types_unknown", reason=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REFRESH_S if self.is_known else RETRY_S)

    async def refresh(self) -> None:
        """Raises what intake raises; what was known stays."""
        upstreams = self._upstreams
        request = intake_pb2.ListDocumentTypesRequest()
        reply = await ask(upstreams.intake.ListDocumentTypes, request, token=upstreams.own_token())
        if list(reply.document_type_jsons) == self._raw:
            return
        self._raw = list(reply.document_type_jsons)
        self.document_types = [strict_json.loads(raw, depth_max=128) for raw in self._raw]
        self.openapi = msgspec.json.encode(self._build(self.document_types))
