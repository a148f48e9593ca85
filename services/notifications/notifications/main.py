"""Notifications, wired by hand: database, rules, directory, mail, webhooks, API, consumer, sender, poster, relay."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kit import service
from kit.consumer import Consumer
from kit.database import Database
from kit.grpc import Server, channel
from kit.process import Job, Loop, Parts
from kit.sealing import Sealer
from kit.standing import Standing
from packs import reader
from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc

from notifications import actions, api, events
from notifications.domain.signing import Vault
from notifications.settings import Settings
from notifications.store.directory import Directory, IdentityDirectory
from notifications.store.egress import Egress
from notifications.store.mail import MaildirMailer, Mailer, OpeningMailer, SmtpMailer

NAME = "notifications"
MIGRATIONS = Path(__file__).parent / "migrations"
MAIL_FOLDER = "mail"
# Each letter is a connection there, and a file here: what is claimed at once must be gone before its lease ends.
SMTP_LETTERS_AT_ONCE_MAX, FILES_AT_ONCE_MAX = 16, 200


async def build(settings: Settings) -> Parts:
    db = await Database.open(settings.database_url, size_max=settings.database_connections_max)
    return Parts(
        jobs={"migrate": service.migrate_job(settings, NAME, MIGRATIONS), "seed": _seed(settings, db)},
        loops={
            "api": _api(settings, db),
            "consumer": _consumer(settings, db),
            "sender": service.beating(db, "sender", _sender(settings, db)),
            "poster": service.beating(db, "poster", _poster(settings, db)),
            "relay": service.relay_loop(settings, NAME),
        },
        commands=service.commands(settings, NAME),
        close=db.close,
    )


def _seed(settings: Settings, db: Database) -> Job:
    async def seed() -> None:
        await actions.load_pack(db, reader.read(settings.pack_path or reader.default_pack_path()))

    return seed


def _api(settings: Settings, db: Database) -> Loop:
    async def serve(stop: asyncio.Event) -> None:
        remote = service.RemoteVerifier(settings)
        try:
            server = Server(NAME, remote.verifier, settings.grpc_host, settings.grpc_port)
            add(server, settings, db)
            server.stands(Standing(db, ("relay", "consumer", "sender", "poster")))
            await asyncio.gather(server.run(stop), remote.watch(stop))
        finally:
            await remote.close()

    return serve


def add(server: Server, settings: Settings, db: Database) -> None:
    desk = actions.WebhookDesk(db, Vault(settings.service_secret), is_demo=settings.demo_mode)
    servicer = api.NotificationsApi(db, desk, actions.PreferenceDesk(db, actions.RuleDesk()))
    server.add(
        notifications_pb2.DESCRIPTOR.services_by_name["NotificationsService"],
        api.AUTHORITY,
        lambda grpc_server: notifications_pb2_grpc.add_NotificationsServiceServicer_to_server(servicer, grpc_server),
    )


def _consumer(settings: Settings, db: Database) -> Loop:
    async def hear(stop: asyncio.Event) -> None:
        identity = channel(settings.identity_target)
        directory = Directory(IdentityDirectory(identity, lambda: service.own_token(settings, NAME)).ask)
        teller = actions.Teller(db, actions.RuleDesk(), directory)
        heard = service.subscription(settings, events.GROUP, events.TOPICS)
        try:
            await Consumer(db, heard, events.GROUP, events.handlers(teller), events.prepare(teller)).run(stop)
        finally:
            await identity.close()

    return hear


def _sender(settings: Settings, db: Database) -> Loop:
    async def send(stop: asyncio.Event) -> None:
        way_out = OpeningMailer(mailer(settings), Sealer(settings.service_secret))
        at_once_max = SMTP_LETTERS_AT_ONCE_MAX if settings.smtp_host else FILES_AT_ONCE_MAX
        sender = actions.Sender(db, way_out, at_once_max)
        await asyncio.gather(sender.run(stop), actions.Gatherer(db, actions.RuleDesk()).run(stop))

    return send


def _poster(settings: Settings, db: Database) -> Loop:
    async def post(stop: asyncio.Event) -> None:
        egress = Egress(loopback_allowed=settings.demo_mode)
        try:
            await actions.Poster(db, Vault(settings.service_secret), egress).run(stop)
        finally:
            await egress.close()

    return post


def mailer(settings: Settings) -> Mailer:
    if settings.smtp_host:
        return SmtpMailer(
            settings.mail_from,
            settings.smtp_host,
            settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password,
            security=settings.smtp_security,
        )
    if settings.home is None:
        raise ValueError("mail needs PORTOLAN_SMTP_HOST, or PORTOLAN_HOME for a maildir")
    return MaildirMailer(settings.home / MAIL_FOLDER, settings.mail_from)
