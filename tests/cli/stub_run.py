"""A supervisor of two small servers, run as a process of its own by test_cli_supervisor.py."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from portolan_cli.embedded import health, ports
from portolan_cli.embedded.plan import ServicePlan
from portolan_cli.embedded.supervisor import Supervisor

SERVER = """
import os, signal, socket, sys, time
name, port, home, behaviour = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
def leave(*_):
    with open(f"{home}/left", "a") as file:
        file.write(name + chr(10))
    if behaviour != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, leave)
if behaviour == "broken":
    sys.exit("this service is broken")
listener = socket.create_server(("127.0.0.1", port))
while True:
    listener.accept()[0].close()
"""


class StubSupervisor(Supervisor):
    behaviours: Sequence[str] = ("plain", "plain")

    def plans(self) -> Sequence[ServicePlan]:
        return [self._stub(name, how) for name, how in zip(("first", "second"), self.behaviours, strict=True)]

    def _stub(self, name: str, behaviour: str) -> ServicePlan:
        port = ports.free()
        command = [sys.executable, "-c", SERVER, name, str(port), str(self.home), behaviour]
        return ServicePlan(name, command, {}, self.home / "log" / f"{name}.log", grpc_port=port)


async def accepts(plan: ServicePlan) -> bool:
    return await health.accepts(plan.grpc_port)


async def main() -> None:
    home = Path(sys.argv[1])
    supervisor = StubSupervisor(home, home, ports.free(), probe=accepts)
    supervisor.behaviours = sys.argv[2:4]
    async with supervisor.running():
        await supervisor.wait_stopped()


if __name__ == "__main__":
    asyncio.run(main())
