"""Invitations: a person is asked to join, proves the address by a one-time token, and chooses the own password."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from identity.domain.organisations import CountryRules, Organisation
from identity.domain.people import User, check_profile, digest, is_secret

VALID_DAYS = 7
TRIES_MAX = 10
OPEN_MAX = 200
# Whoever invites, and however often: nobody's mailbox is filled from here. By strangers who sign up, counted apart.
PER_ADDRESS_AND_DAY_MAX = 5
TOKEN_BYTES = 32
BY_SIGNING_UP = "sign-up"
ACCEPTED, REVOKED, REPLACED = "ACCEPTED", "REVOKED", "REPLACED"


@dataclass(frozen=True, slots=True)
class Invitation:
    id: str
    organisation_id: str
    email: str
    name: str
    language: str
    roles: tuple[str, ...]
    token_sha256: bytes
    invited_by: str
    invited_at: datetime
    expires_at: datetime
    failed_tries: int = 0
    ended_at: datetime | None = None
    outcome: str = ""
    user_id: str | None = None

    def state(self, at: datetime) -> str:
        return self.outcome or ("EXPIRED" if self.is_spent(at) else "OPEN")

    def is_spent(self, at: datetime) -> bool:
        return at >= self.expires_at or self.failed_tries >= TRIES_MAX

    def is_proven_by(self, secret: str) -> bool:
        return is_secret(secret, self.token_sha256)

    def person(self, user_id: str) -> User:
        return User(user_id, self.organisation_id, self.email, self.name, self.language, self.roles)

    def ended(self, outcome: str, at: datetime, user_id: str | None = None) -> "Invitation":
        return replace(self, outcome=outcome, ended_at=at, user_id=user_id)


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation and the token that proves it, which nobody keeps."""

    invitation: Invitation
    token: str


def invited(invitation_id: str, wanted: User, by: str, at: datetime) -> Sent:
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(
        id=invitation_id,
        organisation_id=wanted.organisation_id,
        email=wanted.email,
        name=wanted.name.strip(),
        language=wanted.language,
        roles=wanted.roles,
        token_sha256=digest(secret),
        invited_by=by,
        invited_at=at,
        expires_at=at + timedelta(days=VALID_DAYS),
    )
    return Sent(invitation, f"{invitation_id}.{secret}")


def token_parts(token: str) -> tuple[str, str]:
    """The invitation's id and the secret."""
    invitation_id, _, secret = token.strip().partition(".")
    return invitation_id, secret


def check_invited(wanted: User, organisation: Organisation, rules: CountryRules) -> None:
    """`wanted.email` is as email_address() gave it. Raises Invalid."""
    wrong = check_profile(wanted, organisation, rules)
    wrong.refuse_if_any()
