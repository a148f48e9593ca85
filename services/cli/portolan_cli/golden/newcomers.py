"""Somebody nobody knows yet: signs up, reads the letter, comes in by its token; and files a document part by part."""

from __future__ import annotations

import email
import hashlib
import re
from email.policy import default
from pathlib import Path
from typing import Any

from portolan_cli.client import Credentials, Person, Portolan
from portolan_cli.demo_file import Actor
from portolan_cli.golden import body
from portolan_cli.golden.case import CaseError, Step
from portolan_cli.golden.stage import Stage

# In a company number, `#` is a digit of this play's own and `%` one that is tried until such a number can exist.
OWN, TRIED = "#", "%"
TRIES_MAX = 100
ONE_TIME_TOKEN = re.compile(r"\b[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
NOT_ASKED = frozenset({"company_number"})


class NoLetter(Exception):
    """Nothing came to the address in time, or the letters are on another machine."""


def sign_up(stage: Stage, step: Step) -> Any:
    """Answers as the acceptance does; the actor is known from then on."""
    number = company_number(stage.portolan, step.arguments["company_number"], f"{stage.key(step)}-{step.actor}")
    address = f"{step.actor}-{stage.case.name}-{stage.run_id}@newcomer.example".replace("_", "-")
    asked = {name: value for name, value in step.arguments.items() if name not in NOT_ASKED}
    stage.portolan.post("/v1/sign-ups", None, {**asked, "company_number": number, "email": address})
    known = Person(address, f"golden case {stage.run_id}")
    acceptance = {"token": _token(stage, address), "password": known.client_secret}
    user = stage.portolan.post("/v1/invitations:accept", None, acceptance)
    stage.numbers[step.actor] = number
    stage.newcomers[step.actor] = Actor(
        credentials=known,
        organisation_id=user["organisation_id"],
        organisation_name=asked["company_name"],
        kind=asked["kind"],
        agency_code="",
        language=asked["language"],
    )
    return user


def complete(stage: Stage, step: Step) -> Any:
    """Another day: signs in anew, finds the document as it was left, gives the next part."""
    by = stage.actor(step.actor).credentials
    stage.portolan.forget(by)
    document = stage.document(step.arguments["document"])
    path = f"/v1/documents/{document.id}"
    content = stage.portolan.get(path, by)["body"]
    for pointer, value in (step.arguments.get("changes") or {}).items():
        body.change(content, pointer, stage.filled(step.actor, value))
    for pointer, text in (step.arguments.get("attach") or {}).items():
        body.change(content, pointer, _attached(stage.portolan, by, text))
    path = f"{path}/stages/{step.arguments['stage']}:complete"
    etag = stage.portolan.etag(f"/v1/documents/{document.id}", by)
    return stage.portolan.call("POST", path, by, body={"body": content}, key=stage.key(step), if_match=etag)


def admitted(stage: Stage, step: Step) -> Any:
    """The actor's organisation, once it is active; whoever acts for it signs in anew and may do more."""
    actor = stage.actor(step.actor)

    def look() -> Any:
        return stage.portolan.get(f"/v1/organisations/{actor.organisation_id}", actor.credentials)

    organisation = stage.eventually(look, lambda found: found["state"] == "ACTIVE")
    stage.portolan.forget(actor.credentials)
    return organisation


def company_number(portolan: Portolan, template: str, seed: str) -> str:
    """One that can exist, of this play's own."""
    own = iter(str(int(hashlib.sha256(seed.encode()).hexdigest(), 16)))
    filled = "".join(next(own) if sign == OWN else sign for sign in template)
    width = filled.count(TRIED)
    for tried in range(min(TRIES_MAX, 10**width)):
        digits = iter(f"{tried:0{width}d}" if width else "")
        number = "".join(next(digits) if sign == TRIED else sign for sign in filled)
        if portolan.get(f"/v1/company-numbers/{number}")["valid"]:
            return number
    raise CaseError(f"no number like {template} can exist")


def _attached(portolan: Portolan, by: Credentials, text: str) -> str:
    return str(portolan.upload("/v1/attachments", by, f"%PDF-1.7\n{text}\n".encode())["sha256"])


def _token(stage: Stage, address: str) -> str:
    folder = stage.demo.mail
    if folder is None or not folder.is_dir():
        raise NoLetter(f"a newcomer reads letters where they are kept, and {folder} is no folder here")
    found = stage.eventually(lambda: _token_sent_to(folder, address), lambda token: token != "")
    if not found:
        raise NoLetter(f"no token came to {address}")
    return found


def _token_sent_to(folder: Path, address: str) -> str:
    """The last one; empty while there is none."""
    for file in sorted((folder / "new").glob("*"), reverse=True):
        letter = email.message_from_bytes(file.read_bytes(), policy=default)
        token = ONE_TIME_TOKEN.search(str(letter.get_content())) if letter["To"] == address else None
        if token:
            return token[0]
    return ""
