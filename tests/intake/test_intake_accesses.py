"""The access log: every write with its commit, every read soon after, shown to the owner alone, changed by nobody."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from intake.actions import accessing, reading
from intake.actions.accessing import AccessLog
from intake.actions.hearing import Happening
from intake.domain.canonical import canonical
from intake.domain.documents import Item
from kit import clock
from kit.auth import Principal
from kit.database import Database
from kit.errors import Malformed, NotFound, Unavailable
from kit.testing import a_principal
from portolan.intake.v1 import intake_pb2 as pb

from tests.intake.builders import (
    BROKER,
    IMPORTER,
    Window,
    a_body,
    a_stranger,
    customs,
    the_attachments,
    the_broker,
    the_importer,
)
from tests.intake.conftest import Face
from tests.intake.declarations import Customs, a_line

pytestmark = pytest.mark.service("intake")


def the_operator() -> Principal:
    return a_principal("operator_admin", organisation_id="org-operator", kind="operator")


async def listed(window: Window, document_id: str, by: Principal | None = None) -> list[dict[str, Any]]:
    found, _ = await accessing.page(window.db, AccessLog(window.db), by or the_importer(), document_id, "", 200)
    return [json.loads(entry) for entry in found]


async def test_each_reading_is_a_line_with_who_and_how(face: Face) -> None:
    title = await face.window.title()
    await face.call("GetDocument", pb.GetDocumentRequest(id=title), customs())
    await face.call("GetTimeline", pb.GetTimelineRequest(id=title), the_broker())
    await face.call("WaitTimeline", pb.WaitTimelineRequest(id=title), the_broker())
    await face.call("GetReceipt", pb.GetReceiptRequest(id=title), the_broker())
    await face.call("GetLedger", pb.GetLedgerRequest(id=title), customs())
    await face.call("ListDocuments", pb.ListDocumentsRequest(), the_importer())
    answer = await face.call("ListAccesses", pb.ListAccessesRequest(id=title), the_importer())
    lines = [json.loads(raw) for raw in answer.access_jsons]
    assert [(line["action"], line["organisation_id"]) for line in reversed(lines)] == [
        ("submit_document", BROKER),
        ("get_document", "org-customs"),
        ("get_timeline", BROKER),
        ("follow_timeline", BROKER),
        ("get_receipt", BROKER),
        ("get_ledger", "org-customs"),
        ("list_documents", IMPORTER),
        ("list_accesses", IMPORTER),
    ]
    assert {line["document_id"] for line in lines} == {title}
    assert [line["agency"] for line in lines if line["action"] == "get_ledger"] == ["CUSTOMS"]
    for raw in answer.access_jsons:
        assert canonical(json.loads(raw)) == raw


async def test_each_writing_is_a_line_of_its_own_commit(window: Window) -> None:
    title = await window.title()
    imputed = await window.impute(title)
    await window.cancel(title, imputed["id"])
    await window.cancel(title, imputed["id"])
    decided = Item("task_decided", clock.now(), actor="officer-7", agency="BANK-007", detail={"outcome": "accept"})
    await window.hear(Happening(title, decided))
    lines = await listed(window, title)
    assert [line["action"] for line in reversed(lines)] == [
        *("submit_document", "impute_title", "cancel_imputation", "decide_task", "list_accesses"),
    ]
    decision = lines[1]
    assert (decision["actor"], decision["organisation_id"], decision["agency"]) == ("officer-7", None, "BANK-007")


async def test_what_was_refused_or_repeated_wrote_nothing(window: Window) -> None:
    submission = window.submission(key="once")
    first = await window.submit(submission)
    await window.submit(submission)
    await window.submit_all(window.submission({"nothing": "valid"}))
    assert await window.count("select count(*) from accesses") == 1
    assert [line["action"] for line in await listed(window, first.document_id)][-1] == "submit_document"


async def test_only_the_owner_and_the_operator_see_who_read(window: Window) -> None:
    title = (await window.submit(window.submission())).document_id
    for other in (the_broker(), customs(), a_stranger()):
        with pytest.raises(NotFound):
            await listed(window, title, other)
    assert await listed(window, title, the_operator())
    assert await listed(window, title, a_principal("org_admin", organisation_id=IMPORTER))


async def test_the_list_goes_on_by_cursor(window: Window) -> None:
    title = (await window.submit(window.submission())).document_id
    log = AccessLog(window.db)
    for number in range(7):
        log.note(a_principal(organisation_id=f"org-{number}"), "get_document", title)
    seen, cursor = [], ""
    while True:
        found, cursor = await accessing.page(window.db, log, the_importer(), title, cursor, 3)
        seen += [json.loads(entry)["id"] for entry in found]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 9
    assert seen == sorted(seen, reverse=True)
    with pytest.raises(Malformed):
        await accessing.page(window.db, log, the_importer(), title, "bm90IG91cnM", 3)


async def test_reading_the_same_again_and_again_is_one_line(window: Window) -> None:
    title = (await window.submit(window.submission())).document_id
    log = AccessLog(window.db)
    for _ in range(50):
        await reading.document(window.db, window.rulebooks, customs(), title, log.seen(customs(), "get_document"))
    await log.write()
    assert await window.count("select count(*) from accesses") == 2


async def test_nobody_changes_the_log(window: Window) -> None:
    await window.submit(window.submission())
    await accessing.number(window.db)
    changes = (b"update accesses set entry = ''", b"update accesses set seq = 7", b"update accesses set seq = null")
    for change in (*changes, b"delete from accesses", b"truncate accesses"):
        with pytest.raises(psycopg.errors.IntegrityError):
            async with window.db.transaction() as tx:
                await tx.execute(change)


async def test_reads_wait_for_a_database_that_is_away_and_no_longer_than_there_is_room(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = (await window.submit(window.submission())).document_id
    log = AccessLog(window.db)
    monkeypatch.setattr(accessing, "WAITING_MAX", 3)
    for number in range(5):
        log.note(a_principal(organisation_id=f"org-{number}"), "get_document", title)

    def away(_: Database) -> Any:
        raise Unavailable("OVERLOADED")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "connection", away)
        with pytest.raises(Unavailable):
            await log.write()
    await log.write()
    await log.close()
    assert await window.count("select count(*) from accesses") == 4


async def leaves(window: Window) -> list[tuple[int, bytes, bytes]]:
    async with window.db.connection() as connection:
        rows = await connection.execute("select seq, leaf_hash, entry from accesses order by seq")
        return [(seq, leaf, entry.encode()) for seq, leaf, entry in await rows.fetchall()]


async def test_the_log_has_one_order_without_a_gap_and_a_leaf_for_each_line(window: Window) -> None:
    for _ in range(3):
        await window.submit(window.submission())
    assert {seq for seq, _, _ in await leaves(window)} == {None}
    numbered = await asyncio.gather(*(accessing.number(window.db) for _ in range(4)))
    assert sorted(numbered) == [0, 0, 0, 3]
    first = await leaves(window)
    await window.submit(window.submission())
    assert await accessing.number(window.db) == 1
    found = await leaves(window)
    assert [seq for seq, _, _ in found] == [1, 2, 3, 4]
    assert found[:3] == first
    for _, leaf, entry in found:
        assert leaf == hashlib.sha256(b"\x00" + entry).digest()
        assert canonical(json.loads(entry)) == entry


async def test_numbering_goes_on_where_it_was_and_takes_only_so_many_at_once(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accessing, "NUMBERED_AT_ONCE_MAX", 2)
    for _ in range(5):
        await window.submit(window.submission())
    stop = asyncio.Event()
    numbering = asyncio.create_task(accessing.keep_numbering(window.db, stop))
    for _ in range(500):
        if not await window.count("select count(*) from accesses where seq is null"):
            break
        await asyncio.sleep(0.01)
    stop.set()
    await numbering
    assert [seq for seq, _, _ in await leaves(window)] == [1, 2, 3, 4, 5]


async def test_what_officers_read_elsewhere_is_a_line_too(face: Face) -> None:
    title = await face.window.title()
    officer = a_principal("bank_officer", organisation_id="org-bank", kind="bank", agency="BANK-007")
    unknown = "0190a000-0000-7000-8000-000000000000"
    request = pb.NoteReadingsRequest(action="get_task", document_ids=[title.upper(), unknown, "nothing"])
    await face.call("NoteReadings", request, officer)
    lines = await listed_by(face, title)
    assert [(line["action"], line["organisation_id"], line["agency"]) for line in lines[-2:-1]] == [
        ("get_task", "org-bank", "BANK-007")
    ]
    with pytest.raises(Malformed):
        await face.call("NoteReadings", pb.NoteReadingsRequest(action="decide_task", document_ids=[title]), officer)


async def test_graph_search_declaration_and_download_are_readings(face: Face, tmp_path: Path) -> None:
    window = face.window
    held = await the_attachments(window, tmp_path)
    kept = await held.store(the_broker(), pieces(b"%PDF-1.7 an invoice"))
    named = [{"sha256": kept.sha256, "kind": "INVOICE", "name": "invoice.pdf"}]
    title = (await window.submit(window.submission({**a_body(), "attachments": named}))).document_id
    system = Customs.of(window)
    mirrored = (await system.register("309-010-2026-1", a_line(title)))["document_id"]
    await face.call("GetGraph", pb.GetGraphRequest(id=title, depth=1), customs())
    await face.call("Search", pb.SearchRequest(query=(await window.document(title))["reference"]), customs())
    await face.call("GetDeclaration", pb.GetDeclarationRequest(number="309-010-2026-1"), customs())
    log = AccessLog(window.db)
    await held.read(customs(), kept.sha256, log.seen(customs(), "get_attachment"))
    await log.write()
    actions = sorted(line["action"] for line in await listed_by(face, title))
    assert actions == [
        *("get_attachment", "get_graph", "list_accesses", "search_documents", "submit_document"),
    ]
    of_declaration = {line["action"] for line in await listed_by(face, mirrored)}
    assert of_declaration == {"tell_declaration", "get_graph", "search_documents", "get_declaration", "list_accesses"}


async def listed_by(face: Face, document_id: str) -> list[dict[str, Any]]:
    """Oldest first, as the owner sees it, with what the service itself still held."""
    answer = await face.call("ListAccesses", pb.ListAccessesRequest(id=document_id), the_importer())
    return [json.loads(raw) for raw in reversed(answer.access_jsons)]


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
