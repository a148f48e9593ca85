"""Bringing a control request to where a visit is proposed."""

from typing import Any

from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo
from portolan_cli.golden.visits import slot

from tests.journeys.bodies import new_key, submitted
from tests.journeys.titles import eventually_state, eventually_task

KIND = "control_request"
STEP = "document_review"


def a_visit(portolan: Portolan, demo: Demo, broker: Actor) -> dict[str, Any]:
    """Proposed by the broker, and confirmed by nobody else yet."""
    document = submitted(portolan, demo, broker, KIND)
    agency = demo.actor(kind="agency", agency_code=agency_of(portolan, broker, document["id"]))
    task = eventually_task(portolan, agency, document["id"])
    portolan.post(f"/v1/tasks/{task['id']}:decide", agency.credentials, {"outcome": "visit"})
    eventually_state(portolan, broker, document["id"], "VISIT_REQUIRED")
    path = f"/v1/documents/{document['id']}/visits"
    visit: dict[str, Any] = portolan.post(path, broker.credentials, {"place": "Quai 3", **slot(1)}, key=new_key())
    return visit


def agency_of(portolan: Portolan, reader: Actor, document_id: str) -> str:
    """The body that reviews it, as its timeline tells."""
    eventually_state(portolan, reader, document_id, "DOC_REVIEW")
    items = portolan.get(f"/v1/documents/{document_id}/timeline", reader.credentials)["items"]
    return next(str(item["agency"]) for item in items if item.get("step") == STEP)
