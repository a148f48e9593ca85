"""Cancelling: once, by whom it belongs to, while customs holds nothing of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from intake.actions import cancelling
from intake.actions.acts import Act
from kit.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Refused,
)

from tests.intake.builders import Window, a_stranger, customs, the_broker, the_importer

pytestmark = pytest.mark.service("intake")


async def cancel(
    window: Window, title: str, *, if_match: str = "*", key: str = "", reason: str = "sold elsewhere", by: Any = None
) -> dict[str, Any]:
    act = Act("cancel", by or the_broker(), title, if_match, key, reason.encode())
    acted = await cancelling.cancel(window.db, window.rulebooks, window.directory, act, reason)
    return {**json.loads(acted.document_json), "replayed": acted.replayed, "etag": acted.etag}


async def test_a_cancelled_document_is_at_its_end(window: Window) -> None:
    title = await window.title("DOMICILED")
    cancelled = await cancel(window, title)
    assert (cancelled["state"], cancelled["replayed"]) == ("CANCELLED", False)
    assert (await window.said(title))[-1] == "DocumentCancelled"
    last = (await window.timeline(title))["items"][-1]
    assert (last["to"], last["event"], last["detail"]) == ("CANCELLED", "cancel", {"reason": "sold elsewhere"})
    with pytest.raises(Refused):
        await cancel(window, title)


async def test_the_same_key_is_the_same_answer_and_one_cancellation(window: Window) -> None:
    title = await window.title()
    answers = await asyncio.gather(*(cancel(window, title, if_match='"4"', key="k") for _ in range(8)))
    assert sum(not answer.pop("replayed") for answer in answers) == 1
    assert all(answer == answers[0] for answer in answers)
    assert (await window.said(title)).count("DocumentCancelled") == 1
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await cancel(window, title, key="k", reason="another reason")
    other = await window.title()
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await cancel(window, other, key="k")


async def test_what_customs_holds_is_not_cancelled(window: Window) -> None:
    reserved, imputed = await window.title(), await window.title()
    await window.impute(reserved, reserve=True)
    held = await window.impute(imputed)
    for title in (reserved, imputed):
        with pytest.raises(Refused):
            await cancel(window, title)
    await window.cancel(imputed, held["id"])
    assert (await cancel(window, imputed))["state"] == "CANCELLED"


async def test_who_may_cancel_and_on_what_they_have_seen(window: Window) -> None:
    title = await window.title()
    with pytest.raises(NotFound):
        await cancel(window, title, by=a_stranger())
    with pytest.raises(Forbidden):
        await cancel(window, title, by=customs())
    with pytest.raises(PreconditionRequired):
        await cancel(window, title, if_match="")
    with pytest.raises(PreconditionFailed):
        await cancel(window, title, if_match='"1"')
    with pytest.raises(Malformed):
        await cancel(window, title, reason=" ")
    assert (await cancel(window, title, by=the_importer()))["state"] == "CANCELLED"


async def test_an_agent_whose_mandate_ended_cannot_cancel(window: Window) -> None:
    title = await window.title()
    window.identity.mandates.clear()
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await cancel(window, title)
