"""The OpenAPI: valid, complete, and true: every call is made as nobody, as the wrong role and as the right one."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs
import pytest
from gateway import openapi
from gateway.authority import AUTHORITY
from gateway.operation import CSV, NDJSON, Operation
from gateway.routes import OPERATIONS
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tests.gateway.builders import DOCUMENT_TYPE, an_imputation
from tests.gateway.house import House

CONTRACT = openapi.build(OPERATIONS, [DOCUMENT_TYPE])
ALL = pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.id for operation in OPERATIONS])

BODIES: dict[str, Any] = {
    "sign_in": {"email": "a@b.example", "password": "right"},
    "simulate_document": {"type": "paper.a", "body": {}},
    "prefill_document": {"type": "paper.a", "from": ["A-1"]},
    "submit_document": {"type": "paper.a", "body": {}},
    "amend_document": {"body": {}},
    "complete_document": {"body": {}},
    "sign_up": {
        **{"company_number": "1", "kind": "importer", "company_name": "N", "email": "a@b.example"},
        **{"person_name": "P", "language": "fr"},
    },
    "change_bank": {"bank": "1"},
    "cancel_document": {"reason": "the sale fell through"},
    "create_draft": {"type": "paper.a"},
    "replace_draft": {"type": "paper.a", "label": "Next week's"},
    "change_draft": {"body": {"lines": []}},
    "copy_document": {"label": "again"},
    "copy_draft": {"template": True},
    "impute_title": an_imputation("d"),
    "tell_declaration": {"event_id": "e-1", "event": "COUPLED", "occurred_at": "2026-06-15T10:00:00Z"},
    "clear_title": {"reconciled": True},
    "record_payment": {"payment_number": "n"},
    "store_attachment": {"any": "file"},
    "assign_task": {"person": "u-1"},
    "create_absence": {"delegate": "u-2", "from": "2026-09-01T08:00:00Z", "to": "2026-09-05T16:00:00Z"},
    "request_information": {"questions": ["Why?"], "reason": "to be sure"},
    "provide_information": {"answers": [{"question": 1, "answer": "Because."}]},
    "satisfy_condition": {"attachment": "0" * 64},
    "propose_visit": {"from": "2026-12-01T09:00:00Z", "to": "2026-12-01T10:00:00Z", "place": "Quay 3"},
    "decline_visit": {"reason": "the crane is down"},
    "report_no_show": {"party": "operator"},
    "record_visit": {"findings": "as declared"},
    "simulate_procedure": {"hs_code": "640399", "country": "CN", "direction": "import"},
    "propose_rules": {"patch": {"removed": ["R1"]}, "effective_from": "2026-12-01T00:00:00Z"},
    "replay_rules": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
    "roll_back_rules": {},
    "decide_task": {"outcome": "grant", "authorised_quantity": {"value": "1", "unit": "KGM"}},
    "register_organisation": {"name": "N", "kind": "broker", "language": "fr"},
    "register_user": {"email": "a@b.example", "name": "N", "password": "p", "language": "fr", "roles": ["declarant"]},
    "invite_user": {"email": "a@b.example", "name": "N", "language": "fr", "roles": ["declarant"]},
    "accept_invitation": {"token": "i.s", "password": "a long enough password"},
    "change_user_roles": {"roles": ["declarant"]},
    "register_client": {"name": "N", "roles": ["declarant"]},
    "grant_mandate": {"agent_organisation_id": "o", "powers": ["file"], "valid_to": "2027-01-01T00:00:00Z"},
    "put_notification_preferences": {
        **{"muted": [{"rule": "N1", "channel": "email"}], "quiet_hours": {"begins": "22:00", "ends": "06:30"}},
        "digest_at": ["09:00", "16:00"],
    },
    "create_webhook_endpoint": {"url": "https://a.example/hook", "event_types": ["document.submitted"]},
}
QUERIES = {"search_documents": {"q": "PA-2026"}}
PATHS = {"document_type": "paper.a", "list_name": "units", "client_id": "c-2"}


async def call(house: House, operation: Operation, *roles: str) -> httpx.Response:
    path = operation.path.format(**{name: PATHS.get(name, "x-1") for name in operation.path_names})
    headers = {"idempotency-key": operation.id, "if-match": '"1"'} | (house.bearer(*roles) if roles else {})
    if operation.id == "issue_token":
        form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "right"}
        return await house.http.request(operation.method, path, data=form)
    if operation.media_type == NDJSON:
        content = b'{"idempotency_key":"k","type":"paper.a","body":{}}'
        return await house.http.request(
            operation.method, path, content=content, headers={**headers, "content-type": NDJSON}
        )
    if operation.media_type == CSV:
        content = b"lines.0.hs_code\r\n640399\r\n"
        return await house.http.request(
            operation.method,
            path,
            params={"type": "paper.a"},
            content=content,
            headers={**headers, "content-type": CSV},
        )
    body = BODIES.get(operation.id)
    query = QUERIES.get(operation.id)
    return await house.http.request(operation.method, path, params=query, json=body, headers=headers)


def test_every_operation_has_a_verdict_and_every_verdict_an_operation() -> None:
    assert {operation.id for operation in OPERATIONS} == set(AUTHORITY)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


def test_the_document_is_openapi_3_1() -> None:
    assert [str(error.message) for error in OPENAPI_31_VALIDATOR.iter_errors(CONTRACT)] == []
    assert CONTRACT["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere() -> None:
    for reference in references(CONTRACT):
        found: Any = CONTRACT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for item in value.values() for found in references(item)]


@ALL
def test_every_operation_says_who_may_call_and_what_comes_back(operation: Operation) -> None:
    shown = CONTRACT["paths"][operation.path][operation.method.lower()]
    assert shown["operationId"] == operation.id
    assert shown["x-portolan-authority"]
    assert shown["x-portolan-visibility"]
    assert shown["security"] or shown["x-portolan-authority"] == "anyone"
    assert shown["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    assert shown["responses"][str(operation.status)]["content"]


def test_a_documents_body_is_the_packs_own_schema() -> None:
    schemas = CONTRACT["components"]["schemas"]
    assert schemas["Submission"]["oneOf"] == [{"$ref": "#/components/schemas/Submission.paper.a"}]
    assert schemas["Submission.paper.a"]["properties"]["type"]["const"] == "paper.a"
    assert schemas["paper.a"]["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/paper.a.line"}
    assert schemas["paper.a.line"]["properties"]["hs_code"]
    content = CONTRACT["paths"]["/v1/documents"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]["paper.a.1"]["value"] == {"type": "paper.a", "body": {"lines": [{"hs_code": "640399"}]}}


async def test_the_document_served_is_the_one_the_pack_makes(house: House) -> None:
    answer = await house.http.get("/openapi.json")
    assert answer.json() == CONTRACT


@ALL
async def test_nobody_gets_nowhere_that_is_not_open(house: House, operation: Operation) -> None:
    answer = await call(house, operation)
    if operation.authority.is_open:
        assert answer.status_code == operation.status
        return
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@ALL
async def test_a_role_that_is_not_named_is_forbidden(house: House, operation: Operation) -> None:
    if operation.authority.admits(frozenset({"nothing"})):
        return
    answer = await call(house, operation, "nothing")
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


@ALL
async def test_a_permitted_caller_is_answered_as_the_contract_says(house: House, operation: Operation) -> None:
    answer = await call(house, operation, next(iter(operation.authority.roles)))
    assert answer.status_code == operation.status, answer.text
    shown = CONTRACT["paths"][operation.path][operation.method.lower()]["responses"][str(operation.status)]
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = shown["content"][media_type]["schema"]
    if media_type == "application/json":
        whole = {**schema, "components": CONTRACT["components"]}
        jsonschema_rs.Draft202012Validator(whole).validate(answer.json())


@ALL
async def test_every_answer_carries_its_trace_and_is_not_sniffed(house: House, operation: Operation) -> None:
    answer = await call(house, operation)
    assert len(answer.headers["traceparent"]) == 55
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "cache-control" in answer.headers
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/docs.css"])
async def test_the_docs_need_nobody_else(house: House, path: str) -> None:
    text = (await house.http.get(path)).text
    assert "http://" not in text
    assert "https://" not in text
