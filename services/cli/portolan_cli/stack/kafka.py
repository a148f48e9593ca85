"""Apache Kafka in KRaft mode on the loopback: one broker, or three that hold every record in three copies."""

from __future__ import annotations

import base64
import logging
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from portolan_cli.embedded import ports
from portolan_cli.stack import jars, leftovers
from portolan_cli.stack.failures import StackFailed
from portolan_cli.stack.process import Process

BROKER_COUNTS = (1, 3)
HEAP = "256m"
FORMAT_S_MAX = 60.0
ASK_MS = 3000
ASK_BOOTSTRAP_MS = 1000
CLUSTER_READY_S_MAX = 90.0
POLL_S = 0.1

# A new incarnation of a killed broker waits for its old session to end: 3 s instead of 9.
SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.segment.bytes": "67108864",
}
REPLICATED = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")

PortOf = Callable[[str], int]


class Broker(Process):
    """Broker and controller in one."""

    ready_s_max = CLUSTER_READY_S_MAX

    def __init__(self, cluster: KafkaCluster, number: int, data: Path) -> None:
        super().__init__(f"kafka-{number}", cluster.home / "log" / f"kafka-{number}.log")
        self.number = number
        self.data = data
        self.port = cluster.port_of(f"kafka-{number}")
        self.controller_port = cluster.port_of(f"kafka-{number}-controller")
        self._cluster = cluster

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    def folder(self) -> Path:
        return self._cluster.folder

    @property
    def configuration(self) -> Path:
        return self._cluster.folder / f"{self.number}.properties"

    def prepare(self) -> None:
        self._cluster.folder.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text("".join(f"{name}={value}\n" for name, value in self._settings().items()))
        if not (self.data / "meta.properties").exists():
            self._format()

    def command(self) -> Sequence[str]:
        return jars.command(HEAP, "kafka.Kafka", str(self.configuration), archives=self._cluster.archives)

    def environment(self) -> Mapping[str, str]:
        return {**jars.environment(), leftovers.MARK: self._cluster.mark}

    def is_ready(self) -> bool:
        """Asked by its own port: the others list a dead broker as alive until its session ends."""
        return self.sees() > 0

    def sees(self) -> int:
        """How many brokers this one knows to be in service; 0 when it does not answer, or is not in service itself."""
        # A refused connection costs nothing; the client would try it for a second.
        if not self.is_running or ports.is_free(self.port):
            return 0
        try:
            serving = _brokers_seen_at(self.address)
        except (KafkaError, OSError):
            return 0
        return len(serving) if self.number in serving else 0

    def wipe(self) -> None:
        """Its disk is empty when it starts again. The only broker of a cluster comes back as another cluster."""
        self.kill9()
        shutil.rmtree(self.data, ignore_errors=True)
        if len(self._cluster.brokers) == 1:
            self._cluster.forget_id()

    def _format(self) -> None:
        # '-t=': an id may begin with '-'.
        tool = ("kafka.tools.StorageTool", "format", f"-t={self._cluster.cluster_id}", f"-c={self.configuration}")
        done = subprocess.run(  # noqa: S603 - the command is ours
            jars.command(HEAP, *tool),
            env=jars.environment(),
            capture_output=True,
            text=True,
            timeout=FORMAT_S_MAX,
            check=False,
        )
        if done.returncode != 0:
            raise StackFailed(f"the storage of {self.name} was not formatted:\n{done.stdout}{done.stderr}")

    def _settings(self) -> dict[str, str]:
        copies, in_sync = self._cluster.copies, self._cluster.in_sync
        client, control = f"PLAINTEXT://{self.address}", f"CONTROLLER://{ports.LOOPBACK}:{self.controller_port}"
        own = {
            "node.id": str(self.number),
            "controller.quorum.voters": self._cluster.voters,
            "listeners": f"{client},{control}",
            "advertised.listeners": client,
            "log.dirs": str(self.data),
            "default.replication.factor": str(copies),
            "min.insync.replicas": str(in_sync),
        }
        for topic in REPLICATED:
            own |= {f"{topic}.replication.factor": str(copies)}
            own |= {} if topic == "offsets.topic" else {f"{topic}.min.isr": str(in_sync)}
        return {**SETTINGS, **own}


