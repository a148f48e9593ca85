"""kill -9 of any process, at any moment: the same final states, charges and notifications."""

import random
import threading
import time
from collections.abc import Iterator

import pytest
from packs.reader import default_pack_path
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Demo
from portolan_cli.embedded import ports
from portolan_cli.golden import load_all, play

from tests.journeys.conftest import SERVICES, System, home

CASES = load_all(default_pack_path())
PAUSES_S = (0.15, 0.9)
KILLS_MAX = 6


class Killer(threading.Thread):
    """Kills one service again and again, at moments nobody chose, while a case is played."""

    def __init__(self, system: System, service: str) -> None:
        super().__init__(daemon=True)
        self._system, self._service = system, service
        self._over = threading.Event()
        self.kills = 0

    def run(self) -> None:
        while self.kills < KILLS_MAX and not self._over.wait(random.uniform(*PAUSES_S)):
            pid = self._system.pid(self._service)
            try:
                self._system.kill(self._service)
            except ProcessLookupError:
                continue
            self.kills += 1
            while not self._over.wait(0.1) and self._system.pid(self._service) == pid:
                pass

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_killed_during_the_demo_changes_nothing_but_the_time_it_takes(
    system: System, demo: Demo, service: str
) -> None:
    killer = Killer(system, service)
    killer.start()
    try:
        plays = [play(case, demo, eventual_s=90, patience_s=90) for case in CASES]
    finally:
        killer.stop()
    assert killer.kills > 0
    assert [difference for one in plays for difference in one.differences] == []


@pytest.fixture
def own_system() -> Iterator[System]:
    with home() as folder:
        yield System(folder, ports.free())


def test_the_whole_tree_killed_starts_again_on_the_same_data_and_then_stops_cleanly(own_system: System) -> None:
    own_system.start()
    demo = own_system.demo
    reference = play(CASES[0], demo)
    assert reference.differences == []
    own_system.kill_everything()
    time.sleep(0.5)
    own_system.start()
    assert own_system.demo_content()["clients"] == [dict(client) for client in demo.clients]
    broker = own_system.demo.actor(kind="broker", role="declarant")
    with Portolan(own_system.base_url) as portolan:
        for document in reference.documents.values():
            again = portolan.get(f"/v1/documents/{document.id}/timeline", broker.credentials)
            assert again["state"] == next(iter(reference.timelines.values()))["state"]
    assert play(CASES[0], own_system.demo).differences == []
    assert own_system.stop() == 0
