"""Charges and accounts."""

from __future__ import annotations

import msgspec
from portolan.billing.v1 import billing_pb2

from gateway.shapes.common import Code, Moment, Money, Paged, certain_moment, label, moment, money


class QuotedCharge(msgspec.Struct, kw_only=True):
    """`amount` is what would be owed, VAT included."""

    tariff: str
    label: str
    amount: Money
    net: Money
    vat: Money
    vat_rate: str
    price_version: str


class Credit(msgspec.Struct, kw_only=True):
    """A part of a charge that a refund policy gave back; `amount` with VAT."""

    id: str
    policy: str
    label: str
    amount: Money
    net: Money
    vat: Money
    occurred_at: Moment
    recorded_at: Moment


class Charge(msgspec.Struct, kw_only=True):
    """`amount` is what was charged, VAT included; `credits` is what was given back of it."""

    id: str
    tariff: str
    label: str
    document_id: str
    reference: str
    milestone: str
    payer_organisation_id: str
    amount: Money
    net: Money
    vat: Money
    vat_rate: str
    price_version: str
    occurred_at: Moment
    recorded_at: Moment
    credits: list[Credit]


class ChargeFilter(Paged, kw_only=True):
    document_id: Code = ""


class StatementFilter(msgspec.Struct, forbid_unknown_fields=True):
    """Another organisation's account: finance only."""

    organisation_id: Code = ""


class StatementLine(msgspec.Struct):
    booked_at: Moment
    journal_id: str
    charge_id: str | None
    credit_id: str | None
    reference: str | None
    label: str
    amount: Money
    balance: Money


class Statement(msgspec.Struct):
    organisation_id: str
    period_start: Moment | None
    period_end: Moment | None
    opening_balance: Money
    closing_balance: Money
    lines: list[StatementLine]


class LedgerCheck(msgspec.Struct):
    """`sum_minor`, `unbalanced_journals` and `charges_without_journal` are zero, or the ledger is wrong."""

    journals: int
    entries: int
    sum_minor: int
    unbalanced_journals: int
    charges_without_journal: int


def quoted(given: billing_pb2.Charge, language: str) -> QuotedCharge:
    return QuotedCharge(
        tariff=given.tariff,
        label=label(given.labels, language),
        amount=money(given.amount),
        net=money(given.net),
        vat=money(given.vat),
        vat_rate=given.vat_rate,
        price_version=given.price_version,
    )


def charge(given: billing_pb2.Charge, language: str) -> Charge:
    return Charge(
        id=given.id,
        tariff=given.tariff,
        label=label(given.labels, language),
        document_id=given.document_id,
        reference=given.reference,
        milestone=given.milestone,
        payer_organisation_id=given.payer_organisation_id,
        amount=money(given.amount),
        net=money(given.net),
        vat=money(given.vat),
        vat_rate=given.vat_rate,
        price_version=given.price_version,
        occurred_at=certain_moment(given.occurred_at),
        recorded_at=certain_moment(given.recorded_at),
        credits=[_credit(one, language) for one in given.credits],
    )


def _credit(given: billing_pb2.Credit, language: str) -> Credit:
    return Credit(
        id=given.id,
        policy=given.policy,
        label=label(given.labels, language),
        amount=money(given.amount),
        net=money(given.net),
        vat=money(given.vat),
        occurred_at=certain_moment(given.occurred_at),
        recorded_at=certain_moment(given.recorded_at),
    )


def statement(given: billing_pb2.GetStatementResponse, language: str) -> Statement:
    return Statement(
        organisation_id=given.organisation_id,
        period_start=moment(given.period_start),
        period_end=moment(given.period_end),
        opening_balance=money(given.opening_balance),
        closing_balance=money(given.closing_balance),
        lines=[_line(line, language) for line in given.lines],
    )


def _line(given: billing_pb2.StatementLine, language: str) -> StatementLine:
    return StatementLine(
        booked_at=certain_moment(given.booked_at),
        journal_id=given.journal_id,
        charge_id=given.charge_id or None,
        credit_id=given.credit_id or None,
        reference=given.reference or None,
        label=label(given.labels, language),
        amount=money(given.amount),
        balance=money(given.balance),
    )
