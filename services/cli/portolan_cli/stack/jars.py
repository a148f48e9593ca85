"""Apache Kafka's jars: fetched by Maven once for all checkouts; an archive of its classes halves its start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portolan_cli.stack.failures import ServerMissing, StackFailed

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.properties")
CACHE_VARIABLE = "XDG_CACHE_HOME"
FETCH_S_MAX = 600.0
LOCK_POLL_S = 0.2
DIGEST_CHARS = 12
JVM_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={LOGGING}")


def java() -> str:
    found = shutil.which("java")
    if found is None:
        raise ServerMissing("java is not on PATH: install Java 17 or newer (apt-get install default-jre-headless)")
    return os.path.realpath(found)


def is_within_reach() -> bool:
    """Fetched before, or Maven could."""
    return shutil.which("java") is not None and (folder().is_dir() or shutil.which("mvn") is not None)


def cache() -> Path:
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else Path.home() / ".cache") / "portolan"


def folder() -> Path:
    """The jars of this very pom.xml."""
    return cache() / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:DIGEST_CHARS]}"


def archive() -> Path:
    """The classes as this Java has them; another Java would ignore them without a word."""
    program = Path(java())
    which = f"{program} {program.stat().st_mtime_ns} {JVM_FLAGS[:-1]}"
    return folder() / f"{hashlib.sha256(which.encode()).hexdigest()[:DIGEST_CHARS]}.jsa"


def fetch() -> Path:
    """Complete or not at all; whoever comes meanwhile waits."""
    if not folder().is_dir():
        with locked("kafka.lock"):
            if not folder().is_dir():
                _fetch()
    return folder()


@contextmanager
def locked(name: str) -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    limit = time.monotonic() + FETCH_S_MAX
    with (cache() / name).open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > limit:
                    raise StackFailed(f"{cache() / name} is held by another process") from error
                time.sleep(LOCK_POLL_S)
        yield


def _fetch() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerMissing("mvn is not on PATH, and fetches Apache Kafka: install it (apt-get install maven)")
    java()
    with tempfile.TemporaryDirectory(dir=cache(), prefix="kafka-") as draft:
        # A copy of its own: Maven writes beside the file it reads.
        shutil.copy(POM, draft)
        output = Path(draft) / "libs"
        command = [maven, "-q", "-B", "-f", str(Path(draft) / POM.name), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={output}"]
        done = subprocess.run(  # noqa: S603 - the command is ours
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S_MAX, check=False
        )
        if done.returncode != 0 or not output.is_dir():
            raise StackFailed(f"Maven did not fetch Apache Kafka:\n{done.stdout}{done.stderr}")
        output.rename(folder())


def command(heap: str, *arguments: str, archives: Path | None = None) -> Sequence[str]:
    """`archives`: write the archive of classes there at the end."""
    known = archive()
    if archives is not None:
        sharing = [f"-XX:ArchiveClassesAtExit={archives}"]
    else:
        sharing = [f"-XX:SharedArchiveFile={known}"] if known.exists() else []
    return [java(), f"-Xmx{heap}", *JVM_FLAGS, *sharing, *arguments]


def environment() -> dict[str, str]:
    # Not on the command line, where a shell would expand it.
    return {"PATH": os.environ.get("PATH", os.defpath), "CLASSPATH": f"{folder()}/*"}
