"""The title's bank at its ledger."""

from __future__ import annotations

import json
from typing import Any

from intake.actions import settling
from kit.auth import Principal
from kit.testing import a_principal

from tests.intake.builders import Window, customs

BANK = "BANK-007"


def a_bank(agency: str = BANK) -> Principal:
    return a_principal("bank_officer", organisation_id=f"org-{agency}", kind="bank", agency=agency)


async def pay(
    window: Window,
    title: str,
    amount: int,
    *,
    number: str = "P-1",
    kind: str = "SETTLEMENT",
    currency: str = "USD",
    by: Principal | None = None,
) -> dict[str, Any]:
    order = {
        "payment_number": number,
        "paid_on": "2026-06-01",
        "kind": kind,
        "amount": {"amount_minor": amount, "currency": currency},
    }
    paid = await settling.pay(window.db, window.rulebooks, by or await reader(window, title), title, _raw(order))
    return {**json.loads(paid.payment_json), "replayed": paid.replayed}


async def reader(window: Window, title: str, agency: str = BANK) -> Principal:
    """The bank has had a task on the title, and so may read it."""
    async with window.db.transaction() as tx:
        await tx.execute(
            b"insert into document_readers (agency, document_id) values (%s, %s) on conflict do nothing",
            [agency, title],
        )
    return a_bank(agency)


async def give_back(
    window: Window, title: str, payment_id: str, *, by: Principal | None = None, reason: str = "mistake"
) -> dict[str, Any]:
    who = by or await reader(window, title)
    return dict(json.loads(await settling.cancel(window.db, window.rulebooks, who, title, payment_id, reason)))


async def settlement(window: Window, title: str) -> dict[str, Any]:
    return dict(json.loads(await settling.show(window.db, window.rulebooks, customs(), title)))


def _raw(value: Any) -> bytes:
    return json.dumps(value).encode()
