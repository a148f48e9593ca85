"""The file to begin with: every field of a type as a column, and its example as the first row."""

from __future__ import annotations

import csv
import io
from typing import Any

from gateway.bulk.form import Form, Schema

# So that spreadsheet programs read the file as UTF-8.
BYTE_ORDER_MARK = "\ufeff"


def template(schema: Schema) -> bytes:
    example: Any = next(iter(schema.get("examples") or ()), {})
    columns = list(Form(schema).columns(example))
    written = io.StringIO()
    csv.writer(written).writerows([[name for name, _ in columns], [_cell(value) for _, value in columns]])
    return (BYTE_ORDER_MARK + written.getvalue()).encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
