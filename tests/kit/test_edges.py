"""Strict JSON, cursors, trace context, tokens: what comes in from outside is what it claims to be, or refused."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import pages, strict_json, trace
from kit.auth import Revoked, TokenVerifier, service_token
from kit.errors import Malformed, Unauthenticated
from kit.testing import TokenMint, a_principal

BAD_JSON = {
    "duplicate names": b'{"a": 1, "a": 2}',
    "duplicate names deep down": b'[{"x": {"a": 1, "a": 1}}]',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": 1e999}',
    "NUL": b'{"a": "x\\u0000y"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "not UTF-8": b'{"a": "\xff"}',
    "a number without end": b"[" + b"9" * 500 + b"]",
    "deep nesting": b"[" * 40 + b"]" * 40,
    "very deep nesting": b"[" * 200_000 + b"]" * 200_000,
    "nothing": b"",
    "two values": b"1 2",
    "raw control character": b'"a\x00b"',
}


@pytest.mark.parametrize("raw", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_json_that_could_mean_two_things_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        strict_json.loads(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text().filter(lambda text: "\x00" not in text),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5).filter(str.isalnum), inner),
    max_leaves=20,
)


@given(json_values)
def test_ordinary_json_is_read_as_json_reads_it(value: object) -> None:
    assert strict_json.loads(json.dumps(value).encode()) == value


@given(st.text(max_size=60))
def test_a_foreign_cursor_is_refused_and_never_breaks(cursor: str) -> None:
    if cursor:
        with pytest.raises(Malformed):
            pages.decode(cursor, {})


def test_a_cursor_belongs_to_its_filters() -> None:
    cursor = pages.encode({"state": "OPEN"}, ["2026-01-01", "id"])
    assert pages.decode(cursor, {"state": "OPEN"}) == ["2026-01-01", "id"]
    with pytest.raises(Malformed):
        pages.decode(cursor, {"state": "CLOSED"})


def test_a_forged_cursor_brings_no_text_that_a_database_cannot_hold() -> None:
    """Anybody can compute a cursor's digest; with NUL in its position the query failed, and the answer was 500."""
    with pytest.raises(Malformed):
        pages.decode(pages.encode({}, ["\x00"]), {}, tuple[str])


@pytest.mark.parametrize(
    "bad", ["", "00-0-0-01", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01", "é" * 55]
)
def test_a_malformed_trace_starts_a_new_one(bad: str) -> None:
    begun = trace.begin(bad)
    assert begun != bad
    assert trace.is_valid(begun)


async def test_a_token_is_who_it_says_until_it_is_revoked(mint: TokenMint) -> None:
    verifier = TokenVerifier(mint)
    token = mint.token(a_principal("declarant", person="p1"))
    assert (await verifier.verify(token)).subject == "p1"
    verifier.revoke([Revoked(1, "p1", 9e9)])
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_a_revocation_is_forgotten_when_every_token_it_voided_has_expired(mint: TokenMint) -> None:
    verifier = TokenVerifier(mint)
    verifier.revoke([Revoked(number, f"client-{number}", 1.0) for number in range(1000)])
    assert not verifier._revoked


DEEP_HEADER = base64.urlsafe_b64encode(b"[" * 3000).decode()


@pytest.mark.parametrize(
    "spoil",
    [
        *(lambda t: t[:-4] + "AAAA", lambda t: "x" + t, lambda t: t.split(".")[0]),
        *(lambda _: "é.é.é", lambda t: DEEP_HEADER + t),
    ],
)
async def test_a_spoiled_token_is_refused(mint: TokenMint, spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(Unauthenticated):
        await TokenVerifier(mint).verify(spoil(mint.token(a_principal("declarant"))))


async def test_an_unsigned_token_is_refused(mint: TokenMint) -> None:
    header, body, _ = mint.token(a_principal("declarant")).split(".")
    unsigned = "eyJhbGciOiJub25lIiwia2lkIjoidGVzdCJ9"
    for head in (header, unsigned):
        with pytest.raises(Unauthenticated):
            await TokenVerifier(mint).verify(f"{head}.{body}.")


async def test_a_service_proves_itself_with_the_shared_secret(mint: TokenMint) -> None:
    verifier = TokenVerifier(mint, "secret")
    assert (await verifier.verify(service_token("routing", "secret"))).has("service")
    for wrong in (
        service_token("routing", "other"),
        "svc.routing.99999999999.abc",
        "svc.",
        "svc.routing.99999999999.é",
    ):
        with pytest.raises(Unauthenticated):
            await verifier.verify(wrong)
    with pytest.raises(Unauthenticated):
        await TokenVerifier(mint, "").verify(service_token("routing", ""))
