"""A country pack as values: what the trade, the agencies and the law of one country ask of the system."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from .casework import Escalation as Escalation
from .casework import Tacit as Tacit
from .codes import Code as Code
from .codes import CodeList as CodeList
from .conditions import Condition as Condition
from .conditions import SatisfiedBy as SatisfiedBy
from .dictionary import Dictionary as Dictionary
from .filing import Admission as Admission
from .filing import Check as Check
from .filing import Requirement as Requirement
from .filing import Stage as Stage
from .procedures import AgencyChoice as AgencyChoice
from .procedures import Amendment as Amendment
from .procedures import AmendmentStep as AmendmentStep
from .procedures import BankChange as BankChange
from .procedures import Decided as Decided
from .procedures import DocumentType as DocumentType
from .procedures import Information as Information
from .procedures import Outcome as Outcome
from .procedures import Question as Question
from .procedures import State as State
from .procedures import Step as Step
from .procedures import Transition as Transition
from .refunds import Refund as Refund
from .risk import Alert as Alert
from .risk import Band as Band
from .risk import Oddities as Oddities
from .risk import Oddity as Oddity
from .risk import PastFindings as PastFindings
from .risk import Risk as Risk
from .risk import Thresholds as Thresholds
from .risk import UnitValues as UnitValues
from .titles import Advance as Advance
from .titles import AdvanceLimit as AdvanceLimit
from .titles import Settlement as Settlement
from .titles import Tolerance as Tolerance
from .titles import Validity as Validity
from .value import Labels as Labels
from .value import Value as Value
from .visits import ShareWhen as ShareWhen
from .visits import VisitTerms as VisitTerms

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Week = dict[Weekday, tuple[str, ...]]


class CompanyNumber(Value, frozen=True, kw_only=True):
    scheme: str
    pattern: str
    label: Labels | str
    refuse: tuple[str, ...] = ()


class ReferenceFormat(Value, frozen=True, kw_only=True):
    year_timezone: str | None = None
    digits: int = 7


class Identity(Value, frozen=True, kw_only=True):
    """pack.yaml: the pack's own name and the country's basic facts."""

    name: str
    version: str
    effective_from: date
    languages: tuple[str, ...]
    default_language: str
    currency: str
    country: str
    timezone: str
    company_number: CompanyNumber
    reference: ReferenceFormat = ReferenceFormat()
    labels: Labels = {}


class Agency(Value, frozen=True, kw_only=True):
    """`laboratory` is the agency that analyses its samples; itself where none is named."""

    code: str
    kind: str
    laboratory: str | None = None
    labels: Labels


class HolidayOverride(Value, frozen=True, kw_only=True):
    date: date
    labels: Labels
    holiday: bool


class Holidays(Value, frozen=True, kw_only=True):
    library: str | None = None
    overrides: tuple[HolidayOverride, ...] = ()


class Period(Value, frozen=True, kw_only=True):
    """Both days belong to the period."""

    from_: date = msgspec.field(name="from")
    to: date


class Calendar(Value, frozen=True, kw_only=True):
    timezone: str
    working_week: Week
    ramadan: Week = {}
    holidays: Holidays = Holidays()
    ramadan_dates: tuple[Period, ...] = ()


class Rule(Value, frozen=True, kw_only=True):
    """One line of the routing table: when it applies, and what follows."""

    id: str
    labels: Labels
    direction: Literal["import", "export", "any"] = "any"
    hs: tuple[str, ...] | None = None
    regimes: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    when: str | None = None
    share: Decimal | None = None
    agency: str | None = None
    document: str | None = None
    mode: Literal["documentary", "four_eyes", "automatic", "random"] = "documentary"
    stage: Literal["control", "clearance", "registration"] = "clearance"
    sla_seconds: int | None = None
    calendar: Literal["working", "always"] = "working"
    automatic: str | None = None
    four_eyes: bool = False
    risk: int = 0
    channel: Literal["green", "orange", "red"] | None = None
    requires_type: str | None = None
    not_required: bool = False
    # How often its agency visits the goods: always when a condition holds, else this share of the documents.
    visit_when: str | None = None
    visit_share: Decimal | None = None
    visit_share_when: tuple[ShareWhen, ...] = ()
    visit_divisor: Decimal = Decimal(1)


class Routing(Value, frozen=True, kw_only=True):
    version: str
    effective_from: date
    rules: tuple[Rule, ...]


class TariffItem(Value, frozen=True, kw_only=True):
    code: str
    labels: Labels
    net_minor: int
    document_type: str | None = None
    billed_at: str | None = None
    segments: dict[str, Decimal] = {}


class TariffVersion(Value, frozen=True, kw_only=True):
    version: str
    effective_from: date
    effective_to: date | None = None
    currency: str
    vat_rate: Decimal
    # How long a draft holds the prices that were in force when it was begun.
    price_lock_days: int = 0
    items: tuple[TariffItem, ...]


class Rate(Value, frozen=True, kw_only=True):
    """One unit of `currency` is worth `per_unit` of the pack's currency."""

    currency: str
    per_unit: Decimal
    effective_from: date


