"""The access log: every write with its commit, every read soon after, shown to the owner alone, changed by nobody."""

from __future__ import annotations

import json
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

from tests.intake.builders import BROKER, IMPORTER, Window, a_stranger, customs, the_broker, the_importer
from tests.intake.conftest import Face

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
    for change in (b"update accesses set entry = ''", b"delete from accesses", b"truncate accesses"):
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
