"""A pack version made ready to judge documents: shapes and formulas compiled, the decision table at hand."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel.numbers import get_currency_precision
from kit import wire
from kit.errors import Invalid, NotFound, Unavailable, Violation
from packs import Pack, tables
from packs.decisions import DecisionTable
from packs.model import CodeList, DocumentType, Rule

from intake.domain.documents import Document
from intake.domain.formulas import Formulas
from intake.domain.parties import Filing
from intake.domain.provenance import Claim
from intake.domain.relations import SearchKey, search_keys
from intake.domain.shape import Mark, Marked, Shape
from intake.domain.titles import TitleLine, title_lines
from intake.domain.wording import violation

BODY = "/body"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`attachments`, `references`: where the document refers to files and to documents, and to which.

    Whether it may is for those who know them. `claim`: what of it others have said before.
    """

    violations: Sequence[Violation]
    facts: Mapping[str, Any]
    lines: Sequence[TitleLine] = ()
    attachments: Sequence[tuple[str, str]] = ()
    references: Sequence[Marked] = ()
    keys: Sequence[SearchKey] = ()
    claim: Claim | None = None

    @property
    def facts_json(self) -> bytes:
        return msgspec.json.encode(self.facts) if self.facts else b""

    @property
    def is_valid(self) -> bool:
        return not self.violations


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission on its way to be judged. `document_id` is empty in a simulation, which draws no lots."""

    document_id: str
    body: Mapping[str, Any]
    filing: Filing
    submitted_at: datetime
    language: str


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Rules that were published for a pack version, in force from a moment on."""

    id: str
    pack_version: str
    sequence: int
    in_force_from: datetime
    rules: tuple[Rule, ...]


class Rulebook:
    """`table` is the published one it judges by; empty for the pack's own."""

    table = ""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.timezone = ZoneInfo(pack.reference.year_timezone or pack.timezone)
        self.types = {key: TypeRules(pack, kind) for key, kind in pack.document_types.items()}

    @property
    def born_under(self) -> str:
        return tables.born_under(self.pack.version, self.table)

    def under(self, published: PublishedTable) -> Rulebook:
        """The same pack by other rules; shapes and formulas are shared."""
        other = copy.copy(self)
        other.table = published.id
        decided = DecisionTable.of(tables.under(self.pack, published.id, published.rules))
        other.types = {key: rules.by(decided) for key, rules in self.types.items()}
        return other

    def rules(self, document_type: str, language: str) -> TypeRules:
        """Raises Invalid for a type this pack does not have."""
        found = self.types.get(document_type)
        if found is None:
            raise Invalid("INVALID_DOCUMENT", violations=[violation("/type", "UNKNOWN_TYPE", language)])
        return found

    def filed_by_traders(self, document_type: str, language: str) -> TypeRules:
        """Raises Invalid for what customs alone files, too."""
        found = self.rules(document_type, language)
        if found.kind.declaration:
            raise Invalid("INVALID_DOCUMENT", violations=[violation("/type", "FILED_BY_CUSTOMS", language)])
        return found

    def kind(self, document_type: str) -> DocumentType:
        """Raises NotFound."""
        found = self.types.get(document_type)
        if found is None:
            raise NotFound("NOT_FOUND", "no such document type")
        return found.kind

    @property
    def declaration(self) -> TypeRules:
        """The type that mirrors declarations. Raises NotFound where the pack has none."""
        found = next((rules for rules in self.types.values() if rules.kind.declaration), None)
        if found is None:
            raise NotFound("NOT_FOUND", "this country's declarations are not followed here")
        return found

    def code_list(self, name: str) -> CodeList:
        found = self.pack.lists.get(name)
        if found is None:
            raise NotFound("NOT_FOUND", "no such list")
        return found

    def members(self, name: str) -> frozenset[str]:
        codes = self.pack.lists.get(name)
        return codes.members if codes else frozenset()

    def year(self, moment: datetime) -> int:
        return moment.astimezone(self.timezone).year


