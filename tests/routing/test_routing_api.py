"""The RPCs as their callers meet them: whose queue, whose task, who may act, and what a screen is given."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import time_machine
from kit import clock
from kit.auth import Principal, TokenVerifier, set_caller
from kit.database import Database
from kit.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PortolanError,
    Refused,
    Unauthenticated,
    Unavailable,
)
from kit.grpc import Server, call, channel
from kit.testing import TokenMint, a_principal
from portolan.routing.v1 import routing_pb2 as pb
from portolan.routing.v1 import routing_pb2_grpc
from portolan.type.v1 import type_pb2
from routing import actions
from routing.api import AUTHORITY, DESCRIPTOR, RoutingService
from routing.store import Rulebooks

from tests.routing.builders import (
    EVERYBODY,
    FORM,
    MONDAY,
    a_pack,
    hear,
    seeded,
    some_facts,
    submitted,
    withdrawn,
    words,
)
from tests.routing.told import rows, told

pytestmark = pytest.mark.service("routing")


def an_officer(agency: str, person: str = "anna", role: str = "agency_officer", **other: Any) -> Principal:
    return a_principal(role, organisation_id=f"org-{agency}", kind="agency", agency=agency, person=person, **other)


EXPERT = an_officer("EXPERTS")
ANNA, BILAL = an_officer("MINISTRY", "anna"), an_officer("MINISTRY", "bilal")
BANKER = an_officer("BANK-1", "chadia", "bank_officer")
OVERSEER = a_principal("operator_admin", organisation_id="operator", kind="operator")


class Desk:
    """The service with somebody standing in front of it."""

    def __init__(self, database: Database, books: Rulebooks) -> None:
        self.database, self.books = database, books
        self.service = RoutingService(database, books, EVERYBODY)

    async def hear(self, *messages: Any) -> None:
        await hear(self.database, self.books, *messages)

    async def list(self, who: Principal, **asked: Any) -> pb.ListTasksResponse:
        set_caller(who)
        return await self.service.ListTasks(pb.ListTasksRequest(**asked), None)

    async def get(self, who: Principal, task_id: str) -> pb.Task:
        set_caller(who)
        return (await self.service.GetTask(pb.GetTaskRequest(id=task_id), None)).task

    async def claim(self, who: Principal, task_id: str) -> pb.Task:
        set_caller(who)
        return (await self.service.ClaimTask(pb.ClaimTaskRequest(id=task_id), None)).task

    async def release(self, who: Principal, task_id: str) -> pb.Task:
        set_caller(who)
        return (await self.service.ReleaseTask(pb.ReleaseTaskRequest(id=task_id), None)).task

    async def decide(self, who: Principal, task_id: str, outcome: str, **other: Any) -> pb.Task:
        set_caller(who)
        return (await self.service.DecideTask(pb.DecideTaskRequest(id=task_id, outcome=outcome, **other), None)).task

    async def task_of(self, agency: str, document_id: str = "doc-1") -> str:
        query = f"select id from tasks where agency = '{agency}' and document_id = '{document_id}'"  # noqa: S608
        found: str = (await rows(self.database, query))[0][0]
        return found


@pytest.fixture
async def desk(service_database: Database) -> Desk:
    desk = Desk(service_database, await seeded(service_database))
    await desk.hear(submitted())
    return desk


@pytest.fixture
async def ministry_task(desk: Desk) -> str:
    await desk.decide(EXPERT, await desk.task_of("EXPERTS"), "favourable")
    return await desk.task_of("MINISTRY")


async def test_a_task_carries_all_a_screen_needs(desk: Desk) -> None:
    task = await desk.get(EXPERT, await desk.task_of("EXPERTS"))
    assert (task.reference, task.document_type, task.step, task.state) == (
        "PX-doc-1",
        "permit.licence",
        "opinion",
        "OPEN",
    )
    assert dict(task.asked) == words("opinion")
    assert msgspec.json.decode(task.form_schema_json) == FORM
    assert list(task.outcomes) == ["favourable", "unfavourable"]
    assert [(reason.code, dict(reason.labels)) for reason in task.reason_codes] == [("QUALITY", words("quality"))]
    assert msgspec.json.decode(task.facts_json)["hs_codes"] == ["401200"]
    assert (task.channel, task.risk_score, task.signatures_required, task.mode) == ("green", 15, 1, "documentary")
    assert task.due_at.seconds > task.opened_at.seconds
    assert task.etag


@pytest.mark.parametrize(
    "stranger",
    [ANNA, an_officer("EXPERTS2"), an_officer(""), a_principal("agency_officer", organisation_id="owner"), BANKER],
)
async def test_anothers_task_does_not_exist(desk: Desk, stranger: Principal) -> None:
    task_id = await desk.task_of("EXPERTS")
    for attempt in (
        desk.get(stranger, task_id),
        desk.claim(stranger, task_id),
        desk.release(stranger, task_id),
        desk.decide(stranger, task_id, "favourable"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert not (await desk.list(stranger, document_id="doc-1")).tasks
    assert not (await desk.list(stranger, agency="EXPERTS")).tasks


@pytest.mark.parametrize(
    "looker",
    [
        OVERSEER,
        an_officer("EXPERTS", role="bank_officer"),
        a_principal("agency_officer", organisation_id="owner", agency="EXPERTS"),
        a_principal("agency_officer", organisation_id="submitter", agency="EXPERTS"),
    ],
)
async def test_who_may_look_but_not_act(desk: Desk, looker: Principal) -> None:
    task_id = await desk.task_of("EXPERTS")
    seen = await desk.get(looker, task_id)
    assert (list(seen.outcomes), list(seen.reason_codes)) == ([], [])
    for attempt in (
        desk.claim(looker, task_id),
        desk.release(looker, task_id),
        desk.decide(looker, task_id, "favourable"),
    ):
        with pytest.raises(Forbidden):
            await attempt


@pytest.mark.parametrize("bad", ["", "x" * 300, "nul\x00nul", "nobody"])
async def test_an_id_that_names_nothing_is_not_found(desk: Desk, bad: str) -> None:
    for attempt in (desk.get(EXPERT, bad), desk.claim(EXPERT, bad), desk.decide(EXPERT, bad, "favourable")):
        with pytest.raises(NotFound):
            await attempt


async def test_four_eyes_reduce_a_quantity_together(desk: Desk, ministry_task: str) -> None:
    reduced = type_pb2.Quantity(value="750.25", unit="KGM")
    first = await desk.decide(ANNA, ministry_task, "grant", authorised_quantity=reduced, conditions="before June")
    assert (first.state, first.signatures_required, list(first.outcomes)) == ("OPEN", 2, [])
    with pytest.raises(Refused, match="FOUR_EYES"):
        await desk.decide(ANNA, ministry_task, "grant")
    waiting = await desk.get(BILAL, ministry_task)
    assert [(one.person, one.authorised_quantity.value, one.conditions) for one in waiting.signatures] == [
        ("anna", "750.25", "before June")
    ]
    assert list(waiting.outcomes) == ["grant", "refuse"]
    done = await desk.decide(BILAL, ministry_task, "grant")
    assert (done.state, done.outcome, len(done.signatures)) == ("DECIDED", "grant", 2)
    *_, signed, decided, opened = await told(desk.database)
    assert (type(signed).__name__, signed.signed_by, signed.outcome) == ("TaskSigned", "anna", "grant")
    assert (decided.document_event, decided.authorised_quantity, decided.decided_by) == ("granted", reduced, "bilal")
    assert (opened.agency, opened.document_event) == ("BANK-1", "send_to_bank")


async def test_a_disagreement_is_kept_as_history(desk: Desk, ministry_task: str) -> None:
    await desk.decide(ANNA, ministry_task, "grant")
    await desk.decide(BILAL, ministry_task, "refuse", reason_code="QUALITY")
    await desk.decide(ANNA, ministry_task, "refuse")
    history = await rows(
        desk.database, "select person, outcome, voided_at is null from signatures order by signed_at, id"
    )
    assert history[-3:] == [("anna", "grant", False), ("bilal", "refuse", True), ("anna", "refuse", True)]
    *_, decided, closed = await told(desk.database)
    assert (decided.outcome, decided.reason_code, decided.document_event) == ("refuse", "QUALITY", "refused")
    assert (type(closed).__name__, closed.outcome) == ("CaseClosed", "refuse")


async def test_two_signing_at_the_same_moment_decide_once(desk: Desk, ministry_task: str) -> None:
    attempts = (desk.decide(who, ministry_task, "grant") for who in (ANNA, BILAL, ANNA, BILAL))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert all(isinstance(answer, pb.Task | Refused) for answer in answers)
    assert [type(message).__name__ for message in await told(desk.database)].count("TaskDecided") == 2
    assert (await desk.get(ANNA, ministry_task)).state == "DECIDED"


async def test_a_decision_sent_twice_is_one(desk: Desk) -> None:
    task_id = await desk.task_of("EXPERTS")
    answers = await asyncio.gather(*(desk.decide(EXPERT, task_id, "favourable", comment="fine") for _ in range(10)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert [type(message).__name__ for message in await told(desk.database)].count("TaskDecided") == 1
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await desk.decide(EXPERT, task_id, "unfavourable", reason_code="QUALITY")


async def test_a_claim_keeps_colleagues_out_until_it_is_released(desk: Desk) -> None:
    task_id, colleague = await desk.task_of("EXPERTS"), an_officer("EXPERTS", "dina")
    assert (await desk.claim(EXPERT, task_id)).claimed_by == "anna"
    assert list((await desk.get(colleague, task_id)).outcomes) == []
    for attempt in (
        desk.claim(colleague, task_id),
        desk.release(colleague, task_id),
        desk.decide(colleague, task_id, "favourable"),
    ):
        with pytest.raises(Conflict, match="TASK_CLAIMED"):
            await attempt
    assert (await desk.release(EXPERT, task_id)).state == "OPEN"
    assert (await desk.decide(colleague, task_id, "favourable")).state == "DECIDED"


async def test_a_race_with_the_withdrawal_has_one_winner(desk: Desk) -> None:
    for number in range(10):
        document_id = f"race-{number}"
        await desk.hear(submitted(document_id))
        task_id = await desk.task_of("EXPERTS", document_id)
        decided, _ = await asyncio.gather(
            desk.decide(EXPERT, task_id, "favourable"), desk.hear(withdrawn(document_id)), return_exceptions=True
        )
        names = [type(message).__name__ for message in await told(desk.database, document_id)]
        assert names.count("CaseClosed") == 1
        assert names[-1] == "CaseClosed"
        assert ("TaskDecided" in names) == isinstance(decided, pb.Task)
        assert isinstance(decided, pb.Task | Refused)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"outcome": ""}, "/outcome"),
        ({"outcome": "refuse"}, "/reason_code"),
        ({"outcome": "grant", "comment": "x" * 4001}, "/comment"),
        ({"outcome": "grant", "comment": "\x00"}, "/comment"),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="1e3", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="-1", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="NaN", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="٣", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="0.0000001", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="1000.001", unit="KGM")},
            "/authorised_quantity/value",
        ),
        (
            {"outcome": "grant", "authorised_quantity": type_pb2.Quantity(value="1", unit="LTR")},
            "/authorised_quantity/unit",
        ),
    ],
)
async def test_what_is_wrong_with_a_decision_is_pointed_at(
    desk: Desk, ministry_task: str, wrong: dict[str, Any], place: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await desk.decide(ANNA, ministry_task, **wrong)
    assert caught.value.violations[0].pointer == place
    assert (await desk.get(ANNA, ministry_task)).state == "OPEN"


async def test_the_queue_is_by_due_time_and_pages_without_gap_or_repeat(desk: Desk) -> None:
    for number in range(7):
        with time_machine.travel(MONDAY + timedelta(hours=(number * 5) % 7), tick=False):
            await desk.hear(submitted(f"doc-q{number}"))
    seen, cursor = list[pb.Task](), ""
    while True:
        page = await desk.list(EXPERT, limit=3, cursor=cursor)
        seen += page.tasks
        cursor = page.next_cursor
        if not cursor:
            break
    dues = [task.due_at.ToNanoseconds() for task in seen]
    assert len({task.id for task in seen}) == len(seen) == 8
    assert dues == sorted(dues)


async def test_the_queue_shows_what_is_to_do_and_a_document_everything(desk: Desk, ministry_task: str) -> None:
    assert not (await desk.list(EXPERT)).tasks
    assert [task.state for task in (await desk.list(EXPERT, state="DECIDED")).tasks] == ["DECIDED"]
    assert [task.state for task in (await desk.list(EXPERT, document_id="doc-1")).tasks] == ["DECIDED"]
    assert not (await desk.list(EXPERT, document_id="doc-1", state="OPEN")).tasks
    assert [task.step for task in (await desk.list(OVERSEER, document_id="doc-1")).tasks] == ["decision", "opinion"]
    assert [task.id for task in (await desk.list(OVERSEER, agency="MINISTRY")).tasks] == [ministry_task]
    await desk.claim(ANNA, ministry_task)
    assert not (await desk.list(ANNA, state="OPEN")).tasks
    assert [task.claimed_by for task in (await desk.list(ANNA, state="CLAIMED")).tasks] == ["anna"]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"state": "LOST"}, Invalid),
        ({"cursor": "x"}, Malformed),
        ({"cursor": "WyJhIiwgMV0"}, Malformed),
        ({"document_id": "\x00"}, NotFound),
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(
    desk: Desk, asked: dict[str, str], refusal: type[PortolanError]
) -> None:
    with pytest.raises(refusal):
        await desk.list(EXPERT, **asked)


async def test_the_inbox_reads_its_own_index(desk: Desk) -> None:
    query = """
        explain select * from tasks
        where tasks.state in ('OPEN', 'CLAIMED') and tasks.state in ('CLAIMED', 'OPEN') and agency = 'EXPERTS'
            and (coalesce(due_at, 'infinity'::timestamptz), id) > ('2026-01-01'::timestamptz, 'x')
        order by coalesce(due_at, 'infinity'::timestamptz), id limit 50
    """
    async with desk.database.transaction() as tx:
        await tx.execute("set local enable_seqscan = off")
        await tx.execute("set local enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in await (await tx.execute(query)).fetchall())
    assert "tasks_queue" in plan
    assert "Sort" not in plan


async def test_a_plan_meets_the_rules_a_submission_meets(desk: Desk) -> None:
    facts = some_facts(hs_codes=["100190"])
    set_caller(a_principal("declarant"))
    with time_machine.travel(MONDAY, tick=False):
        plan = await desk.service.PlanRoutes(a_plan("permit.control", msgspec.json.encode(facts)), None)
    assert [(route.agency, route.mode, route.rule) for route in plan.routes] == [
        ("FOOD", "documentary", "FOOD"),
        ("PLANT", "documentary", "PLANT"),
        ("LABORATORY", "documentary", "LATER"),
        ("BANK-1", "documentary", "bank"),
    ]
    assert plan.channel_hint == "orange"
    assert plan.due_at.ToDatetime(tzinfo=MONDAY.tzinfo) == MONDAY + timedelta(days=1)
    with pytest.raises(Invalid):
        await desk.service.PlanRoutes(a_plan("poem", b"{}"), None)
    with pytest.raises(Malformed):
        await desk.service.PlanRoutes(a_plan("permit.control", b"[1]"), None)


def a_plan(document_type: str, facts: bytes, pack_version: str = "1") -> pb.PlanRoutesRequest:
    return pb.PlanRoutesRequest(document_type=document_type, facts_json=facts, pack_version=pack_version)


async def test_a_plan_is_by_the_version_that_judged_even_when_it_was_loaded_since(desk: Desk) -> None:
    """Until some document was born under it, a pack loaded while we ran planned nothing: the one before did."""
    asked = a_plan("permit.control", msgspec.json.encode(some_facts(hs_codes=["100190"])), "2")
    set_caller(a_principal("declarant"))
    with pytest.raises(Unavailable):
        await desk.service.PlanRoutes(asked, None)
    without_rules = {"version": "r2", "effective_from": "2026-01-01", "rules": []}
    await actions.seed(desk.database, a_pack("2", routing=without_rules))
    plan = await desk.service.PlanRoutes(asked, None)
    assert [route.agency for route in plan.routes] == ["BANK-1"]


def test_every_rpc_says_who_may_call_it() -> None:
    assert {method.name for method in DESCRIPTOR.methods} == set(AUTHORITY)


async def test_over_the_wire_roles_are_asked_before_anything_else(desk: Desk, mint: TokenMint) -> None:
    server = Server("routing", TokenVerifier(mint), "127.0.0.1", 0)
    server.add(
        DESCRIPTOR, AUTHORITY, lambda grpc: routing_pb2_grpc.add_RoutingServiceServicer_to_server(desk.service, grpc)
    )
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    async with channel(f"127.0.0.1:{server.port}") as wire:
        stub = routing_pb2_grpc.RoutingServiceStub(wire)
        answer = await call(stub.ListTasks, pb.ListTasksRequest(), token=mint.token(EXPERT))
        assert [task.agency for task in answer.tasks] == ["EXPERTS"]
        task_id = answer.tasks[0].id
        with pytest.raises(Forbidden):
            await call(stub.DecideTask, pb.DecideTaskRequest(id=task_id), token=mint.token(OVERSEER))
        with pytest.raises(Forbidden):
            await call(
                stub.ListTasks, pb.ListTasksRequest(), token=mint.token(a_principal("declarant", agency="EXPERTS"))
            )
        with pytest.raises(Unauthenticated):
            await call(stub.PlanRoutes, pb.PlanRoutesRequest())
        with pytest.raises(Invalid) as caught:
            await call(stub.DecideTask, pb.DecideTaskRequest(id=task_id), token=mint.token(EXPERT))
        assert caught.value.violations[0].code == "UNKNOWN_OUTCOME"
    stop.set()
    await running
    assert clock.now().tzinfo is not None
