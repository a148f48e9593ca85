"""A document filed in stages: one part after the other, each once, none before it is in order."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from intake.actions.acts import Act
from intake.actions.amending import AmendmentDesk
from intake.actions.completing import StageDesk
from intake.actions.hearing import Happening
from intake.domain.documents import Item
from kit import clock, ids
from kit.auth import Principal
from kit.errors import Forbidden, Invalid, NotFound, PreconditionFailed, Refused
from kit.testing import a_principal
from portolan.intake.v1 import events_pb2

from tests.intake.builders import Window, a_stranger, the_attachments, the_importer

pytestmark = pytest.mark.service("intake")

TYPE = "subscription"
COMPANY: Mapping[str, Any] = {
    **{"number": "001234567000062", "legal_name": "Importations du Rif SARL", "kind": "importer"},
    **{"legal_form": "SARL", "tax_number": "15203344", "address": "12, rue de Fès", "city": "Tanger"},
    "registration": {"number": "48213", "court": "Tanger"},
    "bank_account": "007780000211000000000183",
    "representative": {"name": "Imane Rifi", "identity_number": "K412233"},
}
REQUEST = {"billing_mode": "subscriber", "data_protection_consent": True}
CONTRACT = {"terms": "2026-1", "signatory": "Imane Rifi", "accepted": True}


def an_applicant(organisation_id: str = "org-applicant") -> Principal:
    return a_principal("applicant", organisation_id=organisation_id)


async def applied(window: Window, by: Principal | None = None, company: Mapping[str, Any] = COMPANY) -> str:
    by = by or an_applicant()
    known = {name: company[name] for name in ("number", "legal_name", "kind")}
    asked = window.submission({"company": known}, by=by, on_behalf_of=by.organisation_id, document_type=TYPE)
    return (await window.submit(asked)).document_id


async def complete(
    window: Window,
    document_id: str,
    stage: str,
    body: Mapping[str, Any],
    *,
    by: Principal | None = None,
    key: str = "",
    if_match: str = "*",
) -> dict[str, Any]:
    amendments = AmendmentDesk(window.db, window.rulebooks, window.directory, window.register)
    desk = StageDesk(window.db, window.rulebooks, window.directory, amendments)
    request = json.dumps({"body": body}).encode()
    acted = await desk.complete(
        Act(f"complete:{stage}", by or an_applicant(), document_id, if_match, key, request), stage
    )
    return dict(json.loads(acted.document_json))


class Whole:
    """The body as it grows, with files that are there."""

    def __init__(self, window: Window, files: Any, by: Principal) -> None:
        self._window, self._files, self._by = window, files, by

    async def dossier(self, *kinds: str) -> list[dict[str, str]]:
        return [{"kind": kind, "sha256": await self._stored(kind)} for kind in kinds]

    async def _stored(self, text: str) -> str:
        async def chunks() -> Any:
            yield f"%PDF-1.7 {text}".encode()

        return str((await self._files.store(self._by, chunks())).sha256)


@pytest.fixture
async def dossier(window: Window, tmp_path: Any) -> list[dict[str, str]]:
    files = await the_attachments(window, tmp_path)
    return await Whole(window, files, an_applicant()).dossier("REGISTER_EXTRACT", "IDENTITY")


async def led_to(window: Window, state: str, dossier: Any, by: Principal | None = None, company: Any = COMPANY) -> str:
    document_id = await applied(window, by, company)
    given = {
        "DRAFT_DOCUMENTS": ("company", {"company": company}),
        "READY": ("documents", {"company": company, "dossier": dossier}),
        "UNDER_REVIEW": ("request", {"company": company, "dossier": dossier, "request": REQUEST}),
    }
    for reached, (stage, body) in given.items():
        await complete(window, document_id, stage, body, by=by)
        if reached == state:
            break
    return document_id


async def told(window: Window, kind: type[Any]) -> list[Any]:
    async with window.db.connection() as connection:
        cursor = await connection.execute(
            "select payload from outbox where type = %s order by id", [kind.DESCRIPTOR.full_name]
        )
        return [kind.FromString(row[0]) for row in await cursor.fetchall()]


async def test_each_part_is_given_in_its_turn_and_the_case_begins_with_the_whole(
    window: Window, dossier: list[dict[str, str]]
) -> None:
    document_id = await led_to(window, "READY", dossier)
    assert await told(window, events_pb2.DocumentCompleted) == []
    whole = {"company": COMPANY, "dossier": dossier, "request": REQUEST}
    document = await complete(window, document_id, "request", whole)
    assert (document["state"], document["version"], document["body"]) == ("UNDER_REVIEW", 4, whole)
    (completed,) = await told(window, events_pb2.DocumentCompleted)
    assert (completed.document_id, completed.version, completed.state) == (document_id, 4, "UNDER_REVIEW")
    assert json.loads(completed.facts_json)["type"] == TYPE
    assert await window.said(document_id) == ["DocumentSubmitted", *["DocumentDecided"] * 3, "DocumentCompleted"]


async def test_a_part_is_not_given_out_of_turn_nor_with_what_belongs_to_another(window: Window) -> None:
    document_id = await applied(window)
    with pytest.raises(Refused, match="INVALID_TRANSITION"):
        await complete(window, document_id, "request", {"company": COMPANY, "request": REQUEST})
    with pytest.raises(Invalid) as refused:
        await complete(window, document_id, "company", {"company": COMPANY, "request": REQUEST})
    assert {one.code for one in refused.value.violations} == {"NOT_AMENDABLE"}
    with pytest.raises(NotFound):
        await complete(window, document_id, "no_such_stage", {"company": COMPANY})
    assert await window.said(document_id) == ["DocumentSubmitted"]


async def test_a_part_that_lacks_something_says_what(window: Window) -> None:
    document_id = await applied(window)
    with pytest.raises(Invalid) as refused:
        await complete(window, document_id, "company", {"company": {**COMPANY, "city": None}})
    assert refused.value.violations
    without_city = {name: value for name, value in COMPANY.items() if name != "city"}
    with pytest.raises(Invalid) as refused:
        await complete(window, document_id, "company", {"company": without_city})
    assert [(one.code, one.pointer) for one in refused.value.violations] == [("company_complete", "/body/company")]


async def test_what_is_not_ready_is_not_sent(window: Window, dossier: list[dict[str, str]]) -> None:
    wrong_key = {**COMPANY, "bank_account": "007780000211000000000184"}
    document_id = await led_to(window, "READY", dossier[:1], company=wrong_key)
    with pytest.raises(Invalid) as refused:
        await complete(
            *(window, document_id, "request"),
            {"company": wrong_key, "dossier": dossier[:1], "request": REQUEST},
        )
    assert [one.code for one in refused.value.violations] == ["bank_account", "identity"]
    assert (await window.document(document_id))["state"] == "READY"


async def test_a_repeated_part_is_the_same_answer_and_another_under_its_key_is_refused(window: Window) -> None:
    document_id = await applied(window)
    first = await complete(window, document_id, "company", {"company": COMPANY}, key="k1")
    assert await complete(window, document_id, "company", {"company": COMPANY}, key="k1") == first
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await complete(window, document_id, "documents", {"company": COMPANY}, key="k1")
    assert await window.said(document_id) == ["DocumentSubmitted", "DocumentDecided"]


async def test_twenty_at_once_give_it_once(window: Window) -> None:
    document_id = await applied(window)
    given = [complete(window, document_id, "company", {"company": COMPANY}) for _ in range(20)]
    done = await asyncio.gather(*given, return_exceptions=True)
    assert sum(isinstance(one, dict) for one in done) == 1
    assert {type(one) for one in done if not isinstance(one, dict)} == {Refused}


async def test_what_others_have_seen_meanwhile_is_not_overwritten(window: Window) -> None:
    document_id = await applied(window)
    with pytest.raises(PreconditionFailed):
        await complete(window, document_id, "company", {"company": COMPANY}, if_match='"7"')


async def test_only_whoever_applies_files_it_and_nothing_else(window: Window) -> None:
    importer = the_importer()
    with pytest.raises(Forbidden, match="applicant"):
        await applied(window, importer)
    with pytest.raises(Forbidden, match="declarant"):
        await window.submit(window.submission(by=an_applicant(), on_behalf_of="org-applicant"))
    document_id = await applied(window)
    for other in (a_stranger(), an_applicant("org-other")):
        with pytest.raises(NotFound):
            await complete(window, document_id, "company", {"company": COMPANY}, by=other)


async def test_a_value_that_another_file_bears_is_told_before_anybody_pays(
    window: Window, dossier: list[dict[str, str]]
) -> None:
    await led_to(window, "UNDER_REVIEW", dossier)
    asked = {"type": TYPE, "body": {"company": COMPANY, "dossier": dossier, "request": REQUEST}}
    other = an_applicant("org-other")
    simulated = await window.desk.simulate(other, json.dumps({**asked, "body": {"company": COMPANY}}).encode())
    unmet = {one.id for one in simulated.readiness if not one.is_met}
    assert {"company_number_free", "registration_free"} <= unmet
    own = await window.desk.simulate(an_applicant(), json.dumps(asked).encode())
    assert [one.id for one in own.readiness if not one.is_met] == []
    assert sum(one.weight for one in own.readiness) == 100


async def test_a_file_that_was_never_sent_keeps_no_company_out(window: Window, dossier: list[dict[str, str]]) -> None:
    """Whoever signs up in another's name and stops there is in nobody's way."""
    await led_to(window, "READY", dossier)
    other = await window.desk.simulate(
        an_applicant("org-other"), json.dumps({"type": TYPE, "body": {"company": COMPANY}}).encode()
    )
    assert {one.id for one in other.readiness if one.is_met} >= {"company_number_free", "registration_free"}


async def test_of_two_files_with_one_number_sent_at_once_one_goes(window: Window, tmp_path: Any) -> None:
    files = await the_attachments(window, tmp_path)
    sent = []
    for name in ("org-one", "org-two"):
        by = an_applicant(name)
        dossier = await Whole(window, files, by).dossier("REGISTER_EXTRACT", "IDENTITY")
        document_id = await led_to(window, "READY", dossier, by)
        body = {"company": COMPANY, "dossier": dossier, "request": REQUEST}
        sent.append(complete(window, document_id, "request", body, by=by))
    done = await asyncio.gather(*sent, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Invalid", "dict"]


@pytest.mark.parametrize(("mode", "state"), [("subscriber", "ACTIVE"), ("occasional", "ACTIVE_OCCASIONAL")])
async def test_the_contract_admits_as_the_plan_says(
    mode: str, state: str, window: Window, dossier: list[dict[str, str]]
) -> None:
    document_id = await led_to(window, "READY", dossier)
    body: dict[str, Any] = {"company": COMPANY, "dossier": dossier, "request": {**REQUEST, "billing_mode": mode}}
    await complete(window, document_id, "request", body)
    for event in ("review_accept", "customs_confirm"):
        await window.hear(Happening(document_id, Item("task_decided", clock.now()), event))
    signed = copy.deepcopy(body) | {"contract": CONTRACT}
    document = await complete(window, document_id, "contract", signed, key=ids.new_id())
    assert document["state"] == state
    (admitted,) = await told(window, events_pb2.OrganisationAdmitted)
    assert (admitted.owner_organisation_id, admitted.kind, admitted.billing_mode) == ("org-applicant", "importer", mode)
    assert (admitted.name, admitted.company_number) == (COMPANY["legal_name"], COMPANY["number"])
    with pytest.raises(Refused):
        await complete(window, document_id, "contract", signed)


async def test_a_part_that_changes_the_body_is_a_version_with_its_receipt(
    window: Window, dossier: list[dict[str, str]]
) -> None:
    document_id = await applied(window)
    await complete(window, document_id, "company", {"company": COMPANY})
    document = await complete(window, document_id, "documents", {"company": COMPANY, "dossier": dossier})
    assert document["version"] == 3
    receipt = await window.count("select count(distinct receipt::text) from document_versions")
    assert receipt == 3
    assert await window.count("select count(*) from document_versions") == 3
