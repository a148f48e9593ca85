"""What befalls the system on real servers, one after another."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from portolan_cli.stack.process import Departure
from portolan_cli.stack.service import ServiceProcess

from tests.misfortunes import quorum
from tests.misfortunes.faults import LEAVE_S_MAX, Fault, NotPossible, Wrong
from tests.misfortunes.real_stack import RealStack
from tests.misfortunes.upgrade import upgraded

PAUSE_S = 30.0
AWAY_S = 4.0
FULL_S = 6.0
CLOCK_S = 8.0
CLOCK_AHEAD_S = 600
ACKS_AGAIN_S_MAX = 20.0
LOOK_S = 0.1
# A service of each role: the one that dates tokens, and one that dates documents.
WRONG_CLOCKS = ("identity", "intake")
PAUSED = ("billing", "consumer")
SHORT_KILLS = frozenset({"intake api", "routing consumer", "billing relay", "notifications consumer", "gateway api"})
SHORT_LEAVES = frozenset({"routing api", "intake consumer", "gateway api"})


class Poison:
    """An event that says it is a submission and is not. Whoever hears it must bury it and go on."""

    def __init__(self) -> None:
        self.event_ids: list[str] = []

    def swallow(self, intake_url: str) -> None:
        event_id = str(uuid.uuid4())
        self.event_ids.append(event_id)
        with psycopg.connect(intake_url) as intake:
            intake.execute(
                """
                insert into outbox (event_id, topic, key, type, payload, traceparent, created_at)
                select %s, topic, %s, type, %s, '', %s from outbox where type like '%%DocumentSubmitted' limit 1
                """,
                [event_id, str(uuid.uuid4()), b"\xff\xff\xff not a message", datetime.now(UTC)],
            )


def of_stack(machine: RealStack, poison: Poison, folder: Path) -> list[Fault]:
    """Every one of them; `folder` holds tomorrow's code."""
    killed = [_killed(name, one) for name, one in machine.processes()]
    left = [_left(name, one) for name, one in machine.processes()]
    clocks = [_clock_ahead(machine, service) for service in WRONG_CLOCKS]
    upgrades = [_upgraded(machine, service, folder) for service in machine.services()]
    return [*killed, *_servers(machine, PAUSE_S), _poisoned(machine, poison), _full(machine), *clocks, *left, *upgrades]


def shortened(machine: RealStack, poison: Poison, folder: Path) -> list[Fault]:
    """One of each sort, for every change."""
    killed = [_killed(name, one) for name, one in machine.processes() if name in SHORT_KILLS]
    left = [_left(name, one) for name, one in machine.processes() if name in SHORT_LEAVES]
    others = [_poisoned(machine, poison), _full(machine), _clock_ahead(machine, "identity")]
    return [*killed, *_servers(machine, 5.0), *others, *left, _upgraded(machine, "billing", folder)]


def of_three_brokers(machine: RealStack) -> list[Fault]:
    return [Fault("loss of the controller of three", lambda: _lost_controller(machine))]


def _killed(name: str, process: ServiceProcess) -> Fault:
    def strike() -> None:
        process.kill9()
        process.start()

    return Fault(f"kill -9 {name}", strike)


def _left(name: str, process: ServiceProcess) -> Fault:
    def strike() -> None:
        departure = process.restart()
        _must_be_quiet(name, departure)

    return Fault(f"SIGTERM {name}", strike)


def _must_be_quiet(name: str, departure: Departure) -> None:
    if departure.exit_code != 0 or departure.seconds > LEAVE_S_MAX:
        raise Wrong(f"{name} left with {departure.exit_code} after {departure.seconds:.1f} s")


def _servers(machine: RealStack, pause_s: float) -> Sequence[Fault]:
    stack = machine.stack
    consumer = stack.process(*PAUSED)
    brokers = [broker.kill9 for broker in stack.servers.kafka.brokers]
    return (
        Fault("broker kill -9, started again", lambda: _each(*brokers, stack.servers.kafka.start)),
        Fault("broker's data deleted", lambda: _each(stack.servers.kafka.wipe, stack.servers.kafka.start)),
        Fault("Redis killed", lambda: _each(stack.redis.kill9, lambda: time.sleep(AWAY_S), stack.redis.start)),
        Fault("Redis flushed", stack.redis.flush),
        Fault("PostgreSQL kill -9, started again", lambda: _each(stack.postgres.kill9, stack.postgres.start)),
        Fault(
            f"SIGSTOP {' '.join(PAUSED)} {pause_s:.0f} s",
            lambda: _each(consumer.pause, lambda: time.sleep(pause_s), consumer.resume),
        ),
    )


def _each(*deeds: Callable[[], object]) -> None:
    for deed in deeds:
        deed()


def _poisoned(machine: RealStack, poison: Poison) -> Fault:
    return Fault("a poison event", lambda: poison.swallow(machine.databases()["intake"]))


def _full(machine: RealStack) -> Fault:
    """A broker whose disk is full ends itself; with room again it is started."""

    def strike() -> None:
        if not machine.disk.is_bounded:
            raise NotPossible("no small disk can be mounted here")
        machine.disk.fill()
        time.sleep(FULL_S)
        machine.disk.empty()
        _each(*(broker.kill9 for broker in machine.stack.servers.kafka.brokers), machine.stack.servers.kafka.start)

    return Fault("broker's disk full", strike)


def _clock_ahead(machine: RealStack, service: str) -> Fault:
    def strike() -> None:
        for process in machine.of_service(service):
            process.own["PORTOLAN_CLOCK_AHEAD_S"] = str(CLOCK_AHEAD_S)
            process.restart()
        time.sleep(CLOCK_S)
        for process in machine.of_service(service):
            del process.own["PORTOLAN_CLOCK_AHEAD_S"]
            process.restart()

    return Fault(f"clock of {service} 10 min ahead", strike)


def _upgraded(machine: RealStack, service: str, folder: Path) -> Fault:
    def strike() -> None:
        upgraded(service, machine.of_service(service), folder)

    return Fault(f"upgrade of {service}", strike)


def _lost_controller(machine: RealStack) -> None:
    """Whoever leads the quorum is killed; the others must take what the relays bring within 20 s."""
    kafka = machine.stack.servers.kafka
    broker = kafka.broker(quorum.leader(kafka.bootstrap))
    broker.kill9()
    seconds = _published_again(machine.databases()["intake"])
    broker.start()
    if seconds > ACKS_AGAIN_S_MAX:
        raise Wrong(f"acknowledgements flowed again after {seconds:.1f} s")


def _published_again(intake_url: str) -> float:
    """Seconds until something written after this moment was acknowledged by the brokers."""
    began = time.monotonic()
    question = "select exists (select from outbox where created_at > %s and published_at is not null)"
    moment = datetime.now(UTC)
    while time.monotonic() - began < 3 * ACKS_AGAIN_S_MAX:
        with psycopg.connect(intake_url) as intake:
            row = intake.execute(question, [moment]).fetchone()
        if row and row[0]:
            break
        time.sleep(LOOK_S)
    return time.monotonic() - began