class NotificationRule(Value, frozen=True, kw_only=True):
    id: str
    event: str
    when: str | None = None
    recipients: tuple[Literal["owner", "submitter", "agency", "supervisor", "operator", "person"], ...]
    channels: tuple[str, ...]
    template: str
    # Nobody may mute it: what has legal effect, or costs money.
    mandatory: bool = False


class Template(Value, frozen=True, kw_only=True):
    subject: Labels
    body: Labels


class Reason(Value, frozen=True, kw_only=True):
    code: str
    labels: Labels
    outcomes: tuple[str, ...]


class Pack(Value, frozen=True, kw_only=True):
    identity: Identity
    agencies: dict[str, Agency] = {}
    calendar: Calendar
    routing: Routing
    risk: Risk = Risk()
    alerts: tuple[Alert, ...] | None = None
    tariff: tuple[TariffVersion, ...] = ()
    refunds: tuple[Refund, ...] = ()
    rates: tuple[Rate, ...] = ()
    notification_rules: tuple[NotificationRule, ...] = ()
    # The template of a letter that gathers others; without it nobody can ask for digests.
    digest: str | None = None
    templates: dict[str, Template] = {}
    lists: dict[str, CodeList] = {}
    reasons: dict[str, Reason] = {}
    # Who is told when a term runs out; a step may have its own.
    ladder: tuple[Escalation, ...] | None = None
    dictionary: Dictionary = Dictionary()
    document_types: dict[str, DocumentType] = {}

    @property
    def name(self) -> str:
        return self.identity.name

    @property
    def version(self) -> str:
        return self.identity.version

    @property
    def effective_from(self) -> date:
        return self.identity.effective_from

    @property
    def languages(self) -> tuple[str, ...]:
        return self.identity.languages

    @property
    def default_language(self) -> str:
        return self.identity.default_language

    @property
    def currency(self) -> str:
        return self.identity.currency

    @property
    def country(self) -> str:
        return self.identity.country

    @property
    def timezone(self) -> str:
        return self.identity.timezone

    @property
    def company_number(self) -> CompanyNumber:
        return self.identity.company_number

    @property
    def reference(self) -> ReferenceFormat:
        return self.identity.reference

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.routing.rules

    def label(self, labels: Labels, language: str) -> str:
        """The label in this language, else in the pack's own."""
        return labels.get(language) or labels.get(self.default_language, "")

    def tariff_on(self, day: date) -> TariffVersion | None:
        known = (version for version in self.tariff if version.effective_from <= day)
        return next((version for version in known if day < (version.effective_to or date.max)), None)

    def rate_on(self, currency: str, day: date) -> Decimal | None:
        """What one unit of a currency was worth that day, by the latest rate then known."""
        if currency == self.currency:
            return Decimal(1)
        known = [rate for rate in self.rates if rate.currency == currency and rate.effective_from <= day]
        return max(known, key=lambda rate: rate.effective_from).per_unit if known else None
