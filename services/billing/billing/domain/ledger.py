"""Double entry: every journal sums to zero, and an account is the sum of what was posted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import msgspec

from billing.domain.charges import Charge
from billing.domain.money import Money, total

STATEMENT_LINES_MAX = 2_000

WORDING: dict[str, dict[str, str]] = msgspec.json.decode(
    resources.files("billing.domain").joinpath("wording.json").read_bytes()
)
BROUGHT_FORWARD: Mapping[str, str] = WORDING["BROUGHT_FORWARD"]


@dataclass(frozen=True)
class Account:
    """`kind` is receivable (one per organisation), revenue or vat."""

    kind: str
    currency: str
    organisation_id: str = ""

    @property
    def code(self) -> str:
        return ":".join(part for part in (self.kind, self.organisation_id, self.currency) if part)


def receivable(organisation_id: str, currency: str) -> Account:
    return Account("receivable", currency, organisation_id)


@dataclass(frozen=True)
class Entry:
    """A debit is positive, a credit negative."""

    account: Account
    amount: Money


def entries_of(charge: Charge) -> list[Entry]:
    """The payer owes the gross; it is revenue and, for the tax office, VAT."""
    currency = charge.net.currency
    entries = [
        Entry(receivable(charge.payer, currency), charge.gross),
        Entry(Account("revenue", currency), -charge.net),
        Entry(Account("vat", currency), -charge.vat),
    ]
    return [entry for entry in entries if entry.amount.amount_minor]


def reversal_of(charge: Charge, net: Money, vat: Money) -> list[Entry]:
    """So much of a charge is owed no more, earned no more, and due to the tax office no more."""
    currency = charge.net.currency
    entries = [
        Entry(receivable(charge.payer, currency), -(net + vat)),
        Entry(Account("revenue", currency), net),
        Entry(Account("vat", currency), vat),
    ]
    return [entry for entry in entries if entry.amount.amount_minor]


@dataclass(frozen=True)
class Posting:
    """An entry on the payer's account, as its statement shows it."""

    booked_at: datetime
    journal_id: str
    charge_id: str
    reference: str
    labels: Mapping[str, str]
    amount: Money
    credit_id: str = ""


@dataclass(frozen=True)
class StatementLine:
    posting: Posting
    balance: Money


@dataclass(frozen=True)
class Statement:
    organisation_id: str
    period_start: datetime
    period_end: datetime
    opening: Money
    closing: Money
    lines: Sequence[StatementLine]


def brought_forward(amount: Money, period_start: datetime) -> Posting:
    """Stands for the postings of the period too many to list, so that the lines still add up."""
    return Posting(period_start, "", "", "", BROUGHT_FORWARD, amount)


def statement(
    organisation_id: str, period: tuple[datetime, datetime], opening: Money, closing: Money, latest: Sequence[Posting]
) -> Statement:
    """`latest` are the period's last postings in order; what came before them is brought forward in one line."""
    earlier = closing - opening - total((posting.amount for posting in latest), opening.currency)
    postings = [*([brought_forward(earlier, period[0])] if earlier.amount_minor else []), *latest]
    lines: list[StatementLine] = []
    balance = opening
    for posting in postings:
        balance = balance + posting.amount
        lines.append(StatementLine(posting, balance))
    return Statement(organisation_id, period[0], period[1], opening, closing, lines)


@dataclass(frozen=True)
class LedgerCheck:
    journals: int
    entries: int
    sum_minor: int
    unbalanced_journals: int
    charges_without_journal: int
