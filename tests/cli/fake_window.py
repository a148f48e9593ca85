"""A window of one document type in memory: enough HTTP for the golden runner, with faults on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kit.clock import read_ahead_s

TYPE = "permit"
DEMO: dict[str, Any] = {
    "clients": [
        {"key": key, "client_id": key, "client_secret": "s", "organisation_id": f"org-{key}", "organisation_name": key}
        | {"roles": [], "kind": kind, "agency_code": agency, "language": "en"}
        for key, kind, agency in (
            ("trader", "importer", ""),
            ("officer", "agency", "DESK"),
            ("second-officer", "agency", "DESK"),
            ("finance", "finance", ""),
        )
    ],
    "organisations": [{"id": "org-trader", "key": "trader", "name": "trader", "kind": "importer"}],
}


class Window:
    """`faults` answers so many calls of a path with 503; `early_looks` at the tasks find none yet.

    So many documents as `heard_at_once` says leave their first state before anybody can act.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.faults: dict[str, int] = {}
        self.early_looks = 0
        self.documents: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.charges = 1
        self.notices = ["N1"]
        self.timeline_gap = False
        self.heard_at_once = 0
        self.clock: Path | None = None

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, key: str) -> tuple[int, Any]:
        self.requests.append((method, path, key))
        if self.faults.get(path, 0) > 0:
            self.faults[path] -= 1
            return 503, {"code": "OVERLOADED"}
        if path == "/oauth/token":
            return 200, {"access_token": "t", "expires_in": 300}
        if path == f"/v1/document-types/{TYPE}":
            return 200, {"schema": {"examples": [{"goods": [{"weight": 1}], "note": "x"}]}}
        if key and key in self.answers:
            return 200, self.answers[key]
        status, content = self._act(method, path, body)
        if key:
            self.answers[key] = content
        return status, content

    def _act(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if (method, path) == ("POST", "/v1/documents"):
            return 201, self._submit(body)
        if path == "/v1/tasks":
            return 200, {"items": self._tasks(), "next_cursor": None}
        if path == "/status":
            ahead_s = read_ahead_s(self.clock) if self.clock else 0.0
            return 200, {"at": (datetime.now(UTC) + timedelta(seconds=ahead_s)).isoformat()}
        if path.endswith(":withdraw"):
            return 200, self._move(path.split("/")[3].removesuffix(":withdraw"), "WITHDRAWN")
        if path.endswith(":decide"):
            return self._decide(path.split("/")[3].removesuffix(":decide"), body["outcome"])
        if path == "/v1/charges":
            charge = {"tariff": "T", "amount": {"amount_minor": 100, "currency": "XXX"}}
            return 200, {"items": [charge] * self.charges, "next_cursor": None}
        if path == "/v1/notifications":
            notices = [{"rule": rule, "language": "en", "channel": "in_app"} for rule in self.notices]
            return 200, {"items": notices, "next_cursor": None}
        return self._read(path)

    def _submit(self, body: Any) -> dict[str, Any]:
        number = f"d{len(self.documents) + 1}"
        items = [{"seq": 1, "from": None, "to": "FILED"}]
        self.documents[number] = {
            "id": number,
            "reference": number,
            "type": TYPE,
            "state": "FILED",
            "body": body["body"],
            "items": items,
        }
        answer = dict(self.documents[number])
        if self.heard_at_once > 0:
            self.heard_at_once -= 1
            self._move(number, "CHECKED")
        return answer

    def _move(self, number: str, state: str) -> dict[str, Any]:
        document = self.documents[number]
        document["items"].append({"seq": len(document["items"]) + 1, "from": document["state"], "to": state})
        document["state"] = state
        return document

    def _tasks(self) -> list[dict[str, Any]]:
        if self.early_looks > 0:
            self.early_looks -= 1
            return []
        return [
            {"id": f"t-{number}", "document_id": number, "step": "check", "state": "OPEN", "rule": None}
            for number, document in self.documents.items()
            if document["state"] == "FILED"
        ]

    def _decide(self, task: str, outcome: str) -> tuple[int, Any]:
        document = self.documents[task.removeprefix("t-")]
        if outcome == "refuse":
            return 409, {"code": "QUANTITY_EXCEEDED", "remaining": {"value": "2.50", "unit": "KGM"}}
        # The middle state passes by before anybody can look.
        for state in ("CHECKED", "GRANTED"):
            seq = len(document["items"]) + (2 if self.timeline_gap else 1)
            document["items"].append({"seq": seq, "from": document["state"], "to": state})
            document["state"] = state
        return 200, {"id": task, "state": "DECIDED", "outcome": outcome}

    def _read(self, path: str) -> tuple[int, Any]:
        number = path.split("/")[3]
        if number not in self.documents:
            return 404, {"code": "NOT_FOUND"}
        return 200, self.documents[number]


@contextmanager
def serving(window: Window) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"] or 0))
            self._answer(json.loads(raw) if self.headers["content-type"] == "application/json" else raw)

        def _answer(self, body: Any) -> None:
            url = urlsplit(self.path)
            key = self.headers["idempotency-key"] or ""
            status, content = window.answer(self.command, url.path, parse_qs(url.query), body, key)
            raw = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
