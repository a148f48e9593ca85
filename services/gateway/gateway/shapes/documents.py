"""What intake writes, described."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.shapes.billing import QuotedCharge
from gateway.shapes.common import Code, Moment, Money, Paged, ProblemViolation, Quantity, Search

JsonObject = dict[str, Any]


class Receipt(msgspec.Struct):
    """`signature` is over the RFC 8785 form of `receipt`."""

    receipt: JsonObject
    signature: JsonObject


class Document(msgspec.Struct, kw_only=True):
    id: str
    reference: str
    type: str
    state: str
    state_label: str
    version: int
    owner_organisation_id: str
    submitter_organisation_id: str
    mandate_id: str | None
    pack_version: str
    submitted_at: Moment
    updated_at: Moment
    valid_until: Moment | None
    body: JsonObject
    receipt: JsonObject


class Change(msgspec.Struct):
    """One place of the body that differs; null where nothing was, or is."""

    pointer: str
    before: Any
    after: Any


class AmendmentState(msgspec.Struct):
    """`steps`: who must validate it; none when it is in effect already."""

    version: int
    state: Literal["PROPOSED", "ACCEPTED"]
    steps: list[str]


class AmendedDocument(Document, kw_only=True):
    """The document as it stands; `diff_left_off` counts what the diff does not show."""

    amendment: AmendmentState
    diff: list[Change]
    diff_left_off: int


class ReceiptFilter(msgspec.Struct, forbid_unknown_fields=True):
    """0 is the current version."""

    version: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class DocumentFilter(Paged, kw_only=True):
    type: Code = ""
    state: Code = ""
    q: Search = ""


class Withdrawal(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Cancellation(msgspec.Struct, forbid_unknown_fields=True):
    """Why, for everybody who followed the document."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Holder(msgspec.Struct):
    """An agency; or, while it waits for information, the operator's organisation and the agency that awaits it."""

    agency: str | None
    organisation_id: str | None
    awaited_by: str | None
    step: str
    since: Moment
    due_at: Moment | None


class Waiting(msgspec.Struct):
    """A step to be decided. `median_seconds_90d`: how long such steps took; null where too few were decided."""

    agency: str
    step: str
    since: Moment
    due_at: Moment | None
    median_seconds_90d: int | None
    decided_90d: int


class TimelineItem(msgspec.Struct, rename={"from_": "from"}, kw_only=True):
    seq: int
    at: Moment
    kind: str
    from_: str | None
    to: str | None
    event: str | None
    actor: str | None
    agency: str | None
    step: str | None
    due_at: Moment | None
    reason_code: str | None
    detail: Any


class Timeline(msgspec.Struct):
    """`due_at`: when the whole document is due; null when nothing is, and while the operator is waited for."""

    document_id: str
    reference: str
    state: str
    due_at: Moment | None
    holder: Holder | None
    waiting: list[Waiting]
    items: list[TimelineItem]


class LedgerLine(msgspec.Struct, kw_only=True):
    line: int
    hs_code: str
    authorised: Quantity | None
    reserved: Quantity | None
    consumed: Quantity | None
    released: Quantity | None
    remaining: Quantity | None


class Ledger(msgspec.Struct, kw_only=True):
    """The title's own figures are null when its lines count in different units."""

    document_id: str
    unit: str | None
    authorised: Quantity | None
    reserved: Quantity | None
    consumed: Quantity | None
    released: Quantity | None
    remaining: Quantity | None
    lines: list[LedgerLine]
    entries: list[JsonObject]


class Imputation(msgspec.Struct, kw_only=True):
    id: str
    document_id: str
    state: Literal["CONSUMED", "RESERVED", "CANCELLED"]
    declaration_number: str
    declaration_line: str
    title_line: int
    office: str
    registered_on: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"})]
    quantity: Quantity
    value: JsonObject
    imputed_at: Moment
    remaining: Quantity