class KafkaCluster:
    """`data`: where the brokers keep their logs, if that is to be another disk than `home`'s."""

    def __init__(
        self,
        home: Path,
        brokers: int,
        port_of: PortOf,
        mark: str,
        data: Path | None = None,
        archives: Path | None = None,
    ) -> None:
        if brokers not in BROKER_COUNTS:
            raise StackFailed(f"Apache Kafka runs here with 1 broker or with 3, not with {brokers}")
        self.home = home
        self.folder = home / "kafka"
        self.mark = mark
        self.port_of = port_of
        self.archives = archives
        self.copies = brokers
        self.in_sync = 2 if brokers > 1 else 1
        where = data or self.folder
        self.brokers = [Broker(self, number, where / f"data-{number}") for number in range(1, brokers + 1)]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.address for broker in self.brokers)

    @property
    def voters(self) -> str:
        return ",".join(f"{one.number}@{ports.LOOPBACK}:{one.controller_port}" for one in self.brokers)

    @property
    def cluster_id(self) -> str:
        """Chosen when the first storage is formatted, and kept as long as any of it."""
        file = self.folder / "cluster.id"
        if not file.exists():
            file.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
        return file.read_text()

    def forget_id(self) -> None:
        (self.folder / "cluster.id").unlink(missing_ok=True)

    def broker(self, number: int) -> Broker:
        return self.brokers[number - 1]

    def launch(self) -> None:
        jars.fetch()
        for broker in self.brokers:
            broker.launch()

    def wait_ready(self) -> None:
        """Until every broker knows every broker to be in service."""
        limit = time.monotonic() + CLUSTER_READY_S_MAX
        while not all(broker.sees() == len(self.brokers) for broker in self.brokers):
            for broker in self.brokers:
                if not broker.is_running:
                    raise StackFailed(f"{broker.name} ended; the end of {broker.log}:\n{broker.log_tail()}")
            if time.monotonic() > limit:
                raise StackFailed(f"Apache Kafka is not ready after {CLUSTER_READY_S_MAX:.0f} s: see {self.folder}")
            time.sleep(POLL_S)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def wipe(self) -> None:
        """All brokers at once: the cluster comes back empty, with another id."""
        for broker in self.brokers:
            broker.wipe()
        self.forget_id()

    def stop(self) -> None:
        # Together: a broker hands over to the others while they are there.
        for broker in self.brokers:
            broker.ask_to_leave()
        for broker in self.brokers:
            broker.stop()


def archive_classes() -> None:
    """Once for each Java and version: the next brokers start in half the time."""
    with jars.locked("kafka-classes.lock"):
        if jars.archive().exists():
            return
        with tempfile.TemporaryDirectory(dir=jars.cache(), prefix="classes-") as folder:
            draft = Path(folder) / "draft.jsa"
            taken: set[int] = set()
            cluster = KafkaCluster(Path(folder), 1, lambda _: _another(taken), "classes", archives=draft)
            cluster.start()
            cluster.stop()
            if draft.exists():
                draft.rename(jars.archive())


def _another(taken: set[int]) -> int:
    taken.add(port := ports.free(frozenset(taken)))
    return port


def _brokers_seen_at(address: str) -> set[int]:
    with _quiet():
        admin = KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=ASK_BOOTSTRAP_MS, request_timeout_ms=ASK_MS
        )
        try:
            return {one["broker_id"] for one in admin.describe_cluster()["brokers"] if not one["is_fenced"]}
        finally:
            admin.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Each refused connection would be an error in the log, and waiting for a broker is nothing but these."""
    client = logging.getLogger("kafka")
    level = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(level)
