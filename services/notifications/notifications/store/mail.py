"""The mail's way out: one port, a maildir for one machine and SMTP for the world."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiosmtplib
from kit.sealing import Sealer

from notifications.domain import secrets
from notifications.domain.deliveries import Delivery, MailTrouble, Undeliverable
from notifications.store.letters import compose, written

SMTP_TIMEOUT_S = 20.0
PERMANENT_FROM = 500
FOLDERS = ("tmp", "new", "cur")


class Mailer(Protocol):
    async def send(self, letter: Delivery) -> None:
        """Returns when the letter is out of our hands. Raises MailTrouble; Undeliverable when no retry can help.

        The same delivery again is the same letter, byte for byte: adapters or their servers can tell.
        """


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    attempt: int
    content: bytes


class MaildirMailer:
    """A file named by the delivery appears whole in `new`; a second sending finds it, also where a reader moved it.

    Letters that are sent at the same moment are written together, each flushed, their folder once.
    """

    def __init__(self, root: Path, sender: str) -> None:
        self._root = root
        self._sender = sender
        self._waiting: list[_File] = []
        self._delivery: asyncio.Task[dict[str, OSError]] | None = None
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def send(self, letter: Delivery) -> None:
        self._waiting.append(_File(letter.id, letter.attempts, written(letter, self._sender)))
        if self._delivery is None:
            self._delivery = asyncio.create_task(self._deliver_waiting())
        troubles = await asyncio.shield(self._delivery)
        if letter.id in troubles:
            raise MailTrouble(str(troubles[letter.id])) from troubles[letter.id]

    async def _deliver_waiting(self) -> dict[str, OSError]:
        """What went wrong, by letter. It begins when everybody who sends now has laid theirs down."""
        files, self._waiting, self._delivery = self._waiting, [], None
        return await asyncio.to_thread(self._deliver, files)

    def _deliver(self, files: Sequence[_File]) -> dict[str, OSError]:
        troubles: dict[str, OSError] = {}
        for file in files:
            try:
                self._put(file)
            except OSError as error:
                troubles[file.name] = error
        try:
            _sync(self._root / "new")
        except OSError as error:
            return {file.name: error for file in files}
        return troubles

    def _put(self, file: _File) -> None:
        if file.attempt > 1 and self._is_there(file.name):
            return
        draft = self._root / "tmp" / file.name
        with draft.open("wb", buffering=0) as opened:
            opened.write(file.content)
            os.fsync(opened.fileno())
        draft.rename(self._root / "new" / file.name)

    def _is_there(self, name: str) -> bool:
        return (self._root / "new" / name).exists() or any((self._root / "cur").glob(f"{name}*"))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class OpeningMailer:
    """Opens what a letter keeps sealed, for its reader alone."""

    def __init__(self, way_out: Mailer, sealer: Sealer) -> None:
        self._way_out = way_out
        self._sealer = sealer

    async def send(self, letter: Delivery) -> None:
        await self._way_out.send(secrets.opened(letter, self._sealer))


class SmtpMailer:
    """At least once: after a crash between the server's yes and our commit it goes again, under the same Message-ID."""

    def __init__(self, sender: str, host: str, port: int, *, username: str, password: str, security: str) -> None:
        self._sender = sender
        self._host, self._port = host, port
        self._username, self._password = username or None, password or None
        self._tls, self._start_tls = security == "tls", security == "starttls"

    async def send(self, letter: Delivery) -> None:
        message = compose(letter, self._sender)
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._tls,
                start_tls=self._start_tls,
                timeout=SMTP_TIMEOUT_S,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _trouble(error) from error


def _trouble(error: Exception) -> MailTrouble:
    """Only a no to this address or this text is for ever; our own login or sender refused is a fault to be mended."""
    refused = [error]
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        refused = list(error.recipients)
    judged = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
    codes = [one.code for one in refused if isinstance(one, judged)]
    if codes and min(codes) >= PERMANENT_FROM:
        return Undeliverable(str(error))
    return MailTrouble(str(error) or type(error).__name__)
