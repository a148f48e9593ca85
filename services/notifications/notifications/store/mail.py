"""The mail's way out: one port, a maildir for one machine and SMTP for the world."""

from __future__ import annotations

import asyncio
import os
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

import aiosmtplib
from kit.sealing import Sealer

from notifications.domain import secrets
from notifications.domain.deliveries import Delivery, MailTrouble, Undeliverable

SMTP_TIMEOUT_S = 20.0
PERMANENT_FROM = 500
FOLDERS = ("tmp", "new", "cur")


class Mailer(Protocol):
    async def send(self, letter: Delivery) -> None:
        """Returns when the letter is out of our hands. Raises MailTrouble; Undeliverable when no retry can help.

        The same delivery again is the same letter, byte for byte: adapters or their servers can tell.
        """


def compose(letter: Delivery, sender: str) -> EmailMessage:
    """Raises Undeliverable for an address that is none."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = sender
        message["To"] = Address(addr_spec=letter.address)
    except (ValueError, IndexError, MessageError) as error:
        raise Undeliverable("the address is not one") from error
    message["Subject"] = letter.title
    message["Date"] = letter.created_at
    message["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body + "\n")
    message["Content-Language"] = letter.language  # setting content drops every Content- header before it
    return message


class MaildirMailer:
    """A file named by the delivery appears whole in `new`; a second sending finds it, also where a reader moved it."""

    def __init__(self, root: Path, sender: str) -> None:
        self._root = root
        self._sender = sender
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def send(self, letter: Delivery) -> None:
        message = compose(letter, self._sender).as_bytes()
        try:
            await asyncio.to_thread(self._deliver, letter.id, letter.attempts, message)
        except OSError as error:
            raise MailTrouble(str(error)) from error

    def _deliver(self, name: str, attempt: int, message: bytes) -> None:
        if attempt > 1 and self._is_there(name):
            return
        written = self._root / "tmp" / name
        with written.open("wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        written.rename(self._root / "new" / name)
        _sync(self._root / "new")

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
