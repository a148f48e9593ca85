"""Mandates: a trader authorises a broker, for some powers, some document types, some time."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from identity.domain.organisations import ACTIVE, Kind, Organisation
from identity.domain.wrong import Wrong

POWERS = ("file", "amend", "withdraw", "pay")
PRINCIPALS = frozenset({Kind.IMPORTER, Kind.EXPORTER})
DOCUMENT_TYPES_MAX = 50
DOCUMENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9_]{1,40}){0,2}")


@dataclass(frozen=True, slots=True)
class Wish:
    """A mandate as it is asked for; without `valid_from` it stands from the moment it is granted."""

    principal_organisation_id: str
    agent_organisation_id: str
    powers: tuple[str, ...]
    document_types: tuple[str, ...]
    valid_from: datetime | None
    valid_to: datetime | None

    def granted(self, mandate_id: str, at: datetime, by: str) -> "Mandate":
        return Mandate(
            id=mandate_id,
            principal_organisation_id=self.principal_organisation_id,
            agent_organisation_id=self.agent_organisation_id,
            powers=self.powers,
            document_types=self.document_types,
            valid_from=self.valid_from or at,
            valid_to=self.valid_to,
            granted_at=at,
            granted_by=by,
        )


@dataclass(frozen=True, slots=True)
class Mandate:
    """`document_types` empty means every type; `valid_to` None means until revoked; `valid_to` itself is outside."""

    id: str
    principal_organisation_id: str
    agent_organisation_id: str
    powers: tuple[str, ...]
    document_types: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime | None
    granted_at: datetime
    granted_by: str
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def allows(self, power: str, document_type: str, at: datetime) -> bool:
        return power in self.powers and self._covers(document_type) and self._stands(at)

    def _covers(self, document_type: str) -> bool:
        return not self.document_types or document_type in self.document_types

    def _stands(self, at: datetime) -> bool:
        begun = self.valid_from <= at
        ended = self.valid_to is not None and at >= self.valid_to
        return begun and not ended and (self.revoked_at is None or at < self.revoked_at)

    def revoked(self, at: datetime, by: str) -> "Mandate":
        """The first revocation stands; a second changes nothing."""
        return self if self.revoked_at else replace(self, revoked_at=at, revoked_by=by)


def check_grant(asked: Mandate, principal: Organisation | None, agent: Organisation | None) -> None:
    """Raises Invalid."""
    wrong = Wrong()
    trades = principal is not None and principal.kind in PRINCIPALS and principal.state == ACTIVE
    message = "an importer or an exporter grants a mandate"
    wrong.unless(trades, "/principal_organisation_id", "PRINCIPAL", message)
    brokers = agent is not None and agent.kind == Kind.BROKER and agent.state == ACTIVE
    wrong.unless(brokers, "/agent_organisation_id", "AGENT", "a mandate is granted to a broker")
    _check_scope(asked, wrong)
    _check_dates(asked, wrong)
    wrong.refuse_if_any()


def _check_scope(asked: Mandate, wrong: Wrong) -> None:
    known = bool(asked.powers) and set(asked.powers) <= set(POWERS) and len(set(asked.powers)) == len(asked.powers)
    wrong.unless(known, "/powers", "POWERS", "one or more of: " + ", ".join(POWERS))
    few = len(asked.document_types) <= DOCUMENT_TYPES_MAX
    wrong.unless(few, "/document_types", "TOO_MANY", f"at most {DOCUMENT_TYPES_MAX} document types")
    for position, name in enumerate(asked.document_types[:DOCUMENT_TYPES_MAX]):
        named = DOCUMENT_TYPE.fullmatch(name) is not None
        wrong.unless(named, f"/document_types/{position}", "DOCUMENT_TYPE", "not the key of a document type")


def _check_dates(asked: Mandate, wrong: Wrong) -> None:
    if asked.valid_to is None:
        return
    wrong.unless(asked.valid_to > asked.valid_from, "/valid_to", "DATES", "ends before it begins")
    wrong.unless(asked.valid_to > asked.granted_at, "/valid_to", "DATES", "has ended already")
