"""Rules change by two persons: proposed, examined, replayed over the past, published; nothing is ever rewritten."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import packs
import pytest
import time_machine
from kit.auth import Principal, set_caller
from kit.database import Database
from kit.errors import Busy, Invalid, NotFound, Refused
from kit.testing import a_principal
from packs.model import Rule
from packs.reader import PACKS_FOLDER
from packs.tables import as_written, born_under
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import routing_pb2 as pb
from psycopg.errors import CheckViolation, IntegrityError
from routing import actions
from routing.api import RoutingService
from routing.domain import Case
from routing.domain.tables import LEAD
from routing.store import Rulebooks, case_of_document, tables

from tests.routing.builders import EVERYBODY, MONDAY, hear, seeded
from tests.routing.test_routing_default_pack import facts_of
from tests.routing.told import rows

pytestmark = pytest.mark.service("routing")
PACK = packs.read(PACKS_FOLDER / "morocco")
VERSION = PACK.version
SHOES = "import_title.ei"
EXPORT = "export_title"
LATER = MONDAY + timedelta(days=30)
PRESENT = MONDAY + timedelta(days=1)


def rules_officer(person: str) -> Principal:
    return a_principal("rules_officer", organisation_id="operator", kind="operator", person=person)


SALWA, ANAS, THIRD = rules_officer("salwa"), rules_officer("anas"), rules_officer("third")
ORANGES = {
    "id": "R22-OFFICE",
    "labels": {"fr": "Agrumes : office", "ar": "حوامض: المكتب", "en": "Citrus: office"},
    "direction": "export",
    "hs": ["0805"],
    "agency": "CULT",
    "document": "citrus_permit",
    "stage": "control",
    "sla_seconds": 3600,
}


class Office:
    """The service with somebody of the rules office in front of it."""

    def __init__(self, database: Database, books: Rulebooks) -> None:
        self.database, self.books, self._number = database, books, 0
        self.service = RoutingService(database, books, EVERYBODY)

    async def propose(self, who: Principal = SALWA, key: str = "", **asked: Any) -> dict[str, Any]:
        set_caller(who)
        self._number += 1
        body = asked or {"patch": {"added": [ORANGES]}}
        request = pb.ProposeRulesRequest(proposal_json=msgspec.json.encode(body), request_id=key or f"k-{self._number}")
        return decoded((await self.service.ProposeRules(request, None)).table_json)

    async def replay(self, table: str, who: Principal = SALWA, limit: int = 5000) -> dict[str, Any]:
        set_caller(who)
        request = pb.ReplayRulesRequest(id=table, limit=limit)
        request.since.FromDatetime(MONDAY - timedelta(days=1))
        request.until.FromDatetime(LATER)
        return decoded((await self.service.ReplayRules(request, None)).table_json)

    async def publish(self, table: str, who: Principal = ANAS) -> dict[str, Any]:
        set_caller(who)
        return decoded((await self.service.PublishRules(pb.PublishRulesRequest(id=table), None)).table_json)

    async def withdraw(self, table: str, who: Principal = SALWA) -> dict[str, Any]:
        set_caller(who)
        return decoded((await self.service.WithdrawRules(pb.WithdrawRulesRequest(id=table), None)).table_json)

    async def roll_back(self, table: str, who: Principal = SALWA) -> dict[str, Any]:
        set_caller(who)
        self._number += 1
        request = pb.RollBackRulesRequest(id=table, request_id=f"k-{self._number}")
        return decoded((await self.service.RollBackRules(request, None)).table_json)

    async def published(self, **asked: Any) -> dict[str, Any]:
        proposed = await self.propose(**asked)
        await self.replay(proposed["id"])
        return await self.publish(proposed["id"])

    async def opened(self, document_id: str, kind: str, table: str = "", at: datetime = MONDAY, **facts: Any) -> Case:
        with time_machine.travel(at, tick=False):
            await hear(self.database, self.books, submitted(document_id, kind, table, **facts))
        return await self.case(document_id)

    async def case(self, document_id: str) -> Case:
        async with self.database.transaction() as tx:
            found = await case_of_document(tx, document_id)
        assert found is not None
        return found


def decoded(raw: bytes) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.json.decode(raw)
    return value


def submitted(document_id: str, kind: str, table: str = "", **facts: Any) -> intake.DocumentSubmitted:
    known = {**facts_of(PACK.document_types[kind]), "document_id": document_id, "owner_attributes": ["AEO"], **facts}
    return intake.DocumentSubmitted(
        document_id=document_id,
        reference=f"PX-{document_id}",
        type=kind,
        pack_version=VERSION,
        rule_table=table,
        owner_organisation_id="owner",
        submitter_organisation_id="submitter",
        facts_json=msgspec.json.encode(known),
    )


@pytest.fixture
async def office(service_database: Database) -> Office:
    return Office(service_database, await seeded(service_database, PACK))


async def said(database: Database) -> list[tuple[str, str]]:
    found = await rows(database, "select topic, type from outbox where topic = 'portolan.routing.rules.v1' order by id")
    return [(topic, kind) for topic, kind in found]


async def test_a_rule_goes_from_one_person_over_the_past_to_another(office: Office) -> None:
    await office.opened("d-oranges", EXPORT)
    await office.opened("d-shoes", SHOES)
    proposed = await office.propose()
    assert (proposed["state"], proposed["proposed_by"], proposed["based_on"]) == ("PROPOSED", "salwa", None)
    assert proposed["changes"] == {"added": ["R22-OFFICE"], "changed": [], "removed": []}
    assert proposed["rules"] == decoded(msgspec.json.encode([*(as_written(rule) for rule in PACK.rules), ORANGES]))
    replayed = (await office.replay(proposed["id"]))["replay"]
    assert {name: replayed[name] for name in ("cases", "changed", "rules", "tasks", "refused")} == {
        "cases": 2,
        "changed": 1,
        "rules": {"R22-OFFICE": [1, 0]},
        "tasks": {"CULT": 1},
        "refused": {},
    }
    published = await office.publish(proposed["id"])
    assert (published["state"], published["published_by"]) == ("PUBLISHED", "anas")
    assert await said(office.database) == [("portolan.routing.rules.v1", "portolan.routing.v1.RulesPublished")]


async def test_the_proposer_does_not_publish_and_nobody_does_unseen(office: Office) -> None:
    proposed = await office.propose()
    with pytest.raises(Refused, match="REPLAY_FIRST"):
        await office.publish(proposed["id"])
    await office.replay(proposed["id"])
    with pytest.raises(Refused, match="FOUR_EYES"):
        await office.publish(proposed["id"], SALWA)
    assert await said(office.database) == []


async def test_the_database_itself_wants_two_persons_and_a_replay(office: Office) -> None:
    proposed = await office.propose()
    publish = (
        "update rule_tables set state = 'PUBLISHED', published_by = '{}', published_at = now(), in_force_from = now(),"
        " sequence = 1"
    )
    for person in ("salwa", "anas"):
        with pytest.raises(CheckViolation):
            async with office.database.transaction() as tx:
                await tx.execute(publish.format(person))
    await office.replay(proposed["id"])
    with pytest.raises(CheckViolation, match="four_eyes"):
        async with office.database.transaction() as tx:
            await tx.execute(publish.format("salwa"))


@pytest.mark.parametrize(
    "change", ["update rule_tables set rules = '[]'", "update rule_tables set note = 'x'", "delete from rule_tables"]
)
async def test_what_was_published_never_changes(office: Office, change: str) -> None:
    await office.published()
    with pytest.raises(IntegrityError):
        async with office.database.transaction() as tx:
            await tx.execute(change)


async def test_publishing_again_by_the_same_person_is_the_same_and_by_another_refused(office: Office) -> None:
    published = await office.published()
    assert await office.publish(published["id"]) == published
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await office.publish(published["id"], THIRD)
    assert len(await said(office.database)) == 1


async def test_two_publishers_at_once_publish_once(office: Office) -> None:
    proposed = await office.propose()
    await office.replay(proposed["id"])
    attempts = (office.publish(proposed["id"], who) for who in (ANAS, THIRD, ANAS, THIRD))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    published = [answer for answer in answers if isinstance(answer, dict)]
    assert len({answer["published_by"] for answer in published}) == 1
    assert all(isinstance(answer, dict | Refused) for answer in answers)
    assert len(await said(office.database)) == 1


async def test_of_two_tables_based_on_the_same_only_one_is_published(office: Office) -> None:
    first, second = await office.propose(), await office.propose(patch={"removed": ["R27"]})
    for one in (first, second):
        await office.replay(one["id"])
    attempts = await asyncio.gather(office.publish(first["id"]), office.publish(second["id"]), return_exceptions=True)
    (refusal,) = [answer for answer in attempts if isinstance(answer, Refused)]
    assert refusal.code == "RULES_MOVED_ON"
    assert len(await said(office.database)) == 1


async def test_a_proposal_says_what_it_is_based_on(office: Office) -> None:
    published = await office.published()
    with pytest.raises(Invalid):
        await office.propose(patch={"removed": ["R27"]}, based_on="")
    later = await office.propose(patch={"removed": ["R27"]}, based_on=published["id"])
    assert (later["based_on"], later["changes"]["removed"]) == (published["id"], ["R27"])
    assert "R22-OFFICE" in [rule["id"] for rule in later["rules"]]
    assert "nobody asks ANP for dangerous_goods_declaration any more" in [one["message"] for one in later["warnings"]]


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ({"patch": {"removed": ["NO"]}}, "/patch", "there is no rule NO"),
        ({"patch": {"changed": [{"id": "NO"}]}}, "/patch", "there is no rule NO"),
        ({"patch": {"added": [{**ORANGES, "agency": "NOBODY"}]}}, "/agency", "unknown agency NOBODY"),
        ({"patch": {"added": [{**ORANGES, "types": ["no.type"]}]}}, "/types/0", "unknown document type no.type"),
        ({"patch": {"added": [{**ORANGES, "labels": {"fr": "x"}}]}}, "/labels/ar", "no label in ar"),
        ({"patch": {"added": [{**ORANGES, "when": "origin =="}]}}, "/when", "not an expression"),
        ({"patch": {"added": [{**ORANGES, "when": "colour == 1"}]}}, "/when", "no document type derives"),
        ({"patch": {"added": [{**ORANGES, "hs": ["0000-9999"]}]}}, "/hs/0", "a range of fewer"),
        ({"patch": {"added": [{**ORANGES, "sla_seconds": 10**12}]}}, "/sla_seconds", "a term is"),
        ({"patch": {"added": [{**ORANGES, "colour": "red"}]}}, "", "unknown field `colour`"),
        ({"patch": {"added": [{**ORANGES, "id": "R27"}]}}, "/id", "R27 is given twice"),
        ({"rules": []}, "/rules", "from one to 500 rules"),
        ({}, "/rules", "either the whole table, or a patch"),
        ({"patch": {}, "rules": [ORANGES]}, "/rules", "either the whole table, or a patch"),
    ],
)
async def test_what_the_lint_of_a_pack_refuses_is_refused(
    office: Office, body: dict[str, Any], pointer: str, message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await office.propose(**(body or {"note": "nothing"}))
    assert any(pointer in one.pointer and message in one.message for one in refused.value.violations), (
        refused.value.violations
    )


async def test_a_rule_that_is_never_heard_is_pointed_out(office: Office) -> None:
    shadow = {**ORANGES, "id": "SHADOW", "hs": ["080510"]}
    proposed = await office.propose(patch={"added": [ORANGES, shadow]})
    assert [one["message"] for one in proposed["warnings"]] == ["SHADOW is never heard: R22-OFFICE speaks before it"]


async def test_the_same_request_again_is_the_same_proposal(office: Office) -> None:
    first, again = await office.propose(key="k"), await office.propose(key="k")
    assert first == again
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await office.propose(key="k", patch={"removed": ["R27"]})
    assert await rows(office.database, "select count(*) from rule_tables") == [(1,)]


async def test_a_replay_says_the_same_again_and_finds_what_would_not_be_admitted(office: Office) -> None:
    for number in range(7):
        await office.opened(f"d-{number}", SHOES)
    licence = {**ORANGES, "id": "SHOES-LI", "direction": "import", "hs": ["6403"], "agency": "MIC"}
    licence |= {"document": "shoe_licence", "stage": "registration", "requires_type": "import_title.li"}
    proposed = await office.propose(patch={"added": [licence]})
    assert "SHOES-LI refuses an example of import_title.ei" in [one["message"] for one in proposed["warnings"]]
    first = await office.replay(proposed["id"])
    assert first["replay"]["refused"] == {"SHOES-LI": 7}
    assert await office.replay(proposed["id"]) == first
    assert (await office.replay(proposed["id"], limit=3))["replay"]["cases"] == 3


async def test_a_replay_keeps_the_lots_as_they_fell(office: Office) -> None:
    for number in range(60):
        await office.opened(f"d-{number}", SHOES)
    drawn = await rows(office.database, "select count(*) from cases where 'R32' = any(rules)")
    replayed = (await office.replay((await office.propose())["id"]))["replay"]
    assert (replayed["cases"], replayed["changed"]) == (60, 0)
    assert sum(number for way, number in replayed["channels"].items() if way == "red>red") == drawn[0][0]


async def test_the_changed_documents_are_listed_page_by_page(office: Office) -> None:
    for number in range(5):
        await office.opened(f"d-{number}", EXPORT)
    table = (await office.propose())["id"]
    await office.replay(table)
    seen, cursor = list[str](), ""
    while True:
        request = pb.ListReplayedDocumentsRequest(id=table, cursor=cursor, limit=2)
        page = await office.service.ListReplayedDocuments(request, None)
        for one in (decoded(raw) for raw in page.document_jsons):
            seen.append(one["document_id"])
            assert set(one["after"]["tasks"]) - set(one["before"]["tasks"]) == {"CULT"}
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == [f"d-{number}" for number in range(5)]


async def test_a_withdrawn_proposal_stays_withdrawn(office: Office) -> None:
    proposed = await office.propose()
    await office.replay(proposed["id"])
    assert (await office.withdraw(proposed["id"]))["withdrawn_by"] == "salwa"
    assert (await office.withdraw(proposed["id"]))["state"] == "WITHDRAWN"
    for attempt in (office.publish(proposed["id"]), office.replay(proposed["id"])):
        with pytest.raises(Refused, match="INVALID_TRANSITION"):
            await attempt
    published = await office.published()
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await office.withdraw(published["id"])


async def test_a_table_is_in_force_from_its_day_and_never_before_everybody_heard(office: Office) -> None:
    with time_machine.travel(MONDAY, tick=False):
        soon = await office.published()
        later = await office.published(patch={"removed": ["R27"]}, effective_from=LATER.isoformat())
    in_force = [datetime.fromisoformat(one["in_force_from"]) for one in (soon, later)]
    assert in_force == [MONDAY + LEAD, LATER]


async def test_a_document_meets_the_table_its_submission_names_for_ever(office: Office) -> None:
    before = await office.opened("d-before", EXPORT)
    first = await office.published()
    second = await office.published(patch={"removed": ["R22-OFFICE"]})
    under_first = await office.opened("d-first", EXPORT, first["id"])
    under_second = await office.opened("d-second", EXPORT, second["id"])
    agencies = [{task.agency for task in case.tasks} for case in (before, under_first, under_second)]
    assert agencies == [{"FOODEX", "ONSSA"}, {"FOODEX", "ONSSA", "CULT"}, {"FOODEX", "ONSSA"}]
    assert under_first.document.pack_version == born_under(VERSION, first["id"])
    assert under_first.explanation["table_version"] == first["id"]
    for case in (before, under_first, under_second):
        assert case.judged().is_reproduced((await Rulebooks(office.database).of(case.document.pack_version)).table)


async def test_a_submission_under_a_table_not_known_here_waits(office: Office) -> None:
    proposed = await office.propose()
    with pytest.raises(Exception, match="not loaded here yet"):
        await office.opened("d-1", EXPORT, proposed["id"])
    await office.replay(proposed["id"])
    await office.publish(proposed["id"])
    assert "R22-OFFICE" in (await office.opened("d-1", EXPORT, proposed["id"])).rules


async def test_a_rollback_is_a_publication_by_two_persons(office: Office) -> None:
    published = await office.published()
    back = await office.roll_back("pack")
    assert (back["based_on"], back["changes"]["removed"]) == (published["id"], ["R22-OFFICE"])
    await office.replay(back["id"])
    with pytest.raises(Refused, match="FOUR_EYES"):
        await office.publish(back["id"], SALWA)
    await office.publish(back["id"])
    again = await office.roll_back(published["id"])
    assert again["changes"]["added"] == ["R22-OFFICE"]
    with pytest.raises(Invalid):
        await office.roll_back("nothing")


async def test_a_crash_before_the_commit_leaves_nothing_said(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed = await office.propose()
    await office.replay(proposed["id"])

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("routing.actions.publishing.outbox.append", dies)
    with pytest.raises(RuntimeError):
        await office.publish(proposed["id"])
    monkeypatch.undo()
    assert await said(office.database) == []
    async with office.database.connection() as connection:
        assert (await tables.latest(connection, VERSION)).table == ""
    assert (await office.publish(proposed["id"]))["state"] == "PUBLISHED"


async def test_tables_are_listed_newest_first(office: Office) -> None:
    first, second = await office.propose(), await office.propose(patch={"removed": ["R27"]})
    set_caller(SALWA)
    page = await office.service.ListRuleTables(pb.ListRuleTablesRequest(limit=1), None)
    rest = await office.service.ListRuleTables(pb.ListRuleTablesRequest(limit=1, cursor=page.next_cursor), None)
    listed = [decoded(raw) for raw in (*page.table_jsons, *rest.table_jsons)]
    assert [(one["id"], one["rules"]) for one in listed] == [(second["id"], None), (first["id"], None)]
    assert rest.next_cursor == ""
    with pytest.raises(NotFound):
        await office.service.GetRuleTable(pb.GetRuleTableRequest(id="none"), None)


async def test_a_simulation_plans_by_the_table_it_names(office: Office) -> None:
    published = await office.published()
    facts = facts_of(PACK.document_types[EXPORT])
    agencies = [
        {route.agency for route in (await actions.plan(office.database, office.books, name, EXPORT, facts)).routes}
        for name in (VERSION, born_under(VERSION, published["id"]))
    ]
    assert agencies[1] - agencies[0] == {"CULT"}


def test_what_is_written_of_a_rule_reads_as_the_rule() -> None:
    for rule in PACK.rules:
        assert msgspec.convert(as_written(rule), Rule) == rule


async def test_a_replay_of_no_case_is_none_where_there_is_a_past(office: Office) -> None:
    """An empty span used to open the gate: nobody had seen what the table would change."""
    await office.opened("doc-1", EXPORT)
    proposed = await office.propose()
    set_caller(SALWA)
    request = pb.ReplayRulesRequest(id=proposed["id"])
    request.since.FromDatetime(MONDAY - timedelta(days=9))
    request.until.FromDatetime(MONDAY - timedelta(days=8))
    with pytest.raises(Invalid) as error:
        await office.service.ReplayRules(request, None)
    assert [(one.pointer, one.code) for one in error.value.violations] == [("/from", "EMPTY_SPAN")]
    with pytest.raises(Refused, match="REPLAY_FIRST"):
        await office.publish(proposed["id"])
    assert (await office.replay(proposed["id"]))["replay"]["cases"] == 1
    await office.publish(proposed["id"])


async def test_one_replay_at_a_time_whoever_asks(office: Office) -> None:
    await office.opened("doc-1", EXPORT)
    first, second = [(await office.propose())["id"] for _ in range(2)]
    async with office.database.transaction() as tx:
        assert await tables.begin_replaying(tx)
        with pytest.raises(Busy):
            await office.replay(second)
    await office.replay(first)
    await office.replay(second)


async def test_a_patch_does_not_bring_forward_the_table_it_changes(office: Office) -> None:
    """What was to hold from next month held at once, because somebody patched something else."""
    with time_machine.travel(PRESENT, tick=False):
        first = await office.published(patch={"added": [ORANGES]}, effective_from=LATER.isoformat())
        early = (LATER - timedelta(days=1)).isoformat()
        with pytest.raises(Invalid) as error:
            await office.propose(patch={"removed": ["R27"]}, effective_from=early)
        assert [(one.pointer, one.code) for one in error.value.violations] == [("/effective_from", "BEFORE_ITS_BASE")]
        second = await office.published(patch={"removed": ["R27"]})
        assert moment(second["in_force_from"]) == moment(first["in_force_from"]) == LATER
        back = await office.roll_back("pack")
        await office.replay(back["id"])
        assert moment((await office.publish(back["id"]))["in_force_from"]) == PRESENT + LEAD


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
