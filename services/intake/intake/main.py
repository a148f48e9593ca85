"""Builds intake, by hand, in one place."""

import asyncio
from datetime import timedelta
from pathlib import Path

import packs
from kit import telemetry
from kit.auth import TokenVerifier
from kit.consumer import Consumer
from kit.database import Database
from kit.errors import Unavailable
from kit.grpc import Server, channel
from kit.process import Job, Loop, Parts
from kit.service import RemoteVerifier, commands, migrate_job, own_token, relay_loop, subscription
from kit.standing import Standing, answers
from portolan.identity.v1 import identity_pb2_grpc
from portolan.intake.v1 import intake_pb2, intake_pb2_grpc

from intake.actions import accessing, catalogue, expiring, keys, measuring
from intake.actions.accessing import AccessLog
from intake.actions.amending import AmendmentDesk
from intake.actions.attaching import Attachments
from intake.actions.completing import StageDesk
from intake.actions.copying import Copyist
from intake.actions.declaring import DeclarationDesk
from intake.actions.directory import Directory, ProfilesTold
from intake.actions.drafting import DraftDesk, Limits
from intake.actions.filing import FilingDesk
from intake.actions.following import TimelineWatch
from intake.actions.register import Register
from intake.actions.submitting import SubmissionDesk
from intake.api import AUTHORITY, IntakeApi
from intake.api.drafts import Drafts
from intake.domain.rulebook import Rulebooks
from intake.events import GROUP, TOPICS, handlers
from intake.settings import Settings
from intake.store.files import FileStore, FolderStore
from intake.store.objects import ObjectStore
from intake.store.viruses import Clamd, NoSearch

SERVICE = "intake"
MIGRATIONS = Path(__file__).parent / "migrations"
DESCRIPTOR = intake_pb2.DESCRIPTOR.services_by_name["IntakeService"]


async def build(settings: Settings) -> Parts:
    db = await Database.open(settings.database_url, size_max=settings.database_connections_max)
    return Parts(
        jobs={"migrate": migrate_job(settings, SERVICE, MIGRATIONS), "seed": _seed_job(settings, db)},
        loops={
            "api": _api_loop(settings, db),
            "consumer": _consumer_loop(settings, db),
            "relay": relay_loop(settings, SERVICE),
        },
        commands=commands(settings, SERVICE),
        close=db.close,
    )


def _seed_job(settings: Settings, db: Database) -> Job:
    async def job() -> None:
        await catalogue.load(db, packs.read(settings.pack_path or packs.default_pack_path()))

    return job


def _api_loop(settings: Settings, db: Database) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        rulebooks = await catalogue.loaded(db)
        register = Register(db, await keys.signing_key(db, settings.service_secret))
        identity = channel(settings.identity_target)
        remote = RemoteVerifier(settings)
        told = ProfilesTold(remote.shared, settings.service_secret) if settings.redis_url else None
        stub = identity_pb2_grpc.IdentityServiceStub(identity)
        directory = Directory(stub, lambda: own_token(settings, SERVICE), told)
        watch = TimelineWatch(db, remote.shared)
        attachments, accesses = await _attachments(settings, db), AccessLog(db)
        drafts = DraftDesk(db, rulebooks, directory, draft_limits(settings))
        server = api_server(
            *(settings, db, rulebooks, remote.verifier, directory, register, watch, attachments, accesses, drafts)
        )
        check = answers("attachments", "ATTACHMENTS_DOWN", attachments.check)
        server.stands(Standing(db, ("relay", "consumer"), [check]))
        register.open()
        try:
            await asyncio.gather(
                *(server.run(stop), watch.run(stop), attachments.run(stop), accesses.run(stop), drafts.run(stop)),
                accessing.keep_numbering(db, stop),
                *(remote.watch(stop), catalogue.watch(db, rulebooks, stop)),
            )
        finally:
            await register.close()
            await accesses.close()
            await remote.close()
            await identity.close()

    return loop


def draft_limits(settings: Settings) -> Limits:
    return Limits(settings.drafts_max, timedelta(days=settings.draft_retention_days))


async def _attachments(settings: Settings, db: Database) -> Attachments:
    files = _file_store(settings)
    try:
        await files.open()
    except Unavailable as error:
        # Documents do not wait for attachments: these are refused until they can be written.
        telemetry.log().error("attachments_unavailable", reason=str(error.__cause__ or error))
    search = Clamd(settings.clamd_address) if settings.clamd_address else NoSearch()
    return Attachments(db, files, search, settings.attachment_bytes_max)


def _file_store(settings: Settings) -> FileStore:
    if not settings.attachments_endpoint:
        return FolderStore((settings.home or Path(".portolan")) / "attachments")
    return ObjectStore(
        settings.attachments_endpoint,
        settings.attachments_bucket,
        settings.attachments_access_key,
        settings.attachments_secret_key,
        settings.attachments_region,
    )


def api_server(
    settings: Settings,
    db: Database,
    rulebooks: Rulebooks,
    verifier: TokenVerifier,
    directory: Directory,
    register: Register,
    watch: TimelineWatch,
    attachments: Attachments,
    accesses: AccessLog,
    drafts: DraftDesk,
) -> Server:
    server = Server(SERVICE, verifier, settings.grpc_host, settings.grpc_port)
    desk = SubmissionDesk(rulebooks, verifier, directory, register)
    amendments = AmendmentDesk(db, rulebooks, directory, register)
    declarations = DeclarationDesk(db, rulebooks, directory, register)
    about_drafts = Drafts(drafts, Copyist(db, rulebooks, drafts), FilingDesk(drafts, desk, register))
    stages = StageDesk(db, rulebooks, directory, amendments)
    api = IntakeApi(
        *(db, rulebooks, directory, desk, amendments, declarations, stages),
        *(watch, attachments, accesses, about_drafts),
    )
    server.add(DESCRIPTOR, AUTHORITY, lambda grpc: intake_pb2_grpc.add_IntakeServiceServicer_to_server(api, grpc))
    return server


def _consumer_loop(settings: Settings, db: Database) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        rulebooks = await catalogue.loaded(db)
        heard = subscription(settings, GROUP, TOPICS)
        consumer = Consumer(db, heard, GROUP, handlers(rulebooks), by_key=True)
        await asyncio.gather(
            consumer.run(stop),
            catalogue.watch(db, rulebooks, stop),
            expiring.watch(db, rulebooks, stop),
            measuring.watch(db, stop),
        )

    return loop
