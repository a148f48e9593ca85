"""What clients are told by webhook: public names for events, and the few members each carries.

Thin on purpose: who wants more reads the document, with the authority it has at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from notifications.domain.facts import Document, Said, target

TEST = "webhook.test"


@dataclass(frozen=True)
class Published:
    """`at` and `members` are fields of the event; `roles` are those of its document who hear it."""

    name: str
    at: str
    members: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("owner", "submitter")


PUBLISHED: Mapping[str, Published] = {
    "portolan.intake.v1.DocumentSubmitted": Published("document.submitted", "submitted_at", ("version", "state")),
    "portolan.intake.v1.DocumentAmended": Published("document.amended", "amended_at", ("version",)),
    "portolan.intake.v1.DocumentWithdrawn": Published("document.withdrawn", "withdrawn_at", ("from_state", "to_state")),
    "portolan.intake.v1.DocumentCancelled": Published("document.cancelled", "cancelled_at", ("from_state", "to_state")),
    "portolan.intake.v1.DocumentDecided": Published(
        "document.state_changed", "decided_at", ("from_state", "to_state", "event", "reason_code")
    ),
    "portolan.intake.v1.TitleImputed": Published(
        *("title.imputed", "imputed_at"),
        ("imputation_id", "declaration_number", "declaration_line", "quantity", "remaining"),
    ),
    "portolan.intake.v1.TitleReleased": Published(
        "title.released", "released_at", ("imputation_id", "quantity", "remaining")
    ),
    "portolan.intake.v1.TitlePaid": Published(
        *("title.paid", "recorded_at"), ("payment_id", "payment_number", "kind", "amount", "still_payable")
    ),
    "portolan.intake.v1.TitlePaymentCancelled": Published(
        "title.payment_cancelled", "cancelled_at", ("payment_id", "payment_number", "amount", "still_payable")
    ),
    "portolan.routing.v1.TaskOpened": Published("task.opened", "opened_at", ("task_id", "step", "agency", "due_at")),
    "portolan.routing.v1.TaskDecided": Published(
        *("task.decided", "decided_at"), ("task_id", "step", "agency", "outcome", "reason_code", "authorised_quantity")
    ),
    "portolan.routing.v1.CaseClosed": Published("case.closed", "closed_at", ("outcome",)),
    "portolan.routing.v1.DeadlineMissed": Published("deadline.missed", "missed_at", ("task_id", "agency", "due_at")),
    "portolan.routing.v1.InformationRequested": Published(
        "information.requested", "requested_at", ("task_id", "agency", "information_request_id", "due_at")
    ),
    "portolan.routing.v1.InformationLapsed": Published(
        "information.lapsed", "lapsed_at", ("task_id", "agency", "information_request_id", "due_at")
    ),
    "portolan.routing.v1.VisitProposed": Published(
        "visit.proposed", "proposed_at", ("visit_id", "party", "place", "starts_at", "ends_at")
    ),
    "portolan.routing.v1.VisitConfirmed": Published(
        "visit.confirmed", "confirmed_at", ("visit_id", "party", "is_agreed", "place", "starts_at", "ends_at")
    ),
    "portolan.routing.v1.VisitDeclined": Published("visit.declined", "declined_at", ("visit_id", "party", "reason")),
    "portolan.routing.v1.VisitMissed": Published("visit.missed", "told_at", ("visit_id", "party", "told_by")),
    "portolan.routing.v1.ControlResult": Published("control.result", "found_at", ("agency", "result", "reason_code")),
    "portolan.intake.v1.InformationProvided": Published(
        "information.provided", "provided_at", ("task_id", "agency", "information_request_id")
    ),
    # Only who pays may know what it cost.
    "portolan.billing.v1.ChargeRecorded": Published(
        *("charge.recorded", "recorded_at"), ("charge_id", "milestone", "amount", "payer_sequence"), ("owner",)
    ),
    "portolan.billing.v1.CreditNoted": Published(
        *("credit.noted", "recorded_at"),
        ("credit_id", "charge_id", "policy", "event", "amount", "payer_sequence"),
        ("owner",),
    ),
}
NAMES = frozenset(one.name for one in PUBLISHED.values())


def audience(said: Said, document: Document | None) -> frozenset[str]:
    """The organisations that may hear it."""
    published = PUBLISHED.get(said.type)
    roles = published.roles if published else ()
    return frozenset(found for role in roles if (found := target(role, said, document).organisation_id))


def data(said: Said, document: Document | None) -> dict[str, Any]:
    members = {name: said.fields.get(name) for name in PUBLISHED[said.type].members}
    return {
        "document_id": said.document_id,
        "reference": said.fields.get("reference") or (document.reference if document else ""),
        "document_type": document.type if document else "",
        **members,
    }


def body(name: str, timestamp: str, sequence: int, content: Mapping[str, Any]) -> str:
    """The very text that is kept, signed and sent."""
    return msgspec.json.encode({"type": name, "timestamp": timestamp, "sequence": sequence, "data": content}).decode()


def unknown(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in NAMES]
