"""Real servers in the hands of a test: started, killed, paused, emptied, and never left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from portolan_cli.embedded import run_file
from portolan_cli.stack import leftovers, servers_file
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.postgres import ForeignPostgres
from portolan_cli.stack.servers import ROLE, Servers

from tests.servers import require

WAIT_S = 30.0
TOPIC = "test.kept.v1"
LAUNCHER = """
import signal, sys, time
from pathlib import Path
from portolan_cli.stack.servers import Servers
# Whoever is started in the background may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
with Servers(Path(sys.argv[1])) as servers:
    print(*(pid for server in servers.all for pid in server.pids), flush=True)
    time.sleep(600)
"""
# Whoever starts servers in a thread does not take them along.
CARELESS = LAUNCHER.replace(
    "with Servers(Path(sys.argv[1])) as servers:",
    """
import threading
servers = Servers(Path(sys.argv[1]))
thread = threading.Thread(target=servers.start); thread.start(); thread.join()
if True:""",
)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-stack-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def servers(home: Path) -> Iterator[Servers]:
    with Servers(home) as started:
        yield started


@pytest.fixture
def other_home() -> Iterator[Path]:
    require("kafka", "redis")
    with tempfile.TemporaryDirectory(prefix="portolan-stack-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        leftovers.end(leftovers.mark(Path(folder), ROLE))


def until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.05)


def produce(bootstrap: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for future in [producer.send(TOPIC, value=value) for value in values]:
        future.get(timeout=WAIT_S)
    producer.close(timeout=WAIT_S)


def consume(bootstrap: str) -> list[bytes]:
    consumer = KafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest", consumer_timeout_ms=3000
    )
    values = [record.value for record in consumer]
    consumer.close()
    return values


def create_topic(bootstrap: str, copies: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": copies}}, wait_for_metadata=True)
    admin.close()


def topics(bootstrap: str) -> set[str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


def test_all_three_answer_on_the_loopback(servers: Servers) -> None:
    assert servers.broker(1).sees() == 1
    with servers.redis.client() as client:
        assert client.ping()
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
    with psycopg.connect(servers.databases.createdb("anything")) as connection:
        assert connection.execute("select current_setting('max_connections')").fetchone() == ("300",)
    assert servers.kafka.bootstrap.startswith("127.0.0.1:")


def test_they_are_found_again_by_their_file(servers: Servers, home: Path) -> None:
    described = servers_file.read(home)
    assert described is not None
    assert servers_file.addresses_of(described) == servers.addresses
    assert set(described["servers"]) == {"postgres", "redis", "kafka-1"}
    assert described["launcher"]["pid"] == os.getpid()


def test_a_second_launcher_on_the_same_folder_is_refused(servers: Servers, home: Path) -> None:
    with pytest.raises(StackFailed, match="run by another process"):
        Servers(home).start()
    assert all(server.is_running for server in servers.all)


def test_a_killed_broker_comes_back_with_its_records_at_the_same_address(servers: Servers) -> None:
    broker, before = servers.broker(1), servers.kafka.bootstrap
    create_topic(before)
    produce(before, b"one", b"two")
    broker.kill9()
    assert not broker.is_running
    assert broker.sees() == 0
    broker.start()
    assert servers.kafka.bootstrap == before
    assert consume(before) == [b"one", b"two"]


def test_a_wiped_broker_comes_back_empty_as_another_cluster(servers: Servers) -> None:
    first = servers.kafka.cluster_id
    servers.broker(1).wipe()
    servers.broker(1).start()
    assert TOPIC not in topics(servers.kafka.bootstrap)
    assert servers.kafka.cluster_id != first


def test_redis_killed_and_flushed_forgets(servers: Servers) -> None:
    for forget in (servers.redis.kill9, servers.redis.flush):
        with servers.redis.client() as client:
            client.set("known", "yes")
        forget()
        servers.redis.start()
        with servers.redis.client() as client:
            assert client.get("known") is None


def test_postgres_killed_as_a_whole_keeps_what_was_committed(servers: Servers) -> None:
    url = servers.databases.createdb("kept")
    with psycopg.connect(url) as connection:
        connection.execute("create table notes as select 'durable' as text")
    port = servers.postgres.port
    servers.postgres.kill9()
    assert servers.postgres.pids == []
    servers.postgres.start()
    assert servers.postgres.port == port
    with psycopg.connect(url) as connection:
        assert connection.execute("select text from notes").fetchone() == ("durable",)


@pytest.mark.parametrize("name", ["redis", "postgres", "kafka-1"])
def test_a_paused_server_is_silent_and_goes_on(servers: Servers, name: str) -> None:
    answers: dict[str, Callable[[], bool]] = {
        "redis": servers.redis.is_ready,
        "postgres": lambda: accepts_queries(servers.postgres.url()),
        "kafka-1": servers.broker(1).is_ready,
    }
    server = next(one for one in servers.all if one.name == name)
    server.pause()
    assert server.is_running
    assert not answers[name]()
    server.resume()
    until(answers[name])


def accepts_queries(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_a_server_that_was_asked_to_leave_says_how_it_went(servers: Servers) -> None:
    departure = servers.redis.terminate()
    assert departure.exit_code == 0
    assert departure.seconds < 5
    assert "SIGTERM" in servers.redis.log.read_text()
    servers.redis.start()


def test_what_ended_by_itself_is_revived(servers: Servers) -> None:
    servers.redis.kill9()
    assert servers.revive() == ["redis"]
    servers.redis.wait_ready()
    assert servers.revive() == []


def test_any_postgresql_can_be_the_database(
    servers: Servers, other_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.postgres.url())
    foreign = Servers(other_home)
    assert [one.name for one in foreign.all] == ["redis", "kafka-1"]
    with psycopg.connect(foreign.databases.createdb("guest")) as connection:
        assert connection.info.dbname == "guest"
    with pytest.raises(StackFailed, match="not ours"):
        foreign.postgres.kill9()


def test_a_database_that_does_not_answer_is_named_by_its_variable() -> None:
    with pytest.raises(StackFailed, match="DATABASE_URL"):
        ForeignPostgres("postgresql://nobody@127.0.0.1:1/postgres").createdb("any")


def test_servers_die_with_their_launcher(other_home: Path) -> None:
    launcher, pids = launched(LAUNCHER, other_home)
    launcher.kill()
    launcher.communicate()
    until(lambda: not any(map(run_file.is_alive, pids)))
    assert servers_file.read(other_home) is None


def test_a_launcher_that_is_told_to_stop_leaves_nobody(other_home: Path) -> None:
    launcher, pids = launched(LAUNCHER, other_home)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate()
    assert not any(map(run_file.is_alive, pids))
    assert not (other_home / servers_file.FILE).exists()


def test_servers_that_outlived_their_launcher_are_ended_and_their_data_is_kept(other_home: Path) -> None:
    launcher, pids = launched(CARELESS, other_home)
    launcher.kill()
    launcher.communicate()
    assert all(map(run_file.is_alive, pids))
    with Servers(other_home) as again:
        assert not any(map(run_file.is_alive, pids))
        assert all(server.is_running for server in again.all)


def launched(program: str, home: Path) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def test_three_brokers_lose_one_and_go_on(other_home: Path) -> None:
    with Servers(other_home, brokers=3) as three:
        create_topic(three.kafka.bootstrap, copies=3)
        produce(three.kafka.bootstrap, b"before")
        three.broker(1).kill9()
        produce(three.kafka.bootstrap, b"during")
        assert consume(three.kafka.bootstrap) == [b"before", b"during"]
        three.broker(2).wipe()
        three.broker(1).start()
        three.broker(2).start()
        three.kafka.wait_ready()
        assert consume(three.kafka.bootstrap) == [b"before", b"during"]


def test_two_brokers_are_not_a_cluster(other_home: Path) -> None:
    with pytest.raises(StackFailed, match="1 broker or with 3"):
        Servers(other_home, brokers=2)
