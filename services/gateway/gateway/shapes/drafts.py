"""Documents that are being written."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.shapes.common import Code, Moment, Paged, ProblemViolation
from gateway.shapes.documents import JsonObject, Price

Label = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00]*$")]


class CopiedFrom(msgspec.Struct):
    """A document, or a draft."""

    document_id: str | None
    reference: str | None
    draft_id: str | None


class SubmittedAs(msgspec.Struct):
    id: str
    reference: str


class PriceLock(msgspec.Struct):
    """The prices of this version hold until then, whatever comes into force meanwhile."""

    price_version: str
    until: Moment


class DraftSummary(msgspec.Struct, kw_only=True):
    """`document` is what became of it; a template is copied and never submitted."""

    id: str
    type: str
    label: str
    template: bool
    owner_organisation_id: str
    writer_organisation_id: str
    written_by: str
    copied_from: CopiedFrom | None
    document: SubmittedAs | None
    price_lock: PriceLock | None
    created_at: Moment
    updated_at: Moment


class Draft(DraftSummary, kw_only=True):
    """`missing` (pointers) and `errors` are what its submission would be refused for now; `price` what it costs."""

    body: JsonObject
    missing: list[str]
    errors: list[ProblemViolation]
    price: Price | None


class DeletedDraft(msgspec.Struct):
    id: str


class DraftFilter(Paged, kw_only=True):
    """`template`: only those."""

    type: Code = ""
    template: bool = False


class Copying(msgspec.Struct, forbid_unknown_fields=True):
    """`on_behalf_of` is the owner of what is copied, unless said otherwise."""

    on_behalf_of: Code = ""
    label: Label = ""
    template: bool = False
