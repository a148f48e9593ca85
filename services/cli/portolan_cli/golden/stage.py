"""What is known while a case is played: the run, the actors, the documents saved so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from kit import clock

from portolan_cli.client import Credentials, Portolan
from portolan_cli.demo_file import Actor, Demo
from portolan_cli.golden.case import Case, CaseError, Step

# An effect travels relay, bus, consumer; a service in between may be starting again.
EVENTUAL_S_MAX = 60.0
POLL_S_FIRST = 0.05
POLL_S_MAX = 0.5

T = TypeVar("T")


@dataclass
class Document:
    """`seen` is the number of the last timeline item an expectation has used."""

    id: str
    reference: str
    type: str
    submitter: Credentials
    seen: int = 0


@dataclass
class Stage:
    portolan: Portolan
    demo: Demo
    case: Case
    run_id: str
    eventual_s: float = EVENTUAL_S_MAX
    documents: dict[str, Document] = field(default_factory=dict)
    # Numbers of declarations, by the name they were saved under.
    declarations: dict[str, str] = field(default_factory=dict)
    imputations: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    # Who signed up in this play, and the company numbers they chose.
    newcomers: dict[str, Actor] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    payments: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        """Of the case's own actors; a recipient may also be named by its organisation's key or kind."""
        if name in self.newcomers:
            return self.newcomers[name]
        if name in self.case.actors:
            return self._cast(self.case.actors[name])
        organisation_id = self.demo.organisation_id(name)
        return self.demo.actor(organisation_id=organisation_id)

    def organisation_id(self, name: str) -> str:
        return self.actor(name).organisation_id if name in self.case.actors else self.demo.organisation_id(name)

    def document(self, name: str) -> Document:
        try:
            return self.documents[name]
        except KeyError as error:
            raise CaseError(f"{self.case.name}: no step has saved {name!r}") from error

    def now(self) -> datetime:
        """Where the demo is, which may have been moved on."""
        ahead_s = clock.read_ahead_s(self.demo.clock) if self.demo.clock else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead_s)

    def key(self, step: Step) -> str:
        """The same for every repetition of a step, another one in every play."""
        return f"golden-{self.run_id}-{self.case.name}-{step.number}"

    def filled(self, actor: str, value: Any) -> Any:
        """`{number}` is the actor's company number, `{run}` this play."""
        if not isinstance(value, str):
            return value
        return value.replace("{number}", self.numbers.get(actor, "")).replace("{run}", self.run_id)

    def declaration_number(self, number: object) -> str:
        return f"{number}-{self.run_id}"

    def eventually(self, look: Callable[[], T], is_good: Callable[[T], bool]) -> T:
        """The first good look, or the last one when time is up."""
        limit = time.monotonic() + self.eventual_s
        pause_s = POLL_S_FIRST
        while True:
            seen = look()
            if is_good(seen) or time.monotonic() > limit:
                return seen
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, POLL_S_MAX)

    def _cast(self, role: Mapping[str, Any]) -> Actor:
        names = {"agency": "agency_code", "organisation": "organisation_key", "client": "key"}
        wanted = {names.get(name, name): value for name, value in role.items() if name not in ("nth", "role")}
        return self.demo.actor(nth=int(role.get("nth", 1)), role=str(role.get("role", "")), **wanted)
