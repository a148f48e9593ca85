"""One real PostgreSQL for the whole run; a fresh database for whoever asks."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kit import telemetry
from kit.database import Database
from kit.migrate import migrate
from kit.shared import redis
from kit.shared.redis import RedisShared
from kit.shared.sturdy import Sturdy
from kit.testing import TokenMint, create_database
from portolan_cli.embedded import ports
from portolan_cli.embedded.postgres import EmbeddedPostgres
from portolan_cli.stack.servers import Servers

from tests import servers
from tests.kit.redis_server import PATIENT_MS, RedisServer

telemetry.start("tests")

# What the caller's shell or make sets is not the tests' business.
OURS = ("PROFILE", "BROKERS", "DATABASE_URL")
for name in [name for name in os.environ if name.startswith("PORTOLAN_") or name in OURS]:
    del os.environ[name]

SERVICES = Path(__file__).resolve().parent.parent / "services"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The server's URL (its maintenance database)."""
    with tempfile.TemporaryDirectory(prefix="portolan-tests-") as home:
        Path(home).chmod(0o755)
        server = EmbeddedPostgres(Path(home))
        url = server.start()
        yield url
        server.stop()


@pytest.fixture
async def database_url(postgres_url: str) -> str:
    return await create_database(postgres_url)


@pytest.fixture
async def kit_database(database_url: str) -> AsyncIterator[Database]:
    """Only the kit's own tables."""
    await migrate(database_url, "nobody", SERVICES / "nowhere")
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def service_database(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[Database]:
    """`@pytest.mark.service("billing")` on the test or module says whose tables."""
    marker = request.node.get_closest_marker("service")
    assert marker is not None, "say whose tables with @pytest.mark.service(name)"
    name = marker.args[0]
    url = await create_database(postgres_url)
    await migrate(url, name, SERVICES / name / name / "migrations")
    database = await Database.open(url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def real_servers() -> Iterator[Servers]:
    """Apache Kafka (one broker), Redis and PostgreSQL for the whole run; skipped by name where they cannot be had."""
    servers.require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-servers-") as home:
        Path(home).chmod(0o755)
        with Servers(Path(home)) as started:
            yield started


@pytest.fixture(scope="session")
def mint() -> TokenMint:
    return TokenMint()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    servers.require("redis")
    server = RedisServer(tmp_path, ports.free(), "portolan-tests")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def patient_with_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not an absent Redis, but where a test says that it is frozen."""
    if "frozen" not in request.node.name:
        monkeypatch.setattr(redis, "TIMEOUT_MS", PATIENT_MS)


@pytest.fixture
async def shared(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sturdy]:
    monkeypatch.setattr(redis, "TIMEOUT_MS", PATIENT_MS)
    made = Sturdy(RedisShared(redis_server.url), 1)
    yield made
    await made.close()
