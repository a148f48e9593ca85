"""Conditions on approvals: what they hold back, who meets them, and that the database holds them too."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from intake.actions import conditions, hearing
from intake.actions.conditions import Agreed, Evidence, Imposed
from intake.domain.conditions import condition_json
from intake.domain.documents import Item
from intake.store import conditions as store
from kit import clock, ids
from kit.auth import Principal
from kit.errors import Invalid, NotFound, PortolanError, Refused

from tests.intake.builders import (
    Window,
    a_body,
    a_stranger,
    the_attachments,
    the_broker,
    the_importer,
)
from tests.intake.declarations import Customs, a_declaration, a_line, an_event

pytestmark = pytest.mark.service("intake")

LICENCE = "import_title.li"
NOW = datetime(2026, 7, 20, 9, tzinfo=UTC)
ACCEPTED = ("opinion_given", "ministry_grant", "send_to_bank", "bank_accept", "customs_accept")
CERTIFICATE = Imposed("c-certificate", "conformity_certificate", {"standard": "NM 1"}, "")
OFFICES = Imposed("c-offices", "named_offices", {"offices": ["309"]}, "")
WAREHOUSE = Imposed("c-warehouse", "warehouse_seen", {"address": "Lot 12"}, "")
NUMBER = "309-010-2026-1"
FILE = b"%PDF-1.7\nthe certificate\n"


async def a_licence(window: Window, *imposed: Imposed) -> str:
    answer = await window.submit(window.submission(a_body(LICENCE), document_type=LICENCE))
    for event in ACCEPTED:
        await window.hear(hearing.Happening(answer.document_id, Item("task_decided", clock.now()), event))
    await agree(window, answer.document_id, imposed)
    return answer.document_id


async def agree(window: Window, document_id: str, imposed: Any = (), met: Any = ()) -> None:
    told = Agreed(document_id, "task-1", "MIC", "ministry_decision", "anna", NOW, list(imposed), list(met))
    async with window.db.transaction() as tx:
        await conditions.agreed(tx, window.rulebooks, told)


async def shown(window: Window, document_id: str, by: Principal | None = None) -> dict[str, dict[str, Any]]:
    found = await conditions.listed(window.db, window.rulebooks, by or the_broker(), document_id)
    return {one["code"]: one for one in map(msgspec.json.decode, found)}


async def impute(window: Window, document_id: str, number: str = "D1", **changes: Any) -> dict[str, Any]:
    weight = {"quantity": "1000", "unit": "KGM", "value": {"amount_minor": 80000, "currency": "EUR"}}
    return await window.impute(document_id, **{"declaration_number": number, "office": "309", **weight, **changes})


async def a_file(window: Window, folder: Path, by: Principal, content: bytes = FILE) -> str:
    async def chunks() -> Any:
        yield content

    await (await the_attachments(window, folder)).store(by, chunks())
    return hashlib.sha256(content).hexdigest()


async def satisfy(window: Window, document_id: str, by: Principal, sha256: str, one: str = CERTIFICATE.id) -> Any:
    evidence = Evidence(one, sha256, "")
    return msgspec.json.decode(
        await conditions.satisfy(window.db, window.rulebooks, window.directory, by, document_id, evidence)
    )


def violations(error: PortolanError) -> list[tuple[str, str]]:
    return [(one.pointer, one.code) for one in error.violations]


async def test_a_declaration_meets_a_standing_condition_or_imputes_nothing(window: Window) -> None:
    title = await a_licence(window, OFFICES)
    with pytest.raises(Refused) as caught:
        await impute(window, title, office="300")
    assert (caught.value.code, violations(caught.value)) == (
        "CONDITION_UNSATISFIED",
        [("/conditions/c-offices", "CONDITION_UNSATISFIED")],
    )
    assert "named offices" in caught.value.violations[0].message
    assert (await window.figures(title))["consumed"] == "0"
    await impute(window, title)
    assert (await window.figures(title))["consumed"] == "1000"
    assert (await shown(window, title))["named_offices"]["state"] == "STANDING"


async def test_goods_leave_when_the_operators_file_has_met_the_condition(window: Window, tmp_path: Path) -> None:
    title, system = await a_licence(window, CERTIFICATE), Customs.of(window)
    weight, value = {"value": "1000", "unit": "KGM"}, {"amount_minor": 80000, "currency": "EUR"}
    line = {**a_line(title, hs_code="630900", national_code="6309000000"), "quantity": weight, "value": value}
    told = await system.tell(NUMBER, "REGISTERED", declaration=a_declaration(NUMBER, line))
    for event in ("COUPLED", "IMPUTED", "PAID"):
        await system.tell(NUMBER, event)
    released = an_event("RELEASED")
    with pytest.raises(Refused, match="CONDITION_UNSATISFIED"):
        await system.send(NUMBER, released)
    assert (await window.document(told["document_id"], the_importer()))["state"] == "PAID"
    met = await satisfy(window, title, the_broker(), await a_file(window, tmp_path, the_broker()))
    assert (met["state"], met["attachment"]) == ("SATISFIED", hashlib.sha256(FILE).hexdigest())
    assert (await system.send(NUMBER, released))["document_state"] == "RELEASED"
    kinds = [item["kind"] for item in (await window.timeline(title))["items"]]
    assert [kind for kind in kinds if kind.startswith(("condition", "goods"))] == [
        *("condition_imposed", "condition_satisfied", "goods_released")
    ]


async def test_the_same_file_again_is_the_same_answer_and_another_is_too_late(window: Window, tmp_path: Path) -> None:
    title = await a_licence(window, CERTIFICATE)
    first, other = [await a_file(window, tmp_path, the_broker(), FILE + more) for more in (b"1", b"2")]
    answers = await asyncio.gather(*(satisfy(window, title, the_broker(), first) for _ in range(4)))
    assert len({msgspec.json.encode(one) for one in answers}) == 1
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await satisfy(window, title, the_broker(), other)
    items = (await window.timeline(title))["items"]
    assert [item["kind"] for item in items].count("condition_satisfied") == 1


async def test_a_file_meets_only_what_asks_for_one_and_only_from_who_may_answer(window: Window, tmp_path: Path) -> None:
    title = await a_licence(window, CERTIFICATE, OFFICES)
    sha256 = await a_file(window, tmp_path, the_broker())
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await satisfy(window, title, the_broker(), sha256, OFFICES.id)
    with pytest.raises(NotFound):
        await satisfy(window, title, the_broker(), sha256, "no-such-condition")
    with pytest.raises(NotFound):
        await satisfy(window, title, a_stranger(), sha256)
    with pytest.raises(Invalid) as caught:
        await satisfy(window, title, the_broker(), "0" * 64)
    assert violations(caught.value) == [("/attachment", "UNKNOWN_ATTACHMENT")]
    own = await a_file(window, tmp_path, the_importer())
    assert (await satisfy(window, title, the_importer(), own))["state"] == "SATISFIED"


async def test_a_step_meets_its_condition_and_the_news_of_it_twice_changes_nothing(window: Window) -> None:
    title = await a_licence(window, WAREHOUSE)
    assert (await shown(window, title))["warehouse_seen"]["satisfied_in"] == "customs_acceptance"
    for _ in range(2):
        await agree(window, title, met=[WAREHOUSE.id])
    assert (await shown(window, title))["warehouse_seen"]["state"] == "SATISFIED"
    kinds = [item["kind"] for item in (await window.timeline(title))["items"]]
    assert kinds.count("condition_satisfied") == 1


async def test_conditions_are_said_in_the_callers_language_to_who_may_see_the_document(window: Window) -> None:
    title = await a_licence(window, CERTIFICATE)
    assert (await shown(window, title, the_broker("fr")))["conformity_certificate"]["label"].startswith("Certificat")
    with pytest.raises(NotFound):
        await shown(window, title, a_stranger())
    async with window.db.connection() as connection:
        kept = (await store.of_document(connection, title))[0]
    kind = window.rulebooks.in_force(clock.now()).kind(LICENCE)
    assert b'"label":"\xd8' in condition_json(kept, kind, "ar")


async def test_the_database_refuses_what_a_program_forgets(window: Window) -> None:
    title = await a_licence(window, OFFICES, Imposed("c-2", "conformity_certificate", {}, ""))
    given = {"document": title, "id": ids.new_id()}
    statements = (
        """
        insert into imputations (
            imputation_id, document_id, line, state, declaration_number, declaration_line, office, registered_on,
            quantity, unit, value_minor, currency, imputed_at, remaining
        )
        values (
            %(id)s, %(document)s, 1, 'CONSUMED', 'D', '1', '300', '2026-07-20', 1, 'KGM', 1, 'EUR', now(), 1
        )
        """,
        """
        insert into releases (document_id, declaration_number, declaration_document_id, released_at)
        values (%(document)s, 'D', %(document)s, now())
        """,
    )
    for statement in statements:
        with pytest.raises(psycopg.errors.CheckViolation, match="not met"):
            async with window.db.transaction() as tx:
                await tx.execute(statement, given)
    for statement in (
        "update document_conditions set blocks = ''",
        "update document_conditions set code = 'x'",
        "delete from document_conditions",
    ):
        with pytest.raises(psycopg.errors.IntegrityError, match="set once"):
            async with window.db.transaction() as tx:
                await tx.execute(statement.encode())
