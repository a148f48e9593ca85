"""Both places for attachments keep one promise: whole under the hash, once, nothing of what broke off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from intake.store.files import CHUNK_BYTES, FileStore, FolderStore
from intake.store.objects import IN_MEMORY_BYTES_MAX, ObjectStore
from kit.errors import Unavailable
from minio import Minio
from minio.commonconfig import Tags
from moto.server import ThreadedMotoServer

BUCKET = "attachments"
SIZES = (1, CHUNK_BYTES, CHUNK_BYTES + 1, IN_MEMORY_BYTES_MAX + 1, 6 * 1024 * 1024)


@dataclass
class Place:
    store: FileStore
    bytes_kept: int = 0

    async def keep(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        async with self.store.receive() as incoming:
            for start in range(0, len(content), CHUNK_BYTES):
                await incoming.write(content[start : start + CHUNK_BYTES])
            await incoming.keep(sha256)
        return sha256

    async def content(self, sha256: str) -> bytes:
        return b"".join([chunk async for chunk in self.store.read(sha256)])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """S3 as this machine's loopback speaks it, or a real server named by PORTOLAN_TEST_S3."""
    if given := os.environ.get("PORTOLAN_TEST_S3"):
        yield given
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def object_store(endpoint: str, bucket: str = BUCKET) -> ObjectStore:
    return ObjectStore(endpoint, bucket, "portolan-test", "portolan-test", "us-east-1")


def administrator(endpoint: str) -> Minio:
    return Minio(endpoint.partition("//")[2], "portolan-test", "portolan-test", secure=False, region="us-east-1")


@pytest.fixture(params=["folder", "objects"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, endpoint: str) -> Place:
    if request.param == "folder":
        store: FileStore = FolderStore(tmp_path)
    else:
        client = administrator(endpoint)
        if not client.bucket_exists(bucket_name=BUCKET):
            client.make_bucket(bucket_name=BUCKET)
        store = object_store(endpoint)
    await store.open()
    return Place(store)


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_kept_is_read_back(place: Place, size: int) -> None:
    content = os.urandom(size)
    assert await place.content(await place.keep(content)) == content


async def test_the_same_bytes_again_are_the_same_file(place: Place) -> None:
    content = os.urandom(CHUNK_BYTES * 3)
    assert await place.keep(content) == await place.keep(content)
    assert await place.content(hashlib.sha256(content).hexdigest()) == content


async def test_what_breaks_off_is_not_there(place: Place) -> None:
    content = os.urandom(CHUNK_BYTES * 2)
    with pytest.raises(ConnectionError):
        await broken_off(place.store, content)
    with pytest.raises(Unavailable):
        await place.content(hashlib.sha256(content).hexdigest())


async def broken_off(store: FileStore, content: bytes) -> None:
    async with store.receive() as incoming:
        await incoming.write(content)
        raise ConnectionError


async def test_a_reader_that_leaves_takes_nothing_with_it(place: Place) -> None:
    content = os.urandom(CHUNK_BYTES * 4)
    sha256 = await place.keep(content)
    for _ in range(40):
        reading = place.store.read(sha256)
        assert len(await anext(reading)) == CHUNK_BYTES
        await reading.aclose()
    assert await place.content(sha256) == content


async def test_a_file_is_not_written_twice(endpoint: str) -> None:
    client = administrator(endpoint)
    if not client.bucket_exists(bucket_name=BUCKET):
        client.make_bucket(bucket_name=BUCKET)
    place, content = Place(object_store(endpoint)), os.urandom(100)
    sha256 = await place.keep(content)
    name = f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
    written = client.stat_object(bucket_name=BUCKET, object_name=name).last_modified
    client.set_object_tags(BUCKET, name, _tag())
    await place.keep(content)
    kept = client.stat_object(bucket_name=BUCKET, object_name=name)
    assert kept.last_modified == written
    assert client.get_object_tags(BUCKET, name) == _tag()


async def test_a_store_without_the_bucket_or_without_an_answer_is_unavailable(endpoint: str) -> None:
    with pytest.raises(Unavailable, match="no bucket"):
        await object_store(endpoint, "not-there").open()
    with pytest.raises(Unavailable):
        await object_store("http://127.0.0.1:9").open()
    with pytest.raises(Unavailable):
        await Place(object_store("http://127.0.0.1:9")).keep(b"x")


@pytest.mark.parametrize("endpoint_given", ["storage.example:9000", "ftp://storage.example", "https://"])
def test_an_endpoint_that_is_none_is_refused(endpoint_given: str) -> None:
    with pytest.raises(ValueError, match="no http or https address"):
        object_store(endpoint_given)


def _tag() -> Tags:
    tags = Tags.new_object_tags()
    tags["kept"] = "once"
    return tags
