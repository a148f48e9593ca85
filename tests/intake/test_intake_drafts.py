"""Drafts: loosely written, seen by whom they belong to, copied, submitted once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intake.actions.copying import Copying, Copyist
from intake.actions.drafting import DraftDesk, Limits
from intake.actions.filing import DraftFiling, FilingDesk
from intake.domain.copying import copied
from intake.domain.drafts import merged
from intake.store.drafts import Filter
from kit import clock, ids
from kit.auth import Principal
from kit.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PortolanError,
    PreconditionFailed,
    PreconditionRequired,
    Refused,
    TooLarge,
)
from portolan.intake.v1 import events_pb2

from tests.intake.builders import (
    BROKER,
    IMPORTER,
    TITLE,
    Window,
    a_body,
    a_stranger,
    customs,
    the_broker,
    the_importer,
    the_pack,
)

pytestmark = pytest.mark.service("intake")
OPEN_MAX = 6


@dataclass
class Desk:
    window: Window
    drafts: DraftDesk
    copyist: Copyist
    filing: FilingDesk

    async def create(self, by: Principal | None = None, key: str = "", **content: Any) -> dict[str, Any]:
        asked = {"type": TITLE, **content}
        shown = await self.drafts.create(by or the_importer(), json.dumps(asked).encode(), key)
        return {**json.loads(shown.draft_json), "etag": shown.etag}

    async def read(self, draft_id: str, by: Principal | None = None) -> dict[str, Any]:
        shown = await self.drafts.read(by or the_importer(), draft_id)
        return {**json.loads(shown.draft_json), "etag": shown.etag}

    async def change(
        self, draft_id: str, content: Any, *, by: Principal | None = None, if_match: str = "*", merge: bool = True
    ) -> dict[str, Any]:
        raw = json.dumps(content).encode()
        shown = await self.drafts.change(by or the_importer(), draft_id, if_match, raw, merge=merge)
        return {**json.loads(shown.draft_json), "etag": shown.etag}

    async def submit(
        self, draft_id: str, key: str = "", by: Principal | None = None, if_match: str = ""
    ) -> dict[str, Any]:
        caller = self.signed_in(by or the_importer())
        answer = await self.filing.submit(DraftFiling(caller, draft_id, if_match, key or ids.new_id(), ""))
        return {**json.loads(answer.document_json), "replayed": answer.replayed}

    def signed_in(self, by: Principal) -> Principal:
        return replace(by, token=self.window.mint.token(by))

    async def listed(self, by: Principal, **asked: Any) -> list[str]:
        found, _ = await self.drafts.page(by, Filter(**asked), "", 0)
        return [json.loads(one)["id"] for one in found]


@pytest.fixture
async def desk(window: Window) -> Desk:
    limits = Limits(OPEN_MAX, timedelta(days=90))
    drafts = DraftDesk(window.db, window.rulebooks, window.directory, limits)
    copyist = Copyist(window.db, window.rulebooks, drafts)
    return Desk(window, drafts, copyist, FilingDesk(drafts, window.desk, window.register))


def wrong(draft: dict[str, Any]) -> dict[str, str]:
    return {one["pointer"]: one["code"] for one in draft["errors"]}


async def test_a_draft_may_lack_everything_and_says_what(desk: Desk) -> None:
    empty = await desk.create()
    assert empty["body"] == {}
    required = the_pack().document_types[TITLE].schema["required"]
    assert set(empty["missing"]) == {f"/body/{name}" for name in required}
    part = await desk.change(empty["id"], {"label": "shoes", "body": {"regime": "10", "nobody_knows": 1}})
    assert (part["label"], part["etag"]) == ("shoes", '"2"')
    assert wrong(part) == {"/body/regime": "PATTERN", "/body/nobody_knows": "ADDITIONAL_PROPERTIES"}
    assert set(part["missing"]) == set(empty["missing"]) - {"/body/regime"}
    whole = await desk.change(empty["id"], {"type": TITLE, "body": a_body()}, merge=False)
    assert (whole["missing"], whole["errors"], whole["label"]) == ([], [], "")
    assert await desk.read(empty["id"]) == whole
    assert await desk.window.count("select count(*) from outbox") == 0


async def test_what_it_says_is_what_submitting_it_says(desk: Desk) -> None:
    """A check of the pack and an admission rule, not the shape alone."""
    body = a_body()
    body["total"]["amount_minor"] += 1
    draft = await desk.create(body=body)
    with pytest.raises(Invalid) as refused:
        await desk.submit(draft["id"])
    assert wrong(draft) == {one.pointer: one.code for one in refused.value.violations}
    assert draft["errors"]


async def test_a_submitted_draft_is_a_document_for_ever(desk: Desk) -> None:
    draft = await desk.create(body=a_body())
    document = await desk.submit(draft["id"], key="k", if_match=draft["etag"])
    assert (document["body"], document["replayed"]) == (a_body(), False)
    assert document["receipt"]["receipt"]["document_id"] == document["id"]
    assert await desk.window.said(document["id"]) == ["DocumentSubmitted"]
    again = await desk.read(draft["id"])
    assert again["document"] == {"id": document["id"], "reference": document["reference"]}
    for attempt in (
        desk.change(draft["id"], {"label": "x"}),
        desk.drafts.delete(the_importer(), draft["id"], "*"),
        desk.submit(draft["id"], key="another"),
    ):
        with pytest.raises(Refused, match="DRAFT_SUBMITTED") as refused:
            await attempt
        assert refused.value.facts["document_id"] == document["id"]
    assert await desk.submit(draft["id"], key="k") == {**document, "replayed": True}


async def test_the_same_key_is_the_same_document_also_when_the_draft_is_swept(desk: Desk) -> None:
    draft, other = await desk.create(body=a_body()), await desk.create(body=a_body())
    first = await desk.submit(draft["id"], key="k")
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await desk.submit(other["id"], key="k")
    await age(desk, draft["id"], days=91)
    assert await desk.drafts.sweep() == 1
    with pytest.raises(NotFound):
        await desk.read(draft["id"])
    assert await desk.submit(draft["id"], key="k") == {**first, "replayed": True}
    with pytest.raises(NotFound):
        await desk.submit(draft["id"], key="another")


@pytest.mark.parametrize("keys", [["k"] * 8, [f"k{number}" for number in range(8)]], ids=["one key", "eight keys"])
async def test_eight_at_once_make_one_document(desk: Desk, keys: list[str]) -> None:
    draft = await desk.create(body=a_body())
    answers = await asyncio.gather(*(desk.submit(draft["id"], key) for key in keys), return_exceptions=True)
    documents = [answer for answer in answers if isinstance(answer, dict)]
    assert len({document["id"] for document in documents}) == 1
    assert all(isinstance(answer, dict | PortolanError) for answer in answers)
    assert len(documents) == (8 if keys[0] == keys[1] else 1)
    assert await desk.window.count("select count(*) from documents") == 1
    assert await desk.window.count("select count(*) from outbox") == 1


async def test_neighbours_of_a_lost_race_are_entered_all_the_same(desk: Desk) -> None:
    draft = await desk.create(body=a_body())
    others = [desk.window.submit(desk.window.submission()) for _ in range(5)]
    race = [desk.submit(draft["id"], f"k{number}") for number in range(3)]
    answers = await asyncio.gather(*others, *race, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 6
    assert await desk.window.count("select count(*) from documents") == 6


async def test_what_changes_while_it_is_submitted_is_not_submitted(desk: Desk) -> None:
    draft = await desk.create(body=a_body())
    seen = await desk.drafts.find(the_importer(), draft["id"])
    await desk.change(draft["id"], {"label": "changed"})
    with pytest.raises(PreconditionFailed):
        await desk.filing._entered(DraftFiling(desk.signed_in(the_importer()), draft["id"], "", "k", ""), seen)
    assert await desk.window.count("select count(*) from submissions") == 0
    assert (await desk.submit(draft["id"], key="k"))["replayed"] is False


async def test_who_sees_a_draft_and_who_may_give_it_away(desk: Desk) -> None:
    draft = await desk.create(the_broker(), on_behalf_of=IMPORTER, body=a_body())
    assert (draft["owner_organisation_id"], draft["writer_organisation_id"]) == (IMPORTER, BROKER)
    for stranger in (a_stranger(), customs()):
        for attempt in (
            desk.read(draft["id"], stranger),
            desk.change(draft["id"], {}, by=stranger),
            desk.submit(draft["id"], by=stranger),
            desk.drafts.delete(stranger, draft["id"], "*"),
            desk.copyist.copy_draft(stranger, draft["id"], Copying("", "", False), ""),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await desk.listed(stranger) == []
    assert await desk.listed(the_importer()) == await desk.listed(the_broker()) == [draft["id"]]
    assert (await desk.change(draft["id"], {"label": "seen"}))["owner_organisation_id"] == IMPORTER
    with pytest.raises(Forbidden):
        await desk.change(draft["id"], {"on_behalf_of": "org-other"})
    taken = await desk.change(draft["id"], {"on_behalf_of": None}, by=the_broker())
    assert taken["owner_organisation_id"] == BROKER
    with pytest.raises(NotFound):
        await desk.read(draft["id"])


async def test_no_mandate_no_draft_and_a_lost_one_is_said(desk: Desk) -> None:
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await desk.create(the_broker(), on_behalf_of="org-nobody")
    draft = await desk.create(the_broker(), on_behalf_of=IMPORTER, body=a_body())
    desk.window.identity.mandates.clear()
    desk.window.directory._mandates._known.clear()
    assert wrong(await desk.read(draft["id"], the_broker())) == {"/on_behalf_of": "MANDATE_REQUIRED"}
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await desk.submit(draft["id"], by=the_broker())
    document = await desk.submit(draft["id"])
    assert (document["owner_organisation_id"], document["mandate_id"]) == (IMPORTER, None)


async def test_on_what_was_seen_and_in_the_same_type(desk: Desk) -> None:
    draft = await desk.create()
    with pytest.raises(PreconditionRequired):
        await desk.change(draft["id"], {}, if_match="")
    with pytest.raises(PreconditionFailed):
        await desk.change(draft["id"], {}, if_match='"7"')
    with pytest.raises(PreconditionFailed):
        await desk.submit(draft["id"], if_match='"7"')
    with pytest.raises(Invalid):
        await desk.change(draft["id"], {"type": "export_title"}, merge=False)
    changes = [desk.change(draft["id"], {"label": str(number)}, if_match='"1"') for number in range(5)]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(isinstance(answer, dict) for answer in answers) == 1
    await desk.drafts.delete(the_importer(), draft["id"], '"2"')
    with pytest.raises(NotFound):
        await desk.read(draft["id"])


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"[]", Malformed),
        (b"{", Malformed),
        (b'{"type": "import_title.ei", "body": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}", Malformed),
        (b'{"type": "import_title.ei", "body": {"a": "' + b"x" * 250_000 + b'"}}', TooLarge),
        (b'{"type": "no_such.type"}', Invalid),
        (b'{"type": "import_title.ei", "body": []}', Invalid),
        (b'{"type": "import_title.ei", "label": 1}', Invalid),
        (b'{"type": "import_title.ei", "more": 1}', Invalid),
        (b'{"type": "import_title.ei", "label": "' + b"x" * 201 + b'"}', Invalid),
        (b"{}", Invalid),
    ],
)
async def test_what_is_no_draft_is_refused(desk: Desk, raw: bytes, error: type[PortolanError]) -> None:
    with pytest.raises(error):
        await desk.drafts.create(the_importer(), raw, "")
    assert await desk.listed(the_importer()) == []


async def test_odd_numbers_are_kept_and_told_of(desk: Desk) -> None:
    draft = await desk.create(body={"total": {"amount_minor": 10**30, "currency": 0.5}})
    assert draft["body"]["total"]["amount_minor"] == 10**30
    assert (await desk.read(draft["id"]))["body"] == draft["body"]


async def test_the_same_key_is_the_same_draft(desk: Desk) -> None:
    drafts = await asyncio.gather(*(desk.create(key="k", label="a") for _ in range(6)))
    assert len({draft["id"] for draft in drafts}) == 1
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await desk.create(key="k", label="b")


async def test_open_drafts_are_bounded_submitted_ones_do_not_count(desk: Desk) -> None:
    drafts = [await desk.create(body=a_body()) for _ in range(OPEN_MAX - 2)]
    answers = await asyncio.gather(*(desk.create() for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, Refused) for answer in answers) == 3
    await desk.submit(drafts[0]["id"])
    await desk.create()
    with pytest.raises(Refused, match="TOO_MANY_DRAFTS"):
        await desk.create()
    assert (await desk.create(a_stranger()))["missing"]


async def test_drafts_nobody_touches_are_forgotten_templates_are_not(desk: Desk) -> None:
    old, fresh, template = await desk.create(), await desk.create(), await desk.create(template=True)
    await age(desk, old["id"], days=91)
    await age(desk, template["id"], days=400)
    assert await desk.drafts.sweep() == 1
    assert set(await desk.listed(the_importer())) == {fresh["id"], template["id"]}
    assert await desk.listed(the_importer(), templates_only=True) == [template["id"]]


async def test_a_copy_leaves_out_what_must_be_new(desk: Desk) -> None:
    filed = await desk.window.submit(desk.window.submission())
    copying = Copying("", "again", False)
    shown = await desk.copyist.copy_document(the_broker(), filed.document_id, copying, "k")
    draft = json.loads(shown.draft_json)
    assert draft["copied_from"]["document_id"] == filed.document_id
    assert draft["owner_organisation_id"] == IMPORTER
    assert {"/body/contract/number", "/body/contract/date"} <= set(draft["missing"])
    assert draft["body"]["contract"] == {"kind": a_body()["contract"]["kind"]}
    assert draft["body"]["lines"] == a_body()["lines"]
    contract = {"number": "PI-2", "date": "2026-06-01"}
    ready = await desk.change(
        draft["id"], {"body": {"contract": contract, "payment": a_body()["payment"]}}, by=the_broker()
    )
    assert (ready["missing"], ready["errors"]) == ([], [])
    document = await desk.submit(draft["id"], by=the_broker())
    assert document["body"]["contract"] == {**a_body()["contract"], **contract}
    again = await desk.copyist.copy_document(the_broker(), filed.document_id, copying, "k")
    assert again.draft_id == draft["id"]


async def test_only_its_owner_and_who_filed_it_copy_a_document(desk: Desk) -> None:
    filed = await desk.window.submit(desk.window.submission())
    for other in (a_stranger(), customs()):
        with pytest.raises(NotFound):
            await desk.copyist.copy_document(other, filed.document_id, Copying("", "", False), "")
    shown = await desk.copyist.copy_document(the_importer(), filed.document_id, Copying("", "", False), "")
    assert json.loads(shown.draft_json)["writer_organisation_id"] == IMPORTER


async def test_a_template_is_copied_many_times_and_never_submitted(desk: Desk) -> None:
    template = await desk.create(template=True, body=a_body())
    with pytest.raises(Refused, match="DRAFT_IS_TEMPLATE"):
        await desk.submit(template["id"])
    copying = Copying("", "", False)
    copies = [await desk.copyist.copy_draft(the_importer(), template["id"], copying, "") for _ in range(3)]
    assert len({copy.draft_id for copy in copies}) == 3
    shown = json.loads(copies[0].draft_json)
    assert (shown["template"], shown["copied_from"]["draft_id"]) == (False, template["id"])


async def promised(desk: Desk, document_id: str) -> str:
    async with desk.window.db.connection() as connection:
        rows = await connection.execute("select payload from outbox where key = %s", [document_id])
        [row] = await rows.fetchall()
    return events_pb2.DocumentSubmitted.FromString(row[0]).price_version


async def test_the_prices_shown_hold_for_as_long_as_the_pack_says(desk: Desk) -> None:
    [version] = the_pack().tariff
    draft = await desk.create(body=a_body())
    begun = datetime.fromisoformat(draft["created_at"])
    until = datetime.fromisoformat(draft["price_lock"]["until"])
    assert draft["price_lock"]["price_version"] == version.version
    assert until - begun == timedelta(days=version.price_lock_days)
    assert (await desk.change(draft["id"], {"label": "later"}))["price_lock"] == draft["price_lock"]
    assert await promised(desk, (await desk.submit(draft["id"]))["id"]) == version.version


async def test_a_promise_that_has_passed_is_none_and_who_drafts_nothing_has_none(desk: Desk) -> None:
    draft = await desk.create(body=a_body())
    async with desk.window.db.connection() as connection:
        await connection.execute("update drafts set price_locked_until = %s", [clock.now() - timedelta(seconds=1)])
    assert await promised(desk, (await desk.submit(draft["id"]))["id"]) == ""
    assert await promised(desk, (await desk.window.submit(desk.window.submission())).document_id) == ""


async def age(desk: Desk, draft_id: str, days: int) -> None:
    async with desk.window.db.connection() as connection:
        at = clock.now() - timedelta(days=days)
        await connection.execute("update drafts set updated_at = %s where draft_id = %s", [at, draft_id])


def test_a_merge_is_what_rfc_7396_says() -> None:
    """The table of its appendix A."""
    cases: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]
    for target, patch, result in cases:
        assert merged(target, patch) == result


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_merging_twice_is_merging_once(target: Any, patch: Any) -> None:
    assert merged(merged(target, patch), patch) == merged(target, patch)


def test_a_copy_finds_marks_within_lists_and_alternatives() -> None:
    schema = {
        "properties": {
            "a": {"x-copy": False},
            "b": {"items": {"properties": {"c": {"x-copy": False}, "d": {}}}},
            "e": {"x-copy": True},
        },
        "oneOf": [{"properties": {"f": {"properties": {"g": {"x-copy": False}}}}}],
    }
    body = {"a": 1, "b": [{"c": 1, "d": 2}, {"d": 3}, "x"], "e": 1, "f": {"g": 1}}
    assert copied(schema, body) == {"b": [{"d": 2}, {"d": 3}, "x"], "e": 1, "f": {}}


async def test_what_customs_alone_files_nobody_drafts(desk: Desk) -> None:
    """Such a draft could be written, and never be submitted."""
    mirror = next(kind.key for kind in the_pack().document_types.values() if kind.declaration)
    with pytest.raises(Invalid) as error:
        await desk.create(type=mirror)
    assert [(one.pointer, one.code) for one in error.value.violations] == [("/type", "FILED_BY_CUSTOMS")]
