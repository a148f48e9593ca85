"""People and machines that act for an organisation, and the secrets they prove themselves with."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email

from identity.domain.organisations import CountryRules, Organisation, check_language
from identity.domain.wrong import Wrong, is_name

PASSWORD_CHARS_MIN = 15
PASSWORD_CHARS_MAX = 200
ROLES_MAX = 20
SECRET_BYTES = 32
SECRET_CHARS_MAX = 200
SLUG_CHARS_MAX = 24
ID_SUFFIX_CHARS = 6
ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
NO_DIGEST = bytes(32)
SIGNING_ROLES = frozenset(
    {"agency_officer", "bank_officer", "customs_officer", "finance_officer", "operator_admin", "rules_officer"}
)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    organisation_id: str
    email: str
    name: str
    language: str
    roles: tuple[str, ...]
    dismissed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A machine. Its responsible user is the person that four-eyes compares."""

    id: str
    organisation_id: str
    name: str
    roles: tuple[str, ...]
    responsible_user_id: str
    revoked_at: datetime | None = None
    confirmed_at: datetime | None = None

    @property
    def awaits_confirmation(self) -> bool:
        """A signature given by a machine is its responsible person's, who must therefore know of it."""
        return self.confirmed_at is None and not SIGNING_ROLES.isdisjoint(self.roles)


def email_address(text: str) -> str | None:
    """The one spelling under which an address is known; None when it is no address."""
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.normalized.lower()


def password(text: str) -> str:
    """One spelling per password, however the keyboard composed it."""
    return unicodedata.normalize("NFC", text)


def check_user(asked: User, secret: str, organisation: Organisation, rules: CountryRules) -> None:
    """`asked.email` is as email_address() gave it. Raises Invalid."""
    wrong = check_profile(asked, organisation, rules)
    _check_password(secret, wrong)
    wrong.refuse_if_any()


def check_password(secret: str) -> None:
    """Raises Invalid."""
    wrong = Wrong()
    _check_password(secret, wrong)
    wrong.refuse_if_any()


def check_roles(roles: tuple[str, ...], organisation: Organisation) -> None:
    """Raises Invalid."""
    wrong = Wrong()
    _check_roles(roles, organisation, wrong)
    wrong.refuse_if_any()


def check_profile(asked: User, organisation: Organisation, rules: CountryRules) -> Wrong:
    wrong = Wrong()
    wrong.unless(is_name(asked.name), "/name", "NAME", "a name of 1 to 200 printable characters is needed")
    wrong.unless(bool(asked.email), "/email", "EMAIL", "not an e-mail address")
    check_language(asked.language, rules, wrong)
    _check_roles(asked.roles, organisation, wrong)
    return wrong


def _check_password(secret: str, wrong: Wrong) -> None:
    long_enough = PASSWORD_CHARS_MIN <= len(password(secret)) <= PASSWORD_CHARS_MAX
    message = f"{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters are needed"
    wrong.unless(long_enough, "/password", "PASSWORD_LENGTH", message)


def check_client(asked: Client, organisation: Organisation, responsible: User | None) -> None:
    """Raises Invalid."""
    wrong = Wrong()
    wrong.unless(is_name(asked.name), "/name", "NAME", "a name of 1 to 200 printable characters is needed")
    theirs = responsible is not None and (responsible.organisation_id, responsible.dismissed_at) == (
        organisation.id,
        None,
    )
    message = "a user of the same organisation must answer for a machine"
    wrong.unless(theirs, "/responsible_user_id", "RESPONSIBLE_USER", message)
    _check_roles(asked.roles, organisation, wrong)
    wrong.refuse_if_any()


def _check_roles(roles: tuple[str, ...], organisation: Organisation, wrong: Wrong) -> None:
    wrong.unless(0 < len(roles) <= ROLES_MAX, "/roles", "REQUIRED", f"1 to {ROLES_MAX} roles are needed")
    wrong.unless(len(set(roles)) == len(roles), "/roles", "DUPLICATE", "a role is named twice")
    allowed = ", ".join(sorted(organisation.roles_allowed))
    for position, role in enumerate(roles[:ROLES_MAX]):
        holds = role in organisation.roles_allowed
        wrong.unless(holds, f"/roles/{position}", "ROLE", f"a body of kind {organisation.kind} may hold: {allowed}")


def new_client_id(organisation: str, client: str) -> str:
    """Readable in a log, unique by its ending."""
    ending = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_SUFFIX_CHARS))
    return "-".join(part for part in (_slug(organisation), _slug(client), ending) if part)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:SLUG_CHARS_MAX].strip("-")


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """A plain SHA-256 is enough: the secret is 256 random bits, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret(offered: str, stored: bytes | None) -> bool:
    """Takes as long for a client nobody knows."""
    fits = hmac.compare_digest(digest(offered[:SECRET_CHARS_MAX]), stored or NO_DIGEST)
    return fits and stored is not None
