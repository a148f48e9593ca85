"""Where the bytes of attachments are: a port that any object store can fill, and the adapter for a folder."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import IO, ParamSpec, Protocol, TypeVar

from kit import ids
from kit.errors import Unavailable

CHUNK_BYTES = 256 * 1024
ABANDONED_S = 3600.0

P = ParamSpec("P")
T = TypeVar("T")


class Incoming(Protocol):
    """Bytes whose hash is not known yet; what is not kept is forgotten."""

    async def write(self, chunk: bytes) -> None: ...

    async def keep(self, sha256: str) -> None:
        """Durable under its hash when this returns; nothing happens when it was there."""


class FileStore(Protocol):
    """No file is ever changed or listed."""

    async def open(self) -> None:
        """Raises Unavailable while nothing could be kept here."""

    def receive(self) -> AbstractAsyncContextManager[Incoming]: ...

    def read(self, sha256: str) -> AsyncGenerator[bytes, None]: ...


class FolderStore:
    """`ab/cd/abcd…` under one folder; arriving files lie in `incoming` until they are whole, synced and renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    async def open(self) -> None:
        """Forgets what a killed process left half received. Raises Unavailable."""
        await _on_disk(self._prepare)

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[Incoming]:
        at = self._incoming / ids.new_id()
        file = await _on_disk(at.open, "xb")
        try:
            yield _ArrivingFile(self._path, at, file)
        finally:
            with suppress(OSError):
                file.close()
            at.unlink(missing_ok=True)

    async def read(self, sha256: str) -> AsyncGenerator[bytes, None]:
        file = await _on_disk(self._path(sha256).open, "rb")
        try:
            while chunk := await _on_disk(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def _prepare(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - ABANDONED_S:
                    left.unlink()


class _ArrivingFile:
    def __init__(self, path: Callable[[str], Path], at: Path, file: IO[bytes]) -> None:
        self._path = path
        self._at = at
        self._file = file

    async def write(self, chunk: bytes) -> None:
        await _on_disk(self._file.write, chunk)

    async def keep(self, sha256: str) -> None:
        await _on_disk(self._keep, self._path(sha256))

    def _keep(self, path: Path) -> None:
        if not path.exists():
            self._file.flush()
            os.fsync(self._file.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            self._at.rename(path)
        for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
            _sync_folder(folder)


async def _on_disk(deed: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Raises Unavailable: a disk that is full, away or not ours to write is no fault of the caller's."""
    try:
        return await asyncio.to_thread(deed, *given, **named)
    except OSError as error:
        raise Unavailable("OVERLOADED", "the store of attachments does not answer") from error


def _sync_folder(folder: Path) -> None:
    """So that the name, too, outlives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
