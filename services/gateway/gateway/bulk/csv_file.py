"""CSV: a header of field names, then rows. UTF-8, with or without byte order mark; commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kit.errors import Invalid, Malformed, PortolanError, TooLarge, Violation

from gateway.bulk.form import Column, Form
from gateway.bulk.rows import ROWS_MAX, Gathering, Row, contradiction

COLUMNS_MAX = 500
HEADER_BYTES_MAX = 64 * 1024
KEY_COLUMN, GROUP_COLUMN = "idempotency_key", "row_key"
DELIMITERS = b",;\t"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Header:
    names: Sequence[str]
    columns: Mapping[int, Column]
    key: int | None
    group: int | None

    def cell(self, cells: Sequence[str], place: int | None) -> str:
        return cells[place].strip() if place is not None and place < len(cells) else ""


@dataclass(slots=True)
class _Open:
    """The document whose rows are being read."""

    number: int
    group: str
    key: str
    rows: int = 0
    gathering: Gathering = field(default_factory=Gathering)
    wrong: PortolanError | None = None

    def take(self, header: Header, cells: Sequence[str], number: int) -> None:
        self.wrong = self.wrong or self._fault(header, cells, number)
        self.rows += 1

    def _fault(self, header: Header, cells: Sequence[str], number: int) -> PortolanError | None:
        if len(cells) != len(header.names):
            return Malformed("MALFORMED", f"row {number} has {len(cells)} cells, the header {len(header.names)}")
        key = header.cell(cells, header.key)
        if key and key != self.key:
            return contradiction(number, KEY_COLUMN)
        for place, column in header.columns.items():
            if cells[place].strip() and not self.gathering.put(column, cells[place], self.rows):
                return contradiction(number, header.names[place])
        return None

    def row(self) -> Row:
        return Row(self.number, self.key, self.gathering.body(), self.wrong)


def documents(raw: bytes, form: Form) -> Iterator[Row]:
    """One at a time. Raises Malformed, Invalid, TooLarge for what is wrong with the file as a whole."""
    records = _records(raw)
    names = next(records, (0, []))[1]
    header = _header(names, form)
    seen: set[str] = set()
    current: _Open | None = None
    for number, cells in records:
        group = header.cell(cells, header.group)
        if current is None or not group or group != current.group:
            if current is not None:
                yield current.row()
            current = _Open(number, group, header.cell(cells, header.key))
            current.wrong = _scattered(number) if group in seen else None
            seen |= {group} if group else set()
        current.take(header, cells, number)
    if current is None:
        raise Malformed("MALFORMED", "the file has no row")
    yield current.row()


def _scattered(number: int) -> Invalid:
    told = Violation(f"/rows/{number}/{GROUP_COLUMN}", "SCATTERED", "the rows of one document stand together")
    return Invalid("INVALID_DOCUMENT", violations=[told])


def _records(raw: bytes) -> Iterator[Record]:
    """The header as row 0, then what is not blank. Raises Malformed, TooLarge."""
    text = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=_delimiter(raw), strict=True)
    number = 0
    try:
        for cells in reader:
            if any(cells):
                yield number, cells
            number += 1
            if number > ROWS_MAX + 1:
                raise TooLarge("TOO_LARGE", f"at most {ROWS_MAX} rows", facts={"rows_max": str(ROWS_MAX)})
    except UnicodeDecodeError as error:
        raise Malformed("MALFORMED", f"not UTF-8 near row {number}") from error
    except csv.Error as error:
        raise Malformed("MALFORMED", f"row {number}: {error}") from error


def _delimiter(raw: bytes) -> str:
    """What the header uses most: no field name holds any of them."""
    first = raw[:HEADER_BYTES_MAX].removeprefix(BYTE_ORDER_MARK).splitlines()[:1]
    counts = {first[0].count(delimiter) if first else 0: chr(delimiter) for delimiter in reversed(DELIMITERS)}
    return counts[max(counts)]


def _header(given: Sequence[str], form: Form) -> Header:
    """Raises Malformed, Invalid naming every column that the type does not have."""
    names = [name.strip() for name in given]
    if not any(names):
        raise Malformed("MALFORMED", "the file has no header")
    if len(names) > COLUMNS_MAX:
        raise TooLarge("TOO_LARGE", f"at most {COLUMNS_MAX} columns", facts={"columns_max": str(COLUMNS_MAX)})
    found = {place: form.column(name) for place, name in enumerate(names) if name not in (KEY_COLUMN, GROUP_COLUMN)}
    unknown = (names[place] for place, column in found.items() if column is None)
    repeated = (name for place, name in enumerate(names) if name in names[:place])
    wrong = [
        *(_wrong(name, "UNKNOWN_COLUMN", "the type has no such field") for name in unknown),
        *(_wrong(name, "REPEATED_COLUMN", "the header has it twice") for name in repeated),
    ]
    if wrong:
        raise Invalid("INVALID_REQUEST", "the header names what cannot be read", violations=wrong)
    columns = {place: column for place, column in found.items() if column is not None}
    return Header(names, columns, _place(names, KEY_COLUMN), _place(names, GROUP_COLUMN))


def _wrong(name: str, code: str, message: str) -> Violation:
    return Violation(f"/columns/{name[:80]}", code, message)


def _place(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None
