"""Attachments: one file for the same bytes, taken for what it is, read by whom it concerns, never with a virus."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import struct
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from intake.actions.attaching import Attachments
from intake.domain.attachments import media_type
from intake.store.files import FolderStore
from intake.store.viruses import Clamd, NoSearch
from kit import grpc
from kit.auth import Principal
from kit.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from kit.testing import a_principal
from portolan.intake.v1 import intake_pb2 as pb

from tests.intake.builders import (
    ATTACHMENT_BYTES_MAX,
    Window,
    a_body,
    a_stranger,
    an_officer,
    customs,
    the_attachments,
    the_broker,
    the_importer,
)
from tests.intake.conftest import Face

pytestmark = pytest.mark.service("intake")

PDF = b"%PDF-1.7\n" + b"trade " * 30_000
EICAR = b"%PDF-1.7 X5O!P%@AP[4 a virus of the tests"


async def pieces(content: bytes, size: int = 7_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def bytes_of(held: Attachments, by: Principal, sha256: str) -> bytes:
    _, chunks = await held.read(by, sha256)
    return b"".join([chunk async for chunk in chunks])


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
async def held(window: Window, tmp_path: Path) -> Attachments:
    return await the_attachments(window, tmp_path)


def referring(*sha256s: str) -> dict[str, Any]:
    named = [{"sha256": sha256, "kind": "INVOICE", "name": "invoice.pdf"} for sha256 in sha256s]
    return {**a_body(), "attachments": named}


async def test_the_same_bytes_are_one_file_whoever_brings_them(held: Attachments, tmp_path: Path) -> None:
    first = await held.store(the_broker(), pieces(PDF))
    assert (first.sha256, first.size_bytes) == (hashlib.sha256(PDF).hexdigest(), len(PDF))
    assert (first.media_type, first.state) == ("application/pdf", "CLEAN")
    again = await asyncio.gather(*(held.store(the_importer(), pieces(PDF, size)) for size in (100, 5_000, 200_000)))
    assert {one.sha256 for one in again} == {first.sha256}
    assert files_in(tmp_path) == [first.sha256]
    assert await bytes_of(held, the_importer(), first.sha256) == PDF


async def test_a_file_is_its_bringers_alone_until_a_document_refers_to_it(window: Window, held: Attachments) -> None:
    sha256 = (await held.store(the_broker(), pieces(PDF))).sha256
    for other in (the_importer(), a_stranger(), customs(), an_officer("BANK-007")):
        with pytest.raises(NotFound):
            await held.read(other, sha256)
    await window.submit(window.submission(referring(sha256)))
    for reader in (the_broker(), the_importer(), customs()):
        assert await bytes_of(held, reader, sha256) == PDF
    for other in (a_stranger(), an_officer("BANK-007")):
        with pytest.raises(NotFound):
            await held.read(other, sha256)


async def test_a_document_refers_to_what_its_sender_may_read(window: Window, held: Attachments) -> None:
    theirs = (await held.store(a_stranger(), pieces(PDF))).sha256
    own = (await held.store(the_broker(), pieces(PDF + b"."))).sha256
    with pytest.raises(Invalid) as refused:
        await window.submit(window.submission(referring(own, theirs, "0" * 64)))
    assert refused.value.code == "INVALID_DOCUMENT"
    assert [(one.pointer, one.code) for one in refused.value.violations] == [
        ("/body/attachments/1/sha256", "UNKNOWN_ATTACHMENT"),
        ("/body/attachments/2/sha256", "UNKNOWN_ATTACHMENT"),
    ]
    assert await window.count("select count(*) from documents") == 0
    request = json.dumps({"type": "import_title.ei", "body": referring(theirs)}).encode()
    simulated = await window.desk.simulate(the_importer(), request)
    assert [one.pointer for one in simulated.errors] == ["/body/attachments/0/sha256"]


async def test_documents_that_refer_share_a_commit_with_those_that_do_not(window: Window, held: Attachments) -> None:
    sha256 = (await held.store(the_broker(), pieces(PDF))).sha256
    plain, attached = window.submission(), window.submission(referring(sha256, sha256))
    outcomes = await window.submit_all(plain, attached, window.submission(referring("1" * 64)), attached)
    assert [isinstance(one, Invalid) for one in outcomes] == [False, False, True, False]
    assert await window.count("select count(*) from attachment_references") == 1


async def test_a_file_is_refused_once_it_is_too_large(held: Attachments, tmp_path: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield (b"%PDF-" + b"x" * 65_536)[:65_536]

    with pytest.raises(TooLarge):
        await held.store(the_broker(), endless())
    assert sent == ATTACHMENT_BYTES_MAX // 65_536 + 1
    assert files_in(tmp_path) == []


def office(folder: str, **others: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("[Content_Types].xml", "_rels/.rels", f"{folder}/document.xml", *others.values()):
            archive.writestr(name, "<x/>")
    return packed.getvalue()


def open_document(kind: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", "<x/>")
    return packed.getvalue()


def a_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("setup.exe", "MZ")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "application/xml"),
        (b' \n{"a": "\xc3\xa9"}', "application/json"),
        (office("word"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (office("xl"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (open_document("spreadsheet"), "application/vnd.oasis.opendocument.spreadsheet"),
        (a_zip(), None),
        (b"MZ\x90\0", None),
        (b"<html><script>alert(1)</script>", None),
        (b"<?xml version='1.0'?>\0", None),
        (b'{"a": "\xff"}', None),
        (b"GIF89a", None),
        (b"   ", None),
    ],
)
def test_a_file_is_what_it_holds(content: bytes, found: str | None) -> None:
    assert media_type(content) == found


async def test_what_is_not_taken_leaves_nothing(held: Attachments, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaType):
        await held.store(the_broker(), pieces(b"MZ\x90\0" * 100_000))
    with pytest.raises(Malformed):
        await held.store(the_broker(), pieces(b""))
    assert files_in(tmp_path) == []


async def test_a_store_that_cannot_be_written_is_no_fault_of_the_senders(window: Window, tmp_path: Path) -> None:
    (tmp_path / "incoming").touch()
    held = Attachments(window.db, FolderStore(tmp_path), NoSearch(), ATTACHMENT_BYTES_MAX)
    with pytest.raises(Unavailable):
        await held.store(the_broker(), pieces(PDF))
    with pytest.raises(Unavailable):
        await FolderStore(tmp_path).open()


async def test_a_broken_transfer_leaves_nothing(held: Attachments, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield PDF
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await held.store(the_broker(), breaking())
    assert files_in(tmp_path) == []


@dataclass
class FakeClamd:
    """Speaks INSTREAM; `is_up` is whether it answers."""

    is_up: bool = True
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_up:
            assert await reader.readexactly(10) == b"zINSTREAM\0"
            content = b""
            while length := struct.unpack(">I", await reader.readexactly(4))[0]:
                content += await reader.readexactly(length)
            self.heard.append(content)
            writer.write(b"stream: Eicar-Signature FOUND\0" if b"a virus" in content else b"stream: OK\0")
            await writer.drain()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Clamd]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        async with server:
            yield Clamd(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_what_has_a_virus_is_handed_to_nobody(window: Window, tmp_path: Path) -> None:
    clamd = FakeClamd()
    async with clamd.running() as search:
        held = await the_attachments(window, tmp_path, search)
        clean, infected = await held.store(the_broker(), pieces(PDF)), await held.store(the_broker(), pieces(EICAR))
        assert (clean.state, infected.state) == ("CLEAN", "INFECTED")
        assert clamd.heard == [PDF, EICAR]
        with pytest.raises(Refused) as refused:
            await held.read(the_broker(), infected.sha256)
        assert refused.value.code == "ATTACHMENT_INFECTED"
        assert (await held.store(the_importer(), pieces(EICAR))).state == "INFECTED"
        with pytest.raises(Invalid):
            await window.submit(window.submission(referring(infected.sha256)))


async def test_while_nobody_can_search_a_file_waits_and_is_not_handed_out(window: Window, tmp_path: Path) -> None:
    clamd = FakeClamd(is_up=False)
    async with clamd.running() as search:
        held = await the_attachments(window, tmp_path, search)
        clean, infected = await held.store(the_broker(), pieces(PDF)), await held.store(the_broker(), pieces(EICAR))
        assert (clean.state, infected.state) == ("PENDING", "PENDING")
        with pytest.raises(Refused) as refused:
            await held.read(the_broker(), clean.sha256)
        assert refused.value.code == "ATTACHMENT_PENDING"
        await window.submit(window.submission(referring(clean.sha256)))
        clamd.is_up = True
        await held.judge_pending()
        assert await bytes_of(held, the_importer(), clean.sha256) == PDF
        with pytest.raises(Refused):
            await held.read(the_broker(), infected.sha256)


async def uploaded(face: Face, content: bytes, by: Principal | None, is_whole: bool = True) -> dict[str, Any]:
    async def requests() -> AsyncIterator[pb.StoreAttachmentRequest]:
        async for chunk in pieces(content, 50_000):
            yield pb.StoreAttachmentRequest(chunk=chunk)
        yield pb.StoreAttachmentRequest(is_last=is_whole)

    token = face.window.mint.token(by) if by else ""
    answer = await grpc.upload(face.stub.StoreAttachment, requests(), token=token)
    return dict(json.loads(answer.attachment_json))


async def downloaded(face: Face, sha256: str, by: Principal | None) -> tuple[str, bytes]:
    token = face.window.mint.token(by) if by else ""
    request = pb.ReadAttachmentRequest(sha256=sha256)
    first, *rest = [one async for one in grpc.download(face.stub.ReadAttachment, request, token=token)]
    return first.media_type, b"".join(one.chunk for one in rest)


async def test_files_come_and_go_in_pieces_over_grpc(face: Face) -> None:
    stored = await uploaded(face, PDF, the_broker())
    assert (stored["media_type"], stored["size_bytes"], stored["state"]) == ("application/pdf", len(PDF), "CLEAN")
    assert await downloaded(face, stored["sha256"], the_broker()) == ("application/pdf", PDF)
    assert await uploaded(face, PDF, customs()) == stored
    for content, refusal in ((b"%PDF-" * 400_000, TooLarge), (b"MZ" * 200_000, UnsupportedMediaType)):
        with pytest.raises(refusal):
            await uploaded(face, content, the_broker())


async def test_what_does_not_arrive_whole_is_not_kept(face: Face, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        await uploaded(face, PDF, the_broker(), is_whole=False)
    assert files_in(tmp_path) == []


async def test_who_may_bring_and_fetch_files(face: Face) -> None:
    for refusal, by in ((Unauthenticated, None), (Forbidden, a_principal("finance_officer"))):
        with pytest.raises(refusal):
            await uploaded(face, PDF, by)
    with pytest.raises(Unauthenticated):
        await downloaded(face, "0" * 64, None)
    for sha256 in ("0" * 64, "x", "../../etc/passwd"):
        with pytest.raises(NotFound):
            await downloaded(face, sha256, the_broker())
