"""Generated submissions: a body, who files it for whom, one fault at most, and the script of its life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from packs import Pack
from packs.model import DocumentType

from portolan_cli.generation.bodies import Bodies
from portolan_cli.generation.chance import Chance
from portolan_cli.generation.companies import Company
from portolan_cli.generation.mix import Mix
from portolan_cli.generation.script import Script, imputing, settling

UNKNOWN_GOODS = "000000"
UNKNOWN_CODE, CHECK_DIGIT, WRONG_TOTAL, NO_NEED = "unknown_code", "check_digit", "wrong_total", "no_need"


@dataclass(frozen=True)
class Generated:
    """`seed` and `number` make it again."""

    seed: int
    number: int
    type: str
    owner: Company
    submitter: Company
    body: dict[str, Any]
    fault: str
    script: Script

    @property
    def name(self) -> str:
        return f"{self.seed}-{self.number}"


class Generator:
    """`day` is the day the documents are written on: contracts lie before it."""

    def __init__(
        self,
        pack: Pack,
        mix: Mix,
        companies: Sequence[Company],
        seed: int,
        day: date,
        agents: Mapping[str, Sequence[Company]] | None = None,
    ) -> None:
        """`agents`: the brokers that act for a company, by its key; all of them where nothing is said."""
        self._pack, self._mix, self._seed, self._day = pack, mix, seed, day
        self._shares = mix.shares(pack)
        self._bodies = Bodies(pack, mix)
        self._companies = {kind: [one for one in companies if one.kind == kind] for kind in {c.kind for c in companies}}
        self._agents = agents or {}
        self._reasons = {code: reason.outcomes for code, reason in pack.reasons.items()}

    def documents(self, count: int) -> Iterator[Generated]:
        return (self.document(number) for number in range(1, count + 1))

    def document(self, number: int, day: date | None = None) -> Generated:
        chance = Chance(self._seed, number)
        kind = self._pack.document_types[chance.weighed(self._shares)]
        owner = chance.among(self._companies[self._mix.owners[kind.direction]])
        itself = chance.happens(self._mix.files_itself)
        fault = self._fault(kind, chance.of("fault"))
        body = self._bodies.body(kind, chance.of("body"), day or self._day, exempt=fault == NO_NEED)
        self._spoil(kind, body, fault)
        return Generated(
            seed=self._seed,
            number=number,
            type=kind.key,
            owner=owner,
            submitter=owner if itself else chance.among(self._agents.get(owner.key) or self._companies["broker"]),
            body=body,
            fault=fault,
            script=self._script(kind, chance.of("script")),
        )

    def _fault(self, kind: DocumentType, chance: Chance) -> str:
        of = self._mix.faults
        # Only some types can have these; they have them more often, so that the share of all documents is kept.
        can_check = self._share_of(self._check_digit_of) or 1
        can_total = self._share_of(lambda one: one.title) or 1
        weights = {
            UNKNOWN_CODE: of.unknown_code / can_total if kind.title else 0,
            CHECK_DIGIT: of.check_digit / can_check if self._check_digit_of(kind) else 0,
            WRONG_TOTAL: of.wrong_total / can_total if kind.title else 0,
            NO_NEED: of.no_need / can_total if kind.title and kind.direction == "import" else 0,
        }
        return chance.weighed({**weights, "": 1 - sum(weights.values())})

    def _spoil(self, kind: DocumentType, body: dict[str, Any], fault: str) -> None:
        if fault == UNKNOWN_CODE:
            body["lines"][-1]["hs_code"] = UNKNOWN_GOODS
            body["lines"][-1].pop("national_code", None)
        elif fault == WRONG_TOTAL:
            body["total"]["amount_minor"] += 1 + body["total"]["amount_minor"] // 10
        elif fault == CHECK_DIGIT and (place := self._check_digit_of(kind)):
            body[place[0]] = place[1]

    def _check_digit_of(self, kind: DocumentType) -> tuple[str, Any] | None:
        members = kind.schema.get("properties", {})
        places = ((one.pointer.removeprefix("/"), one.value) for one in self._mix.check_digits)
        return next((place for place in places if place[0] in members), None)

    def _script(self, kind: DocumentType, chance: Chance) -> Script:
        of = self._mix.acts
        asking = self._share_of(lambda one: any(step.information for step in one.steps))
        amending = self._share_of(lambda one: one.amendment)
        ends = chance.weighed({"cancel": of.cancelled, "withdraw": of.withdrawn, "": 1 - of.cancelled - of.withdrawn})
        return Script(
            chance=chance,
            mix=self._mix,
            reasons=self._reasons,
            duplicate=chance.happens(of.duplicate),
            asks=bool(asking) and chance.happens(of.information / asking),
            lapses=chance.of("lapses").happens(of.lapsed),
            declines=chance.of("declines").happens(of.visit_declined),
            ends=ends,
            ends_after=chance.whole(0, len(kind.steps)),
            expires=chance.of("expires").happens(of.expired),
            amends=_amends(chance, of.amended / amending) if amending else "",
            imputing=imputing(chance.of("imputing"), self._mix),
            settling=settling(chance.of("settling"), self._mix),
        )

    def _share_of(self, can: Any) -> float:
        return sum(share for key, share in self._shares.items() if can(self._pack.document_types[key]))


def _amends(chance: Chance, share: float) -> str:
    return chance.among(("remarks", "more", "less")) if chance.happens(share) else ""
