"""Lists, visibility, receipts that anybody can verify, the pack as callers see it."""

import base64
import hashlib
import json
from typing import Any

import msgspec
import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from intake.actions import catalogue, keys, reading
from intake.domain.canonical import canonical
from intake.domain.documents import add_months
from intake.domain.references import check_digit, is_reference, reference
from intake.store.documents import Filter
from kit import clock
from kit.errors import Conflict, Malformed, NotFound, Unavailable
from kit.testing import a_principal

from tests.intake.builders import SECRET, Window, a_body, a_stranger, customs, the_broker, the_importer, the_pack

pytestmark = pytest.mark.service("intake")


async def listed(window: Window, by: Any, asked: Filter | None = None, cursor: str = "", limit: int = 0) -> Any:
    found, following = await reading.page(window.db, window.rulebooks, by, asked or Filter(), cursor, limit)
    return [json.loads(one) for one in found], following


async def test_a_list_is_walked_newest_first_without_gap_or_double(window: Window) -> None:
    ids = [await window.title("REGISTERED") for _ in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        page, cursor = await listed(window, the_importer(), cursor=cursor, limit=2)
        seen += [document["id"] for document in page]
    assert seen == list(reversed(ids))
    assert cursor == ""


async def test_everybody_lists_what_is_theirs_to_see(window: Window) -> None:
    mine = await window.title("REGISTERED")
    own = (await window.submit(window.submission(by=a_stranger(), on_behalf_of=""))).document_id
    for by, expected in (
        (the_importer(), {mine}),
        (the_broker(), {mine}),
        (a_stranger(), {own}),
        (customs(), {mine, own}),
        (a_principal("operator_admin", organisation_id="org-operator"), {mine, own}),
        (a_principal("finance_officer", organisation_id="org-finance"), set()),
    ):
        page, _ = await listed(window, by)
        assert {document["id"] for document in page} == expected


async def test_a_list_is_narrowed_by_type_state_and_reference(window: Window) -> None:
    first, second = await window.title("REGISTERED"), await window.title("DOMICILED")
    number = (await window.document(first))["reference"]
    for asked, expected in (
        (Filter(state="DOMICILED"), [second]),
        (Filter(query=number.lower()), [first]),
        (Filter(type="no.such"), []),
        (Filter(query="%"), []),
    ):
        page, _ = await listed(window, the_importer(), asked)
        assert [document["id"] for document in page] == expected


async def test_bad_filters_and_foreign_cursors_are_malformed(window: Window) -> None:
    await window.title("REGISTERED")
    await window.title("REGISTERED")
    _, cursor = await listed(window, the_importer(), limit=1)
    for asked, foreign in ((Filter(query="\x00"), ""), (Filter(), "nonsense"), (Filter(state="OTHER"), cursor)):
        with pytest.raises(Malformed):
            await listed(window, the_importer(), asked, foreign)


async def test_a_page_of_large_bodies_is_cut_and_goes_on(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [await window.title("REGISTERED") for _ in range(4)]
    monkeypatch.setattr(reading, "PAGE_BYTES_MAX", 10)
    seen, cursor = [], ""
    for _ in range(4):
        page, cursor = await listed(window, the_importer(), cursor=cursor)
        assert len(page) == 1
        seen.append(page[0]["id"])
    assert seen == list(reversed(ids))


async def test_a_document_is_found_by_id_and_by_reference(window: Window) -> None:
    title = await window.title("REGISTERED")
    document = await window.document(title)
    assert await window.document(document["reference"]) == document
    for unknown in ("", "x", "\x00", "EI-2026-0000042-0", "00000000-0000-0000-0000-000000000000", "é" * 500):
        with pytest.raises(NotFound):
            await window.document(unknown)


@pytest.mark.parametrize("read", [reading.timeline, reading.receipt, reading.ledger])
async def test_strangers_are_told_that_there_is_nothing(window: Window, read: Any) -> None:
    title = await window.title("REGISTERED")
    await read(window.db, the_importer(), title)
    with pytest.raises(NotFound):
        await read(window.db, a_stranger(), title)


async def test_anybody_with_the_public_key_can_verify_a_receipt(window: Window) -> None:
    title = await window.title("REGISTERED")
    file = json.loads(await reading.receipt(window.db, the_importer(), title))
    key = next(json.loads(jwk) for jwk in await keys.public_keys(window.db))
    assert key["kid"] == file["signature"]["key_id"] == file["receipt"]["key_id"]
    public = Ed25519PublicKey.from_public_bytes(_bytes(key["x"]))
    public.verify(_bytes(file["signature"]["value"]), rfc8785.dumps(file["receipt"]))
    assert hashlib.sha256(rfc8785.dumps(file["body"])).hexdigest() == file["receipt"]["body_sha256"]
    assert (await window.document(title))["receipt"] == {name: file[name] for name in ("receipt", "signature")}
    with pytest.raises(InvalidSignature):
        public.verify(_bytes(file["signature"]["value"]), rfc8785.dumps({**file["receipt"], "version": 2}))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_the_signing_key_is_made_once_and_opened_with_the_secret_only(window: Window) -> None:
    first, second = await keys.signing_key(window.db, SECRET), await keys.signing_key(window.db, SECRET)
    assert first.key_id == second.key_id
    with pytest.raises(InvalidTag):
        await keys.signing_key(window.db, "another secret")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(JSON)
def test_the_fast_canonical_form_is_the_standard_one(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.from_regex(r"[0-9]{11}", fullmatch=True), st.integers(0, 10), st.integers(1, 9))
def test_a_wrong_digit_in_a_reference_is_noticed(digits: str, place: int, by: int) -> None:
    wrong = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    assert check_digit(wrong) != check_digit(digits)
    swapped = digits[1] + digits[0] + digits[2:]
    assert swapped == digits or check_digit(swapped) != check_digit(digits)


def test_references_widen_when_their_numbers_do() -> None:
    assert reference("EI", 2026, 42).startswith("EI-2026-0000042-")
    wide = reference("EI", 2026, 123_456_789)
    assert wide.startswith("EI-2026-123456789-")
    assert is_reference(wide)
    assert not is_reference("EI-2026-0000042-" + str((int(reference("EI", 2026, 42)[-1]) + 1) % 10))


def test_months_are_added_as_calendars_do() -> None:
    assert add_months(clock.now().replace(year=2026, month=8, day=31), 6).date().isoformat() == "2027-02-28"


def test_a_type_shows_schema_states_and_transitions(window: Window) -> None:
    shown = json.loads(catalogue.document_type(window.rulebooks, "import_title.ei"))
    assert set(shown) >= {"type", "labels", "direction", "schema", "states", "transitions", "initial_state"}
    assert shown["schema"]["examples"][0] == a_body()
    assert len(catalogue.document_types(window.rulebooks)) == len(the_pack().document_types)
    with pytest.raises(NotFound):
        catalogue.document_type(window.rulebooks, "no.such")


def test_lists_are_searched_and_paged(window: Window) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page, cursor, version = catalogue.codes(window.rulebooks, "countries", "", cursor, 100)
        seen += [json.loads(code)["code"] for code in page]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == len(the_pack().lists["countries"].codes)
    assert version == the_pack().lists["countries"].version
    found, _, _ = catalogue.codes(window.rulebooks, "countries", "chine", "", 10)
    assert "CN" in {json.loads(code)["code"] for code in found}
    with pytest.raises(NotFound):
        catalogue.codes(window.rulebooks, "no.such", "", "", 0)
    with pytest.raises(Malformed):
        catalogue.codes(window.rulebooks, "countries", "\x00", "", 0)


async def test_a_loaded_pack_version_never_changes(window: Window) -> None:
    await catalogue.load(window.db, the_pack())
    changed = msgspec.structs.replace(the_pack(), rates=())
    with pytest.raises(Conflict):
        await catalogue.load(window.db, changed)


async def test_a_pack_loaded_while_we_run_is_taken_up(window: Window) -> None:
    title = await window.title("REGISTERED")
    identity = msgspec.structs.replace(the_pack().identity, version="next")
    await catalogue.load(window.db, msgspec.structs.replace(the_pack(), identity=identity))
    async with window.db.transaction() as tx:
        await tx.execute("update documents set pack_version = 'next'")
    with pytest.raises(Unavailable):
        await window.document(title)
    await catalogue.refresh(window.db, window.rulebooks)
    assert (await window.document(title))["pack_version"] == "next"
