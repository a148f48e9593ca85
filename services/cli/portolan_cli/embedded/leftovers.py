"""PostgreSQL processes that outlived whoever started them, found by the folder they work in (a pid file may lie)."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

FAST_STOP_S = 15.0
IMMEDIATE_STOP_S = 5.0
KILL_S = 5.0
POLL_S = 0.05


def working_in(folder: Path) -> list[int]:
    """The postmaster and its children all have the data folder as their working directory."""
    wanted = os.path.realpath(folder)
    return [pid for pid in processes() if working_directory(pid) == wanted and pid != os.getpid()]


def processes() -> list[int]:
    proc = Path("/proc")
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()] if proc.is_dir() else []


def working_directory(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None


def stop(data: Path) -> bool:
    """Ends whatever still runs on the data folder; True if there was something."""
    if not working_in(data):
        return False
    for number, patience_s in (
        (signal.SIGINT, FAST_STOP_S),
        (signal.SIGQUIT, IMMEDIATE_STOP_S),
        (signal.SIGKILL, KILL_S),
    ):
        tell(postmaster(data), number)
        if gone(data, patience_s):
            return True
    raise TimeoutError(f"processes {working_in(data)} still work in {data}")


def postmaster(data: Path) -> list[int]:
    """The postmaster alone where it lives (it ends its children itself), else whoever is left."""
    left = working_in(data)
    with suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if pid in left:
            return [pid]
    return left


def tell(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def gone(data: Path, patience_s: float) -> bool:
    limit = time.monotonic() + patience_s
    while time.monotonic() < limit:
        if not working_in(data):
            return True
        time.sleep(POLL_S)
    return False


def forget_pid_file(data: Path) -> None:
    """After a crash the recorded number may belong to a stranger, which PostgreSQL would take for a running server."""
    file = data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        pid = int(file.read_text().splitlines()[0])
        if Path(f"/proc/{pid}").exists() and not working_in(data):
            file.unlink()
