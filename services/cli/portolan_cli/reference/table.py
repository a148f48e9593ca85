"""The routing table read line by line, as a clerk would: which rules a document meets, and what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portolan_cli.reference import weights
from portolan_cli.reference.book import Book, Entry, holds
from portolan_cli.reference.weights import NOTHING, Known

Facts = Mapping[str, Any]
COLOURS = ("green", "orange", "red")


@dataclass(frozen=True)
class Reading:
    """`refusing` are the rules that keep the document out."""

    rules: tuple[Entry, ...]
    refusing: tuple[str, ...]
    score: int
    channel: str

    @property
    def asks_four_eyes(self) -> bool:
        return any(rule.get("four_eyes") for rule in self.rules)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(rule["id"] for rule in self.rules)


def read(book: Book, facts: Facts, known: Known = NOTHING) -> Reading:
    facts = {**facts, **known.facts, "alerts": _alerts(book, facts)}
    rules = tuple(_matching(book, facts))
    score = _score(book, facts, rules, known)
    return Reading(
        rules=rules,
        refusing=tuple(rule["id"] for rule in rules if _keeps_out(rule, facts)),
        score=score,
        channel=_channel(book, rules, score),
    )


def _matching(book: Book, facts: Facts) -> list[Entry]:
    found: list[Entry] = []
    for rule in book.rules:
        if not (_concerns(rule, facts) and holds(rule.get("when"), facts)):
            continue
        if "share" in rule and not _drawn(book, rule, facts):
            continue
        spoken = rule.get("agency") and any(_same_voice(rule, other) for other in found)
        if not spoken:
            found.append(rule)
    return found


def _same_voice(rule: Entry, other: Entry) -> bool:
    return (rule["agency"], rule.get("document")) == (other.get("agency"), other.get("document"))


def _concerns(rule: Entry, facts: Facts) -> bool:
    if rule.get("direction", "any") not in ("any", facts["direction"]):
        return False
    if rule.get("types") is not None and facts["type"] not in rule["types"]:
        return False
    regime = str(facts.get("regime") or "")
    if rule.get("regimes") is not None and not any(regime.startswith(start) for start in rule["regimes"]):
        return False
    patterns = rule.get("hs")
    return patterns is None or any(within(str(one), code) for one in patterns for code in facts.get("hs_codes") or ())


def within(pattern: str, code: str) -> bool:
    """`61-64` holds every code whose first two digits lie between the two."""
    first, _, last = pattern.replace(".", "").partition("-")
    return first <= code[: len(first)] <= (last or first)


def _drawn(book: Book, rule: Entry, facts: Facts) -> bool:
    return _lot(book, str(rule["id"]), Decimal(str(rule["share"])), facts)


def _lot(book: Book, name: str, share: Decimal, facts: Facts) -> bool:
    if not facts.get("document_id"):
        return False
    ticket = f"{book.routing['version']}/{name}/{facts['document_id']}"
    number = int.from_bytes(hashlib.blake2b(ticket.encode(), digest_size=8).digest(), "big")
    return number < share * 2**64


def visits(book: Book, reading: Reading, facts: Facts) -> frozenset[str]:
    """The rules whose agencies must look at the goods: all on red, else by condition or by lot."""
    divisor = Decimal(1)
    for rule in reading.rules:
        divisor *= Decimal(str(rule.get("visit_divisor", 1)))
    asking = (rule for rule in reading.rules if rule.get("agency"))
    return frozenset(str(rule["id"]) for rule in asking if _visits(book, rule, reading.channel, divisor, facts))


def _visits(book: Book, rule: Entry, channel: str, divisor: Decimal, facts: Facts) -> bool:
    if channel == "red" or (rule.get("visit_when") and holds(rule["visit_when"], facts)):
        return True
    shares = [one["share"] for one in rule.get("visit_share_when", ()) if holds(one["when"], facts)]
    share = (shares or [rule.get("visit_share")])[0]
    return share is not None and _lot(book, f"{rule['id']}/visit", Decimal(str(share)) / divisor, facts)


def _keeps_out(rule: Entry, facts: Facts) -> bool:
    if rule.get("not_required"):
        return True
    wanted, given = rule.get("requires_type"), facts["type"]
    return wanted is not None and wanted != given and wanted.split(".")[0] == given.split(".")[0]


def _score(book: Book, facts: Facts, rules: tuple[Entry, ...], known: Known) -> int:
    risk = book.risk
    chapters = {code[:2] for code in facts.get("hs_codes") or ()}
    by_chapter, usual = risk.get("chapter_weights", {}), risk.get("default_chapter_weight", 0)
    score = max((by_chapter.get(chapter, usual) for chapter in chapters), default=0)
    if facts.get("origin"):
        score += risk.get("origin_weights", {}).get(facts["origin"], risk.get("default_origin_weight", 0))
    score += sum(rule.get("risk", 0) for rule in rules) + weights.beside(risk, facts, known)
    return int(min(100, max(0, score)))


def _alerts(book: Book, facts: Facts) -> list[str]:
    """The ids of those whose days, origin and goods the document meets."""
    day, codes = facts.get("day", ""), facts.get("hs_codes") or ()
    return [
        str(one["id"])
        for one in book.alerts
        if str(one["from"]) <= day <= str(one.get("to") or "9999")
        and (not one.get("origins") or facts.get("origin") in one["origins"])
        and (one.get("hs") is None or any(within(str(pattern), code) for pattern in one["hs"] for code in codes))
    ]


def _channel(book: Book, rules: tuple[Entry, ...], score: int) -> str:
    thresholds = book.risk["thresholds"]
    colour = "red" if score >= thresholds["red"] else "orange" if score >= thresholds["orange"] else "green"
    imposed = [str(rule["channel"]) for rule in rules if rule.get("channel")]
    return max([colour, *imposed], key=COLOURS.index)