class TypeRules:
    """How documents of one type are judged."""

    def __init__(self, pack: Pack, kind: DocumentType) -> None:
        self.kind = kind
        self._pack = pack
        self._shape = Shape(kind.schema)
        self._formulas = Formulas(pack, kind)
        self._table = DecisionTable.of(pack)
        self._carries = pack.dictionary.carried_into(kind.key)
        self._zone = ZoneInfo(pack.timezone)
        self._day = DayRates(pack)

    def by(self, table: DecisionTable) -> TypeRules:
        other = copy.copy(self)
        other._table = table
        return other

    def judge(self, candidate: Candidate, root: str = BODY) -> Judgement:
        """`root`: where in the request the body stands."""
        language = candidate.language
        faults = self._shape.violations(candidate.body, self._members, language, root)
        if faults:
            return Judgement(faults, {})
        lines, faults = title_lines(self.kind, candidate.body, language)
        derived, held = self._formulas.evaluate(candidate.body, self._rates(candidate.submitted_at).per_unit)
        faults += [
            Violation(root + check.pointer, check.id, self._pack.label(check.messages, language))
            for check in self.kind.checks
            if check.id not in held
        ]
        facts = {**derived, **self._own_facts(candidate, derived)}
        faults += self._refusals(facts, language)
        files, references, keys = (self._shape.marked(candidate.body, mark, root) for mark in Mark)
        files_named = [(file.pointer, file.text) for file in files]
        claim = Claim(self._carries, candidate.body, root) if self._carries else None
        return Judgement(faults, facts, lines, files_named, references, search_keys(keys), claim)

    def derived(self, body: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
        """The facts of a body that was judged before, its value in the pack's currency among them."""
        facts, _ = self._formulas.evaluate(body, self._rates(moment).per_unit)
        return {**facts, "national_value_minor": self._national_value(facts, moment)}

    def _refusals(self, facts: Mapping[str, Any], language: str) -> list[Violation]:
        """Admission rules of the table: another type must carry these goods, or none is needed."""
        rules = self._table.admission(facts)
        return [Violation("/type", rule.id, self._pack.label(rule.labels, language)) for rule in rules]

    def _members(self, name: str) -> frozenset[str]:
        codes = self._pack.lists.get(name)
        return codes.members if codes else frozenset()

    def _own_facts(self, candidate: Candidate, derived: Mapping[str, Any]) -> dict[str, Any]:
        owner = candidate.filing.owner
        return {
            "type": self.kind.key,
            "direction": self.kind.direction,
            "document_id": candidate.document_id,
            "submitted_at": wire.rfc3339(candidate.submitted_at),
            "owner_organisation_id": owner.organisation_id,
            "submitter_organisation_id": candidate.filing.submitter_organisation_id,
            "owner_attributes": list(owner.attributes),
            "owner_billing_mode": owner.billing_mode,
            "national_value_minor": self._national_value(derived, candidate.submitted_at),
        }

    def _national_value(self, derived: Mapping[str, Any], moment: datetime) -> int | None:
        """The amount in the pack's currency at the pack's rate; None without amount or rate."""
        amount, currency = derived.get("amount_minor"), derived.get("currency")
        if not isinstance(amount, int) or not isinstance(currency, str):
            return None
        factor = self._rates(moment).national_factor(currency)
        return None if factor is None else int((amount * factor).quantize(Decimal(1), ROUND_HALF_UP))

    def _rates(self, moment: datetime) -> DayRates:
        """Of the day it is where the country is."""
        return self._day.on(moment.astimezone(self._zone).date())


class DayRates:
    """Exchange rates, looked up once a day: they do not change within it."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._day = date.min
        self._factors: dict[str, Decimal | None] = {}
        self.per_unit: dict[str, float] = {}

    def on(self, day: date) -> DayRates:
        if day != self._day:
            self._day, self._factors = day, {}
            known = {rate.currency: self._pack.rate_on(rate.currency, day) for rate in self._pack.rates}
            self.per_unit = {currency: float(rate) for currency, rate in known.items() if rate is not None}
        return self

    def national_factor(self, currency: str) -> Decimal | None:
        """National minor units for one minor unit of this currency."""
        if currency not in self._factors:
            rate = self._pack.rate_on(currency, self._day)
            exponent = get_currency_precision(self._pack.currency) - get_currency_precision(currency)
            self._factors[currency] = None if rate is None else rate.scaleb(exponent)
        return self._factors[currency]


class Rulebooks:
    """Every loaded pack version; new documents are born under the one in force."""

    def __init__(self, packs: Iterable[Pack] = ()) -> None:
        self._books: dict[str, Rulebook] = {}
        self._newest_first: Sequence[Rulebook] = ()
        self._tables: dict[str, PublishedTable] = {}
        self.add(packs)

    @property
    def versions(self) -> frozenset[str]:
        return frozenset(self._books)

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(self._tables)

    def add(self, packs: Iterable[Pack]) -> None:
        self._books |= {pack.version: Rulebook(pack) for pack in packs}
        own = (book for book in self._books.values() if not book.table)
        self._newest_first = sorted(own, key=lambda book: (book.pack.effective_from, book.pack.version), reverse=True)

    def publish(self, published: Iterable[PublishedTable]) -> None:
        """Those of packs that are not loaded here are left for another time."""
        for table in published:
            book = self._books.get(table.pack_version)
            if book is not None:
                other = book.under(table)
                self._books[other.born_under] = other
                self._tables[table.id] = table

    def in_force(self, moment: datetime) -> Rulebook:
        """Raises Unavailable while no pack is loaded for this day: nothing is refused for want of rules."""
        for book in self._newest_first:
            if book.pack.effective_from <= moment.astimezone(book.timezone).date():
                return self._under_its_table(book, moment)
        raise Unavailable("PACK_NOT_LOADED", "no country pack is in force here yet")

    def _under_its_table(self, book: Rulebook, moment: datetime) -> Rulebook:
        """By the table published last of those in force; a new pack begins with its own."""
        begun = [
            table
            for table in self._tables.values()
            if table.pack_version == book.pack.version and table.in_force_from <= moment
        ]
        if not begun:
            return book
        newest = max(begun, key=lambda table: table.sequence)
        return self._books[tables.born_under(newest.pack_version, newest.id)]

    def of(self, document: Document) -> Rulebook:
        """The one a document was born under. Raises Unavailable while another process knows it and this one not."""
        book = self._books.get(document.born_under)
        if book is None:
            raise Unavailable("OVERLOADED", f"pack {document.born_under} is not loaded yet")
        return book

    def kind(self, document: Document) -> DocumentType:
        return self.of(document).kind(document.type)

    def state_label(self, document: Document, language: str) -> str:
        book = self.of(document)
        state = book.kind(document.type).state(document.state)
        return book.pack.label(state.labels, language) if state else document.state
