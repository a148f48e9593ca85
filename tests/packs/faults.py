"""One change to a pack at a time: what a fault of it is made with."""

from collections.abc import Callable
from typing import Any

from tests.packs.builders import PackFolder, move, state, words

TYPE = "document_types/permit/type.yaml"
SCHEMA = "document_types/permit/schema.json"
Change = Callable[[PackFolder], Any]


def put(container: str, *place: Any, value: Any) -> Change:
    """Sets one thing in one file of the pack."""

    def change(folder: PackFolder) -> None:
        if not place:
            folder[container] = value
            return
        inner = folder[container]
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value

    return change


def drop(container: str, *place: Any) -> Change:
    def change(folder: PackFolder) -> None:
        inner = folder[container]
        for step in place[:-1]:
            inner = inner[step]
        del inner[place[-1]]

    return change


def add(container: str, *place: Any, value: Any) -> Change:
    def change(folder: PackFolder) -> None:
        inner = folder[container]
        for step in place:
            inner = inner[step]
        inner.append(value)

    return change


def property_(name: str, value: dict[str, Any]) -> Change:
    return put(SCHEMA, "properties", name, value=value)


def golden(*place: Any, value: Any) -> Change:
    return put("golden/permit.yaml", *place, value=value)


def refunding(*changes: tuple[str, Any], times: int = 1) -> Change:
    """A refund, with one thing wrong."""

    def change(folder: PackFolder) -> None:
        refund = {
            "key": "RB",
            "labels": words("Rejected by the bank"),
            "document_types": ["permit"],
            "event": "bank_reject",
            "from_states": ["WITH_BANK"],
            "tariffs": ["PERMIT"],
            "share": "0.5",
        }
        folder["refunds.yaml"] = {"refunds": [{**refund, **dict(changes)}] * times}

    return change


def a_refund_of_nothing(folder: PackFolder) -> None:
    refunding()(folder)
    folder["tariff.yaml"]["versions"][0]["items"][0]["document_type"] = None


def price(**changes: Any) -> Change:
    def change(folder: PackFolder) -> None:
        versions = folder["tariff.yaml"]["versions"]
        versions[0]["effective_to"] = "2026-06-30"
        versions.append({**versions[0], "version": "later", "effective_to": None, **changes})

    return change


A_STRING = {"type": "string", "maxLength": 3, "x-labels": words("X")}


def amended(*changes: tuple[tuple[Any, ...], Any]) -> Change:
    """A type whose granted documents may be amended, with one thing wrong."""

    def change(folder: PackFolder) -> None:
        kind = folder[TYPE]
        kind["states"] = [*kind["states"][:2], state("GRANTED"), state("PENDING"), kind["states"][3]]
        kind["transitions"] += [
            move("GRANTED", "amend", "PENDING"),
            move("PENDING", "amend_accept", "GRANTED"),
            move("PENDING", "amend_reject", "GRANTED"),
        ]
        outcomes = {"accept": {"then": "next"}, "reject": {"then": "close", "needs_reason": True}}
        step = {
            **{"key": "again", "agency": {"code": "BANK-1"}, "role": "bank_officer", "sla_seconds": 60},
            **{"asked": words("Still?"), "fields": ["/amount"], "outcomes": outcomes},
        }
        kind["amendment"] = {"states": ["GRANTED"], "fields": ["/amount"], "steps": [step]}
        for place, value in changes:
            put(TYPE, *place, value=value)(folder)

    return change


def tacit(**changes: Any) -> Change:
    return put(TYPE, "steps", 0, "tacit", value={"outcome": "accept", "seconds": 7200, **changes})


RUNG = {"key": "a", "notify": ["agency"], "labels": words("Rung")}


def step_ladder(*rungs: dict[str, Any]) -> Change:
    return put(TYPE, "steps", 0, "ladder", value=[{**RUNG, **rung} for rung in rungs])


def together(*changes: Change) -> Change:
    def change(folder: PackFolder) -> None:
        for one in changes:
            one(folder)

    return change


AMENDMENT = ("amendment",)
AGAIN = ("amendment", "steps", 0)
