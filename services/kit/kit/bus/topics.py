"""Which topics there are: declared in one file beside the contract, made by one command, never shrunk."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

DEAD_SUFFIX = ".dead"


@dataclass(frozen=True, slots=True)
class Topic:
    """`partitions` bounds how many processes of one group share the work; a key stays in one."""

    name: str
    partitions: int
    retention_days: int
    message_bytes_max: int


def dead_letters_of(topic: str) -> str:
    return topic + DEAD_SUFFIX


def declared() -> Sequence[Topic]:
    return parse((files("portolan") / "topics.toml").read_text())


def parse(text: str) -> Sequence[Topic]:
    """Each topic has one for its dead letters, which is declared once for all."""
    table = tomllib.loads(text)
    dead = table.pop("dead")
    alive = [Topic(name=name, **facts) for name, facts in table.items()]
    return [*alive, *(Topic(name=dead_letters_of(topic.name), **dead) for topic in alive)]
