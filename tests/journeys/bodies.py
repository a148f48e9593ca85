"""Bodies to submit: the schema's own examples, made different from each other."""

import copy
import secrets
from typing import Any

from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo

BANK_STEP = "domiciliation"
CUSTOMS_STEP = "customs_acceptance"


def example(portolan: Portolan, document_type: str) -> dict[str, Any]:
    schema = portolan.get(f"/v1/document-types/{document_type}")["schema"]
    body: dict[str, Any] = copy.deepcopy(schema["examples"][0])
    return body


def submission(
    portolan: Portolan, demo: Demo, document_type: str = "import_title.ei", **changes: Any
) -> dict[str, Any]:
    owner = "exporter" if document_type.startswith("export") else "importer"
    body = example(portolan, document_type) | changes
    return {"type": document_type, "on_behalf_of": demo.organisation_id(owner), "body": body}


def new_key() -> str:
    return secrets.token_hex(12)


def submitted(portolan: Portolan, demo: Demo, broker: Actor, document_type: str = "import_title.ei") -> dict[str, Any]:
    body = submission(portolan, demo, document_type)
    document: dict[str, Any] = portolan.post("/v1/documents", broker.credentials, body, key=new_key())
    return document
