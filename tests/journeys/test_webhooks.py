"""A client's program is told of its documents through the whole system, in spite of kill -9."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from portolan_cli.client import Portolan, Problem
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key, submission, submitted
from tests.journeys.conftest import System
from tests.notifications.receiver import Received

PATIENCE_S = 120.0
ENDPOINTS = "/v1/webhook-endpoints"


class Listener(ThreadingHTTPServer):
    """`first` runs once, before the first answer: the place to kill somebody."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.first: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if len(body) < int(self.headers["content-length"]):
            return  # who sent it was killed meanwhile
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body))
        first, self.server.first = self.server.first, lambda: None
        first()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def importer(portolan: Portolan, demo: Demo) -> Actor:
    """For whom the broker files; nobody else makes endpoints in its name."""
    owner = submission(portolan, demo)["on_behalf_of"]
    key = next(str(one["key"]) for one in demo.organisations if one["id"] == owner)
    return demo.actor(organisation_key=key, role="org_admin")


def until(holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.1)


def made(portolan: Portolan, importer: Actor, listener: Listener, *event_types: str) -> dict[str, Any]:
    wanted = {"url": listener.url, "event_types": list(event_types)}
    endpoint: dict[str, Any] = portolan.post(ENDPOINTS, importer.credentials, wanted, key=new_key())
    return endpoint


def test_an_importer_is_told_of_its_documents_once_though_notifications_is_killed_before_the_answer(
    system: System, portolan: Portolan, demo: Demo, broker: Actor, importer: Actor, listener: Listener
) -> None:
    endpoint = made(portolan, importer, listener, "document.submitted")
    listener.first = lambda: system.kill("notifications")
    documents = [submitted(portolan, demo, broker)["id"] for _ in range(3)]
    path = f"{ENDPOINTS}/{endpoint['id']}"

    def all_delivered() -> bool:
        log = portolan.items(f"{path}/deliveries", importer.credentials)
        return [one["state"] for one in log] == ["DELIVERED"] * 3

    until(all_delivered)
    assert {one.content["data"]["document_id"] for one in listener.received} == set(documents)
    assert {one.content["sequence"] for one in listener.received} == {1, 2, 3}
    times = Counter(one.id for one in listener.received)
    assert len(times) == 3
    assert max(times.values()) == 2  # the one whose answer nobody heard
    assert all(one.is_signed_by(endpoint["keys"][0]["public_key"]) for one in listener.received)
    portolan.post(f"{path}:disable", importer.credentials)


def test_keys_rotate_a_test_event_comes_and_the_past_is_replayed(
    portolan: Portolan, demo: Demo, broker: Actor, importer: Actor, listener: Listener
) -> None:
    endpoint = made(portolan, importer, listener, "document.submitted")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    submitted(portolan, demo, broker)
    until(lambda: len(listener.received) == 1)
    rotated = portolan.post(f"{path}:rotate-secret", importer.credentials, key=new_key())
    portolan.post(f"{path}:test", importer.credentials, key=new_key())
    until(lambda: len(listener.received) == 2)
    test = listener.received[1]
    assert test.content["type"] == "webhook.test"
    assert all(test.is_signed_by(key["public_key"]) for key in rotated["keys"])
    until(lambda: portolan.items(f"{path}/deliveries", importer.credentials, state="PENDING") == [])
    replayed = portolan.post(f"{path}:replay", importer.credentials, {"after_sequence": 0})
    assert replayed == {"replayed": 2, "through_sequence": 2, "last_sequence": 2}
    until(lambda: len(listener.received) == 4)
    assert sorted(one.content["sequence"] for one in listener.received) == [1, 1, 2, 2]
    assert len({one.id for one in listener.received}) == 2
    portolan.post(f"{path}:disable", importer.credentials)


def test_an_address_inside_is_refused_in_the_callers_language(portolan: Portolan, importer: Actor) -> None:
    with pytest.raises(Problem) as refused:
        portolan.post(ENDPOINTS, importer.credentials, {"url": "http://169.254.169.254/latest"}, key=new_key())
    assert (refused.value.status, refused.value.code) == (422, "INVALID_REQUEST")
    assert refused.value.content["errors"][0]["code"] == "WEBHOOK_URL_REFUSED"
