"""What must be true of every document by the plain model, from what the history says was asked and answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from portolan_cli.generation import Generated
from portolan_cli.reference import course, effects
from portolan_cli.reference.book import Book
from portolan_cli.reference.judge import Filed, judge
from portolan_cli.reference.life import Life, begin
from portolan_cli.reference.weights import NOTHING, Known

from tests.misfortunes.history import digest

Move = tuple[str, str, str]


class Reached(Exception):
    """The life is told as far as its people took it."""


@dataclass
class Stretch(Life):
    """A life up to the act that nobody made: everything the system does by itself before it is in it."""

    acts_max: int = 0

    def act(self, kind: str, **told: object) -> None:
        if len(self.acts) >= self.acts_max:
            raise Reached
        super().act(kind, **told)


@dataclass(frozen=True)
class Expected:
    """Of one document that was taken. `told` is by organisation and rule, `charged` by tariff and amount, `settled`
    is what was imputed and what was paid of it."""

    state: str
    version: int
    body: str
    moves: tuple[Move, ...]
    tasks: Counter[tuple[str, str]]
    charged: Counter[tuple[str, int]]
    credited: Counter[tuple[str, str, int]]
    told: Counter[tuple[str, str]]
    ledger: Mapping[int, tuple[str, str, str]] = field(default_factory=dict)
    settled: tuple[int, int] | None = None


@dataclass(frozen=True)
class Cast:
    """Ids of those who take part: companies by key, agencies by code."""

    companies: Mapping[str, str]
    agencies: Mapping[str, str]


def filed(document: Generated, cast: Cast, day: str, document_id: str = "", known: Known = NOTHING) -> Filed:
    return Filed(
        type=document.type,
        body=document.body,
        owner_id=cast.companies[document.owner.key],
        owner_attributes=document.owner.attributes,
        owner_billing_mode=document.owner.billing_mode,
        submitter_id=cast.companies[document.submitter.key],
        day=day,
        document_id=document_id,
        known=known,
    )


def is_taken(book: Book, of: Filed) -> bool:
    return not judge(book, of).violations


def whole(book: Book, of: Filed, document: Generated) -> Life:
    return course.run(begin(book, of, document.script))


def stretch(book: Book, of: Filed, document: Generated, acts: int) -> Life:
    """As far as `acts` of them take it."""
    life = begin(book, of, document.script)
    lived = Stretch(**{one.name: getattr(life, one.name) for one in fields(life)}, acts_max=acts)
    try:
        return course.run(lived)
    except Reached:
        return lived


def expected(book: Book, of: Filed, document: Generated, acts: int, cast: Cast) -> Expected:
    life = stretch(book, of, document, acts)
    charged = effects.charges(book, life)
    credited = effects.credits(book, life, charged)
    return Expected(
        state=life.state,
        version=life.version,
        body=digest(dict(life.body)),
        moves=tuple(life.moves),
        tasks=Counter(life.tasks),
        charged=Counter(charged),
        credited=Counter(credited),
        told=effects.notices(book, life, charged, cast.agencies, credited),
        ledger={
            line.number: (f"{line.authorised:f}", f"{line.consumed:f}", f"{line.released:f}")
            for line in life.ledger.lines
        },
        settled=(life.ledger.imputed_minor, life.ledger.paid_minor) if life.kind.get("settlement") else None,
    )
