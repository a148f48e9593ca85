"""What the commands for people do: find what runs, choose who acts, submit, look up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from portolan_cli import demo_file, memory, places
from portolan_cli.client import Credentials, Portolan, Problem, Unreachable
from portolan_cli.demo_file import Demo, NoSuchActor
from portolan_cli.embedded import run_file
from portolan_cli.stack import servers_file

KEY_CHARS = 32
# Long enough for a gateway that is just starting again.
GREETING_S = 3.0
NAMES = ("key", "organisation_key", "kind", "agency_code", "client_id")


# What a run file would say where `portolan stack up` runs and nothing else.
SERVERS_ALONE: dict[str, Any] = {"state": "servers alone", "base_url": "", "services": {}}


class NotHere(Exception):
    """What is asked for does not exist or does not run."""


class Desk:
    """One person's way in."""

    def __init__(self, portolan: Portolan, by: Credentials, known: Demo | None) -> None:
        self._portolan = portolan
        self._by = by
        self._demo = known

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self._portolan.close()

    def submit(self, request: dict[str, Any], on_behalf_of: str, key: str) -> dict[str, Any]:
        if on_behalf_of:
            request = {**request, "on_behalf_of": self._organisation_id(on_behalf_of)}
        chosen = key or _derived_key(request)
        answer: dict[str, Any] = self._portolan.post("/v1/documents", self._by, request, key=chosen)
        return answer

    def timeline(self, reference: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._portolan.get(f"/v1/documents/{reference}/timeline", self._by)
        except Problem as problem:
            if problem.code == "NOT_FOUND":
                raise NotHere(f"there is no document {reference}, or it is not for this actor to see") from problem
            raise
        return answer

    def _organisation_id(self, name: str) -> str:
        try:
            return self._demo.organisation_id(name) if self._demo else name
        except NoSuchActor:
            return name


def open_desk(home: Path, base_url: str, by: str) -> Desk:
    client_id, colon, secret = by.partition(":")
    if colon:
        base_url = base_url or _running_url(home)
        greet(base_url)
        return Desk(Portolan(base_url), Credentials(client_id, secret), None)
    known = demo(home, base_url)
    greet(known.base_url)
    return Desk(Portolan(known.base_url), _credentials(known, by), known)


def home(chosen: Path | None) -> Path:
    """Of what runs: the stack's folder within that home, if the stack is what runs there."""
    whole = places.home(chosen)
    stack = places.stack(whole)
    return stack if run_file.read(whole) is None and _runs(stack) else whole


def _runs(stack: Path) -> bool:
    return run_file.read(stack) is not None or servers_file.read(stack) is not None


def demo(home: Path, base_url: str) -> Demo:
    """demo.json, at the address asked for, else at that of what runs here."""
    if not demo_file.path(home).exists():
        raise NotHere(f"{demo_file.path(home)} is missing: start `portolan run` first, or set PORTOLAN_HOME")
    known = demo_file.read(demo_file.path(home))
    running = run_file.read(home)
    return replace(known, base_url=base_url or (running["base_url"] if running else known.base_url))


def greet(base_url: str) -> None:
    """Where nothing runs is said at once, not when the patience for a service that starts again has ended."""
    try:
        with Portolan(base_url, patience_s=GREETING_S) as portolan:
            portolan.get("/v1/document-types")
    except Unreachable as error:
        raise NotHere(f"nobody answers at {base_url}: start `make run` in another terminal") from error


def request(file: Path, document_type: str) -> dict[str, Any]:
    """The file is the whole request, or with a type its body alone."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotHere(f"{file} cannot be read as JSON: {error}") from error
    if document_type:
        return {"type": document_type, "body": content}
    if not isinstance(content, dict) or "type" not in content or "body" not in content:
        raise NotHere(f"{file} needs the members type and body; for a body alone say --type")
    return content


def keep_receipt(file: Path, answer: Mapping[str, Any]) -> Path:
    """With the body that it vouches for, so that the file can be checked alone."""
    receipt = file.with_suffix(".receipt.json")
    content = {**answer["receipt"], "body": answer["body"]}
    receipt.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return receipt


def status(home: Path) -> dict[str, Any]:
    running = _running(home)
    parts = run_file.processes(running)
    pids = {name: int(one["pid"]) for name, one in parts.items() if one["pid"]}
    others = set(pids.values())
    figures = {name: memory.megabytes(memory.family(pid, others)) for name, pid in pids.items()}
    return {**running, "home": str(home), "memory_mb": figures}


def _running(home: Path) -> dict[str, Any]:
    """Whoever runs the servers knows best under which ids."""
    running, servers = run_file.read(home), servers_file.read(home)
    if servers is not None:
        supervisor = running["supervisor"]["pid"] if running else 0
        return {
            **(running or SERVERS_ALONE | {"ready_s": servers["ready_s"]}),
            **servers_file.for_run_file(servers, supervisor),
        }
    if running is None:
        raise NotHere(f"nothing runs in {home}")
    return running


def shown_path(path: Path) -> Path:
    """As short as it can be for whoever stands here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _running_url(home: Path) -> str:
    running = run_file.read(home)
    if running is None:
        raise NotHere(f"nothing runs in {home}: say where with --base-url")
    return str(running["base_url"])


def _credentials(known: Demo, name: str) -> Credentials:
    for member in NAMES:
        for client in known.clients:
            if client.get(member) == name:
                return Credentials(client["client_id"], client["client_secret"])
    called = sorted({client["kind"] for client in known.clients} | {client["key"] for client in known.clients})
    raise NoSuchActor(f"nobody in demo.json is called {name}; there are {', '.join(called)}")


def _derived_key(request: dict[str, Any]) -> str:
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False).encode()
    return f"cli-{hashlib.sha256(canonical).hexdigest()[:KEY_CHARS]}"
