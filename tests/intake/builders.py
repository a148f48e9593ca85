"""Intake on a fresh database: an identity that answers what it is told, callers, submissions, decisions."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import packs
from intake.actions import catalogue, hearing, imputing, keys, reading
from intake.actions.attaching import Attachments
from intake.actions.directory import Directory
from intake.actions.register import Answer, Register
from intake.actions.submitting import Outcome, Submission, SubmissionDesk
from intake.domain.documents import Item
from intake.domain.rulebook import Rulebooks
from intake.store.files import FolderStore
from intake.store.viruses import NoSearch, VirusSearch
from kit import clock, ids
from kit.auth import Principal, TokenVerifier
from kit.database import Database
from kit.errors import NotFound, PortolanError, Unavailable
from kit.testing import TokenMint, a_principal
from portolan.identity.v1 import identity_pb2

SECRET = "a secret of the tests"
TITLE = "import_title.ei"
IMPORTER = "org-importer"
BROKER = "org-broker"
ATTACHMENT_BYTES_MAX = 1024 * 1024


@lru_cache(maxsize=1)
def the_pack() -> packs.Pack:
    return packs.read(packs.default_pack_path())


@dataclass
class FakeIdentity:
    """Mandates are (principal, agent); every call is counted."""

    mandates: set[tuple[str, str]] = field(default_factory=lambda: {(IMPORTER, BROKER)})
    traders: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_down: bool = False

    async def GetOrganisation(
        self, request: identity_pb2.GetOrganisationRequest, **_: Any
    ) -> identity_pb2.GetOrganisationResponse:
        self._note("GetOrganisation")
        return identity_pb2.GetOrganisationResponse(organisation=_organisation(request.id))

    async def FindTraders(self, request: identity_pb2.FindTradersRequest, **_: Any) -> identity_pb2.FindTradersResponse:
        self._note("FindTraders")
        found = self.traders.get(request.company_number, [])
        return identity_pb2.FindTradersResponse(organisations=[_organisation(one) for one in found])

    async def CheckMandate(
        self, request: identity_pb2.CheckMandateRequest, **_: Any
    ) -> identity_pb2.CheckMandateResponse:
        self._note("CheckMandate")
        parties = (request.principal_organisation_id, request.agent_organisation_id)
        if request.principal_organisation_id == "org-nobody":
            raise NotFound("NOT_FOUND")
        return identity_pb2.CheckMandateResponse(
            allowed=parties in self.mandates, mandate_id="mandate-1", principal=_organisation(parties[0])
        )

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if self.is_down:
            raise Unavailable("OVERLOADED")


def _organisation(organisation_id: str) -> identity_pb2.Organisation:
    return identity_pb2.Organisation(id=organisation_id, attributes=["OEA"], billing_mode="subscriber")


@dataclass
class Window:
    """Everything intake is made of, on one database."""

    db: Database
    rulebooks: Rulebooks
    identity: FakeIdentity
    directory: Directory
    register: Register
    desk: SubmissionDesk
    mint: TokenMint
    verifier: TokenVerifier

    async def submit_all(self, *submissions: Submission) -> list[Outcome]:
        return await self.desk.submit(submissions)

    async def submit(self, submission: Submission) -> Answer:
        """Raises what it was refused with."""
        outcome = (await self.submit_all(submission))[0]
        if isinstance(outcome, PortolanError):
            raise outcome
        return outcome

    def submission(
        self,
        body: Any = None,
        *,
        key: str | None = None,
        by: Principal | None = None,
        on_behalf_of: str = IMPORTER,
        document_type: str = TITLE,
        language: str = "en",
        raw: bytes | None = None,
    ) -> Submission:
        asked = {"type": document_type, "on_behalf_of": on_behalf_of, "body": body or a_body(document_type)}
        return Submission(
            access_token=self.mint.token(by or the_broker()),
            idempotency_key=ids.new_id() if key is None else key,
            request=json.dumps(asked).encode() if raw is None else raw,
            language=language,
            traceparent="",
        )

    async def title(self, state: str = "CUSTOMS_ACCEPTED", *, quantity: str = "12000", lines: int = 1) -> str:
        """A title led by its decisions to the state; answers its id."""
        answer = await self.submit(self.submission(a_body_of(quantity, lines)))
        for event in PATHS[state]:
            await self.hear(hearing.Happening(answer.document_id, Item("task_decided", clock.now()), event))
        return answer.document_id

    async def hear(self, happening: hearing.Happening) -> None:
        async with self.db.transaction() as tx:
            await hearing.hear(tx, self.rulebooks, happening)

    async def impute(self, document_id: str, **changes: Any) -> dict[str, Any]:
        request = an_imputation(**changes)
        imputed = await imputing.impute(self.db, self.rulebooks, customs(), document_id, json.dumps(request).encode())
        return {**json.loads(imputed.imputation_json), "replayed": imputed.replayed}

    async def cancel(self, document_id: str, imputation_id: str) -> dict[str, Any]:
        answer = await imputing.cancel(self.db, self.rulebooks, customs(), document_id, imputation_id, "mistake")
        return _object(answer)

    async def document(self, document_id: str, by: Principal | None = None) -> dict[str, Any]:
        return _object((await reading.document(self.db, self.rulebooks, by or customs(), document_id)).document_json)

    async def timeline(self, document_id: str) -> dict[str, Any]:
        return _object(await reading.timeline(self.db, customs(), document_id))

    async def ledger(self, document_id: str) -> dict[str, Any]:
        return _object(await reading.ledger(self.db, customs(), document_id))

    async def figures(self, document_id: str) -> dict[str, str]:
        ledger = await self.ledger(document_id)
        return {name: ledger[name]["value"] for name in ("authorised", "reserved", "consumed", "released", "remaining")}

    async def count(self, statement: str) -> int:
        async with self.db.connection() as connection:
            row = await (await connection.execute(statement.encode())).fetchone()
            return int(row[0]) if row else 0

    async def said(self, document_id: str) -> list[str]:
        """The types of the events in the outbox, in order."""
        async with self.db.connection() as connection:
            rows = await connection.execute("select type from outbox where key = %s order by id", [document_id])
            return [row[0].rpartition(".")[2] for row in await rows.fetchall()]


PATHS: Mapping[str, tuple[str, ...]] = {
    "REGISTERED": (),
    "DOMICILED": ("send_to_bank", "bank_accept"),
    "CUSTOMS_ACCEPTED": ("send_to_bank", "bank_accept", "customs_accept"),
}


async def a_window(db: Database, mint: TokenMint) -> Window:
    await catalogue.load(db, the_pack())
    identity = FakeIdentity()
    directory = Directory(identity, lambda: "")
    register = Register(db, await keys.signing_key(db, SECRET))
    rulebooks = await catalogue.loaded(db)
    verifier = TokenVerifier(mint, SECRET)
    desk = SubmissionDesk(rulebooks, verifier, directory, register)
    return Window(db, rulebooks, identity, directory, register, desk, mint, verifier)


async def the_attachments(window: Window, folder: Path, search: VirusSearch | None = None) -> Attachments:
    files = FolderStore(folder)
    await files.open()
    return Attachments(window.db, files, search or NoSearch(), ATTACHMENT_BYTES_MAX)


def the_broker(language: str = "en") -> Principal:
    return a_principal("declarant", organisation_id=BROKER, kind="broker", language=language)


def the_importer() -> Principal:
    return a_principal("declarant", organisation_id=IMPORTER)


def a_stranger() -> Principal:
    return a_principal("declarant", organisation_id="org-stranger")


def customs() -> Principal:
    return a_principal("customs_officer", organisation_id="org-customs", kind="customs", agency="CUSTOMS")


def an_officer(agency: str) -> Principal:
    return a_principal("agency_officer", organisation_id=f"org-{agency}", kind="agency", agency=agency)


def a_body(document_type: str = TITLE) -> dict[str, Any]:
    return dict(copy.deepcopy(the_pack().document_types[document_type].schema["examples"][0]))


def a_body_of(quantity: str, lines: int = 1) -> dict[str, Any]:
    """The example, for so many pairs on each of its lines."""
    body = a_body()
    body["lines"] = [copy.deepcopy(body["lines"][0]) for _ in range(lines)]
    for line in body["lines"]:
        line["quantity"]["value"] = quantity
        line.pop("unit_price", None)
    body["total"]["amount_minor"] = sum(line["value"]["amount_minor"] for line in body["lines"])
    return body


def an_imputation(
    quantity: str = "100", number: str = "D-1", line: str = "1", unit: str = "PR", **changes: Any
) -> dict[str, Any]:
    return {
        "declaration_number": number,
        "declaration_line": line,
        "office": the_pack().lists["offices"].codes[0].code,
        "registered_on": clock.now().date().isoformat(),
        "quantity": {"value": quantity, "unit": unit},
        "value": {"amount_minor": 150_000, "currency": "USD"},
        **changes,
    }


def _object(raw: bytes) -> dict[str, Any]:
    return dict(json.loads(raw))