class Payment(msgspec.Struct, kw_only=True):
    """`agency` recorded it; `remaining` is what could still be paid then."""

    id: str
    document_id: str
    state: Literal["RECORDED", "CANCELLED"]
    payment_number: str
    kind: Literal["ADVANCE", "SETTLEMENT"]
    paid_on: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"})]
    amount: Money
    agency: str
    recorded_at: Moment
    remaining: Money


class PaymentEntry(msgspec.Struct, kw_only=True):
    at: Moment
    kind: Literal["ADVANCE", "SETTLEMENT", "CANCELLED"]
    amount: Money
    payment_id: str
    actor: str | None


class Settlement(msgspec.Struct, kw_only=True):
    """`out`: the title pays abroad; `in`: it is paid from abroad. `imputed` is what customs took, in its currency."""

    document_id: str
    direction: Literal["out", "in"]
    amount: Money
    imputed: Money
    advance_admitted: Money
    paid: Money
    remaining: Money
    payments: list[Payment]
    entries: list[PaymentEntry]


class Clearing(msgspec.Struct, forbid_unknown_fields=True):
    """The bank's declaration that every payment is reconciled with what customs imputed."""

    reconciled: Literal[True]
    remarks: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Route(msgspec.Struct):
    agency: str
    document: str
    mode: str
    sla_seconds: int
    rule: str


class Requirement(msgspec.Struct, kw_only=True):
    """One thing that speaks for a document being ready; `missing` says what to do where it is not met."""

    id: str
    pointer: str
    weight: int
    met: bool
    label: str
    missing: str | None


class Readiness(msgspec.Struct, kw_only=True):
    """`score` is the share of the weight that is met, in hundredths."""

    score: int
    requirements: list[Requirement]


class Simulation(msgspec.Struct, kw_only=True):
    """What would happen to this document, by the very rules it would meet."""

    valid: bool
    errors: list[ProblemViolation]
    routes: list[Route]
    charges: list[QuotedCharge]
    due_at: Moment | None
    channel_hint: str | None
    pack_version: str | None
    # Null where the type asks nothing of the kind.
    readiness: Readiness | None


class Price(msgspec.Struct):
    """What one document of the type costs its owner now, VAT included, and what that is made of."""

    amount_minor: int
    currency: str
    charges: list[QuotedCharge]


class Field(msgspec.Struct, kw_only=True, rename={"code_list": "list"}):
    """A field of a body: `pointer` has `*` for every item; `codes` gives the standard's code for each of its own."""

    pointer: str
    labels: dict[str, str] | None
    element: str | None
    qualifier: str | None
    code_list: str | None
    standard: str | None
    codes: dict[str, str]


class DictionaryField(Field, kw_only=True, rename={"code_list": "list"}):
    document_type: str


class DictionaryElement(msgspec.Struct, kw_only=True):
    """UN/CEFACT's have the directory's name, a pack's own have labels and a definition."""

    id: str
    authority: str
    name: str | None
    labels: dict[str, str] | None
    definition: dict[str, str] | None


class DataDictionary(msgspec.Struct, kw_only=True):
    pack_version: str
    elements: list[DictionaryElement]
    fields: list[DictionaryField]


class DocumentType(msgspec.Struct, kw_only=True):
    """`schema` is the body's JSON Schema, `fields` are its leaves with the elements of the data dictionary;
    `price` is null when billing cannot be asked."""

    type: str
    labels: dict[str, str]
    schema: JsonObject
    fields: list[Field]
    states: list[JsonObject]
    transitions: list[JsonObject]
    # The role that files it, and the parts it is filed in where it is filed in parts.
    filed_by: str = "declarant"
    stages: list[JsonObject] = []
    pack_version: str | None = None
    # Mirrors declarations of the customs system, which alone files and moves them.
    declaration: bool = False
    price: Price | None


class CodeFilter(Paged, kw_only=True):
    q: Search = ""


class CodePage(msgspec.Struct, rename={"name": "list"}):
    """Each code has at least `code` and `labels`."""

    name: str
    version: str
    items: list[JsonObject]
    next_cursor: str | None
