"""Attachments in any object store that speaks S3: one object for each hash, written once, never changed or listed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import urllib3
from kit.errors import Unavailable
from minio import Minio
from minio.error import MinioException, S3Error

from intake.store.files import CHUNK_BYTES

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 20.0
TRIES_MAX = 3
CONNECTIONS_MAX = 32
# A file arrives in memory, beyond this on the local disk: its name is its hash, which is known at its end.
IN_MEMORY_BYTES_MAX = 1024 * 1024
MISSING = frozenset({"NoSuchKey", "NoSuchObject"})

P = ParamSpec("P")
T = TypeVar("T")


class ObjectStore:
    """`ab/cd/abcd…` in one bucket, which is there already."""

    def __init__(self, endpoint: str, bucket: str, access_key: str, secret_key: str, region: str) -> None:
        """`endpoint` is an address as https://storage.example:9000. Raises ValueError for another."""
        address = urlsplit(endpoint)
        if address.scheme not in {"http", "https"} or not address.netloc:
            raise ValueError(f"{endpoint!r} is no http or https address")
        self._bucket = bucket
        self._client = Minio(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region=region,
            http_client=_pool(),
        )

    async def open(self) -> None:
        """Raises Unavailable, also when there is no such bucket."""
        if not await _over_the_wire(self._client.bucket_exists, bucket_name=self._bucket):
            raise Unavailable("OVERLOADED", f"the store of attachments has no bucket {self._bucket}")

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[_ArrivingObject]:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES_MAX) as file:
            yield _ArrivingObject(self, cast("BinaryIO", file))

    async def read(self, sha256: str) -> AsyncGenerator[bytes, None]:
        answer = await _over_the_wire(self._client.get_object, bucket_name=self._bucket, object_name=_name(sha256))
        try:
            pieces = answer.stream(CHUNK_BYTES)
            while chunk := await _over_the_wire(next, pieces, b""):
                yield chunk
        finally:
            answer.close()
            answer.release_conn()

    async def put(self, sha256: str, file: BinaryIO, size_bytes: int) -> None:
        """Nothing happens when it is there already: the same name is the same bytes."""
        if not await self._is_there(sha256, size_bytes):
            await _over_the_wire(
                self._client.put_object,
                bucket_name=self._bucket,
                object_name=_name(sha256),
                data=file,
                length=size_bytes,
            )

    async def _is_there(self, sha256: str, size_bytes: int) -> bool:
        try:
            known = await asyncio.to_thread(
                self._client.stat_object, bucket_name=self._bucket, object_name=_name(sha256)
            )
        except S3Error as error:
            if error.code in MISSING:
                return False
            raise _unavailable(error) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _unavailable(error) from error
        return known.size == size_bytes


class _ArrivingObject:
    def __init__(self, store: ObjectStore, file: BinaryIO) -> None:
        self._store = store
        self._file = file
        self._size_bytes = 0

    async def write(self, chunk: bytes) -> None:
        self._size_bytes += len(chunk)
        await _over_the_wire(self._file.write, chunk)

    async def keep(self, sha256: str) -> None:
        await _over_the_wire(self._file.seek, 0)
        await self._store.put(sha256, self._file, self._size_bytes)


def _name(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(
        maxsize=CONNECTIONS_MAX,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        retries=urllib3.Retry(total=TRIES_MAX - 1, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504)),
    )


async def _over_the_wire(deed: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Raises Unavailable: a store that is away, full or closed to us is no fault of the caller's."""
    try:
        return await asyncio.to_thread(deed, *given, **named)
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable("OVERLOADED", f"the store of attachments does not answer: {type(error).__name__}")
