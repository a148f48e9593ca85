"""Twenty at once are one; a hundred imputations never take more than there is."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import psycopg
import pytest
from portolan_cli.client import Portolan, Problem
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key, submission, submitted
from tests.journeys.conftest import System
from tests.journeys.titles import accepted, eventually_state, eventually_task, imputation


def at_once(count: int, work: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_twenty_submissions_with_one_key_are_one_document_one_case_one_charge(
    system: System, portolan: Portolan, demo: Demo, broker: Actor
) -> None:
    raw = json.dumps(submission(portolan, demo)).encode()
    key, token = new_key(), portolan.token(broker.credentials)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": key, "content-type": "application/json"}

    def submit(_: int) -> httpx.Response:
        return httpx.post(f"{system.base_url}/v1/documents", content=raw, headers=headers)

    answers = at_once(20, submit)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    document = answers[0].json()
    eventually_state(portolan, broker, document["id"], "DOMICILIATION_PENDING")
    charges = portolan.items("/v1/charges", broker.credentials, document_id=document["id"])
    assert len(charges) == 1
    with psycopg.connect(system.database_url("routing")) as connection:
        found = connection.execute("select count(*) from cases where document_id = %s", [document["id"]]).fetchone()
    assert found == (1,)
    other = httpx.post(f"{system.base_url}/v1/documents", content=raw + b" ", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_key_is_one_organisations_own(portolan: Portolan, demo: Demo, broker: Actor) -> None:
    body, key = submission(portolan, demo), new_key()
    by_broker = portolan.post("/v1/documents", broker.credentials, body, key=key)
    importer = demo.actor(kind="importer", role="declarant")
    by_importer = portolan.post("/v1/documents", importer.credentials, body, key=key)
    assert by_broker["id"] != by_importer["id"]


def test_without_a_key_nothing_is_accepted(portolan: Portolan, demo: Demo, broker: Actor) -> None:
    with pytest.raises(Problem) as refused:
        portolan.post("/v1/documents", broker.credentials, submission(portolan, demo))
    assert (refused.value.status, refused.value.code) == (400, "IDEMPOTENCY_KEY_MISSING")


def test_a_hundred_imputations_never_consume_a_unit_more_than_authorised(
    system: System, portolan: Portolan, demo: Demo, broker: Actor, customs: Actor
) -> None:
    title = accepted(portolan, demo, submitted(portolan, demo, broker))
    ledger_path = f"/v1/documents/{title['id']}/ledger"
    authorised = Decimal(portolan.get(ledger_path, customs.credentials)["authorised"]["value"])
    unit = title["body"]["lines"][0]["quantity"]["unit"]
    share = str((authorised / 60).quantize(Decimal("0.000001")))
    url, token = f"{system.base_url}/v1/documents/{title['id']}/imputations", portolan.token(customs.credentials)

    def impute(number: int) -> httpx.Response:
        body = imputation(f"{title['reference']}-{number}", share, unit)
        return httpx.post(url, json=body, headers={"authorization": f"Bearer {token}"}, timeout=30)

    answers = at_once(100, impute)
    taken = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(taken) + len(refused) == 100
    assert {answer.json()["code"] for answer in refused} == {"QUANTITY_EXCEEDED"}
    rest = portolan.get(ledger_path, customs.credentials)["remaining"]["value"]
    assert Decimal(rest) < Decimal(share)
    if Decimal(rest) > 0:
        portolan.post(
            url.removeprefix(system.base_url), customs.credentials, imputation(f"{title['reference']}-z", rest, unit)
        )
    ledger = portolan.get(ledger_path, customs.credentials)
    assert Decimal(ledger["consumed"]["value"]) == authorised
    assert Decimal(ledger["remaining"]["value"]) == 0
    eventually_state(portolan, customs, title["id"], "FULLY_IMPUTED")
    with psycopg.connect(system.database_url("intake")) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update title_lines set consumed = consumed + 1 where document_id = %s", [title["id"]])


def test_the_same_declaration_line_again_is_the_same_imputation(
    portolan: Portolan, demo: Demo, broker: Actor, customs: Actor
) -> None:
    title = accepted(portolan, demo, submitted(portolan, demo, broker))
    unit = title["body"]["lines"][0]["quantity"]["unit"]
    path = f"/v1/documents/{title['id']}/imputations"
    body = imputation(f"{title['reference']}-1", "10", unit)
    first = portolan.post(path, customs.credentials, body)
    assert portolan.post(path, customs.credentials, body) == first
    with pytest.raises(Problem) as refused:
        portolan.post(path, customs.credentials, body | {"quantity": {"value": "11", "unit": unit}})
    assert refused.value.status in (409, 422)
    portolan.post(f"{path}/{first['id']}:cancel", customs.credentials, {})
    ledger = portolan.get(f"/v1/documents/{title['id']}/ledger", customs.credentials)
    assert Decimal(ledger["consumed"]["value"]) == 0
    assert Decimal(ledger["released"]["value"]) == 10
    assert eventually_state(portolan, customs, title["id"], "CUSTOMS_ACCEPTED")


def test_a_withdrawn_document_leaves_no_open_task(portolan: Portolan, demo: Demo, broker: Actor) -> None:
    document = submitted(portolan, demo, broker)
    bank = demo.actor(kind="bank", agency_code="BANK-" + document["body"]["bank"])
    task = eventually_task(portolan, bank, document["id"])
    path = f"/v1/documents/{document['id']}"
    with pytest.raises(Problem) as unconditional:
        portolan.post(f"{path}:withdraw", broker.credentials, {"reason": "sold elsewhere"})
    assert unconditional.value.status == 428
    with pytest.raises(Problem) as stale:
        portolan.call("POST", f"{path}:withdraw", broker.credentials, body={"reason": "x"}, if_match='"0"')
    assert stale.value.status == 412
    etag = portolan.etag(path, broker.credentials)
    portolan.call("POST", f"{path}:withdraw", broker.credentials, body={"reason": "sold elsewhere"}, if_match=etag)
    eventually_state(portolan, broker, document["id"], "WITHDRAWN")
    eventually_cancelled(portolan, bank, task["id"])
    with pytest.raises(Problem) as late:
        portolan.post(f"/v1/tasks/{task['id']}:decide", bank.credentials, {"outcome": "accept"})
    assert late.value.status == 409


def eventually_cancelled(portolan: Portolan, officer: Actor, task_id: str) -> None:
    for _ in range(100):
        if portolan.get(f"/v1/tasks/{task_id}", officer.credentials)["state"] == "CANCELLED":
            return
        time.sleep(0.1)
    raise AssertionError("the task stays open")
