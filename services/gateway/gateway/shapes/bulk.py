"""A file of many documents, and what became of each."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.shapes.common import Code, Moment
from gateway.shapes.documents import JsonObject


class BulkFilter(msgspec.Struct, forbid_unknown_fields=True):
    type: Annotated[Code, msgspec.Meta(min_length=1)]
    on_behalf_of: Code = ""


class Filed(msgspec.Struct):
    """`receipt` is the signed receipt, as the document itself shows it."""

    id: str
    reference: str
    state: str
    submitted_at: Moment
    receipt: JsonObject


class BulkRow(msgspec.Struct, omit_defaults=True):
    """Either `document`, or `problem` as problem+json has it. `row`: of several, the first; 1 is below the header."""

    row: int
    status: int
    idempotency_key: str | None = None
    document: Filed | None = None
    replayed: bool = False
    problem: JsonObject | None = None


class BulkAnswer(msgspec.Struct):
    """One row for each document of the file, in its order."""

    type: str
    accepted: int
    refused: int
    rows: list[BulkRow]
