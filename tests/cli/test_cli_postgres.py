"""PostgreSQL in a folder: starts anywhere, survives anything, belongs to nobody else."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import portolan_cli
import psycopg
import pytest
from portolan_cli.embedded import leftovers, server_user
from portolan_cli.embedded.child import SAME, Identity
from portolan_cli.embedded.postgres import EmbeddedPostgres, PostgresFailed, binaries
from portolan_cli.embedded.server_user import NoServerUser

PACKAGE = Path(portolan_cli.__file__).parent

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

OWNER = """
import sys, time
import psycopg
from portolan_cli.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1])
server.start()
with psycopg.connect(server.createdb("kept")) as connection:
    connection.execute("create table if not exists notes (text text)")
    connection.execute("insert into notes values ('durable')")
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's own folder, which every run of pytest closes to others: the server's user must pass.
    with tempfile.TemporaryDirectory(prefix="portolan-postgres-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"
        leftovers.stop(Path(folder) / "home" / "postgres" / "data")


def owner(home: Path, *prefix: str, environment: dict[str, str] | None = None) -> tuple[subprocess.Popen[str], int]:
    """A process that runs the server and has written one row; and the server's own process id."""
    command = [*prefix, sys.executable, "-c", OWNER, str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def notes(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.url("kept")) as connection:
        row = connection.execute("select count(*) from notes").fetchone()
    assert row is not None
    return int(row[0])


def test_it_starts_durable_and_only_on_the_loopback(home: Path) -> None:
    with EmbeddedPostgres(home) as server, psycopg.connect(server.url()) as connection:
        shown = {
            name: connection.execute("select current_setting(%s)", (name,)).fetchone()
            for name in ("fsync", "synchronous_commit", "data_checksums", "server_encoding", "listen_addresses")
        }
        version = connection.info.server_version
    assert version >= 180000
    assert [row and row[0] for row in shown.values()] == ["on", "on", "on", "UTF8", "127.0.0.1"]


def test_the_password_is_for_the_owner_only_and_is_needed(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        assert stat.S_IMODE((home / "postgres.password").stat().st_mode) == 0o600
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://portolan:wrong@127.0.0.1:{server.port}/postgres")


def test_it_stops_and_starts_again_on_the_same_data(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    with psycopg.connect(server.createdb("kept")) as connection:
        connection.execute("create table notes (text text)")
    port = server.port
    server.stop()
    server.start()
    assert server.createdb("kept") == server.url("kept")
    assert (notes(server), server.port) == (0, port)
    server.dropdb("kept")
    server.stop()
    assert not server.is_running


def test_it_starts_again_after_everything_was_killed(home: Path) -> None:
    process, postmaster = owner(home)
    process.kill()
    os.kill(postmaster, signal.SIGKILL)
    process.communicate()
    with EmbeddedPostgres(home) as server:
        assert notes(server) == 1


def test_it_dies_with_the_process_that_started_it(home: Path) -> None:
    process, _ = owner(home)
    process.kill()
    process.communicate()
    limit = time.monotonic() + 10
    while leftovers.working_in(home / "postgres" / "data"):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_an_orphan_on_the_same_data_is_stopped_first(home: Path) -> None:
    starts_in_a_thread = OWNER.replace(
        "server.start()", "import threading; t = threading.Thread(target=server.start); t.start(); t.join()"
    )
    command = [sys.executable, "-c", starts_in_a_thread, str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    orphan = int(process.stdout.readline())
    process.kill()
    process.communicate()
    assert orphan in leftovers.working_in(home / "postgres" / "data")
    with EmbeddedPostgres(home) as server:
        assert server.pid != orphan
        assert orphan not in leftovers.working_in(server.data)
        assert notes(server) == 1


def test_a_pid_file_that_names_a_stranger_is_forgotten(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n0\n{server.port}\n\n127.0.0.1\n")
    with server:
        assert server.is_running


def test_one_folder_has_one_owner(home: Path) -> None:
    with EmbeddedPostgres(home), pytest.raises(PostgresFailed, match="another process already runs"):
        EmbeddedPostgres(home).start()


def test_a_half_made_cluster_is_made_anew(home: Path) -> None:
    (home / "postgres" / "draft" / "base").mkdir(parents=True)
    with EmbeddedPostgres(home) as server:
        assert server.data.is_dir()
        assert not (server.folder / "draft").exists()


def test_what_the_server_said_is_in_the_refusal(home: Path) -> None:
    with pytest.raises(PostgresFailed, match="unrecognized configuration parameter"):
        EmbeddedPostgres(home, settings={"no_such_setting": "1"}).start()


@needs_root
def test_as_root_the_server_runs_as_an_unprivileged_user(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        uid = Path(f"/proc/{server.pid}").stat().st_uid
        assert uid == server_user.unprivileged_user().pw_uid
        assert server.folder.stat().st_uid == uid


@needs_root
def test_as_root_in_a_closed_folder_it_runs_in_a_user_namespace(home: Path) -> None:
    home.parent.chmod(0o700)
    with EmbeddedPostgres(home) as server:
        server.createdb("kept")
        assert server.folder.stat().st_uid == 0
        namespace = os.readlink(f"/proc/{server.pid}/ns/user")
        assert namespace != os.readlink("/proc/self/ns/user")


@needs_root
def test_a_folder_that_was_closed_and_is_open_now_changes_its_owner(home: Path) -> None:
    home.mkdir()
    home.parent.chmod(0o700)
    with EmbeddedPostgres(home) as server:
        assert server.folder.stat().st_uid == 0
    home.parent.chmod(0o711)
    with EmbeddedPostgres(home) as server:
        assert server.folder.stat().st_uid == server_user.unprivileged_user().pw_uid


@needs_root
def test_when_no_way_is_open_the_refusal_says_what_helps(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_user, "probe", lambda identity, folder, postgres: f"{identity.manner}: not allowed")
    with pytest.raises(NoServerUser, match=r"user: not allowed[\s\S]*namespace: not allowed[\s\S]*o\+x"):
        EmbeddedPostgres(home).start()


@needs_root
def test_an_ordinary_user_runs_it_directly(home: Path) -> None:
    user = next(user for user in pwd.getpwall() if user.pw_uid >= 1000 or user.pw_name == "nobody")
    python = interpreter_for(user)
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    process = subprocess.Popen(
        [python, "-c", OWNER, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        # Another interpreter does not read our virtual environment's .pth files.
        env={"PYTHONPATH": ":".join([*sys.path, str(PACKAGE.parent)]), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )
    assert process.stdout is not None
    postmaster = int(process.stdout.readline())
    assert Path(f"/proc/{postmaster}").stat().st_uid == user.pw_uid
    process.kill()
    process.communicate()


def interpreter_for(user: pwd.struct_passwd) -> str:
    """The tests' own interpreter may live where only root may go; any of the same version does."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if Path(candidate).exists() and runs_for(user, candidate):
            return candidate
    pytest.skip(f"no {name} that an ordinary user may run")


def runs_for(user: pwd.struct_passwd, python: str) -> bool:
    command = [python, "-I", "-S", "-c", ""]
    try:
        subprocess.run(command, check=True, user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def test_another_users_folder_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(NoServerUser, match="PORTOLAN_HOME"):
        server_user.require_own(tmp_path)


def test_the_binaries_answer(tmp_path: Path) -> None:
    nobody_else = SAME if os.geteuid() else Identity("namespace", *server_user.unprivileged_user()[2:4])
    assert server_user.probe(nobody_else, tmp_path, binaries() / "postgres") is None
