"""Which user PostgreSQL runs as: never root, always one that passwd knows and that reaches binaries and folder."""

import os
import pwd
import subprocess
from pathlib import Path

from portolan_cli.embedded import child
from portolan_cli.embedded.child import SAME, Identity

PREFERRED_USERS = ("postgres", "nobody")
PROBE_S = 20.0


class NoServerUser(Exception):
    """Nobody here can run PostgreSQL on that folder; the message says why and what helps."""


def choose(folder: Path, postgres: Path) -> Identity:
    """The identity under which `postgres` runs on `folder`, which then belongs to it."""
    if os.geteuid() != 0:
        return own_user(folder, postgres)
    user = unprivileged_user()
    refusals = []
    for manner in ("user", "namespace"):
        identity = Identity(manner, user.pw_uid, user.pw_gid)
        complaint = give_folder(folder, identity) or probe(identity, folder, postgres)
        if complaint is None:
            return identity
        refusals.append(complaint)
    raise NoServerUser(explain(folder, postgres, user.pw_name, refusals))


def own_user(folder: Path, postgres: Path) -> Identity:
    require_own(folder)
    complaint = probe(SAME, folder, postgres)
    if complaint is not None:
        raise NoServerUser(f"{postgres} does not run: {complaint}")
    return SAME


def require_own(folder: Path) -> None:
    """Only root may work in a folder of somebody else's."""
    owner, me = folder.stat().st_uid, os.geteuid()
    if me not in (0, owner):
        raise NoServerUser(
            f"{folder} belongs to user {owner}, and you are user {me}: it was made by somebody else (perhaps by root). "
            "Remove it, give it to yourself (chown -R), or set PORTOLAN_HOME to another folder."
        )


def unprivileged_user() -> pwd.struct_passwd:
    known = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    for name in (*PREFERRED_USERS, *known):
        if name in known:
            return known[name]
    raise NoServerUser("PostgreSQL refuses to run as root, and passwd names no other user: add one (useradd postgres).")


def give_folder(folder: Path, identity: Identity) -> str | None:
    """As `user` the folder is that user's; in a namespace it stays ours, which is then called by that user's name."""
    uid, gid = (identity.uid, identity.gid) if identity.manner == "user" else (os.geteuid(), os.getegid())
    if folder.stat().st_uid == uid:
        return None
    try:
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent, name), uid, gid, follow_symlinks=False)
        # Last, so that an interrupted change is seen and done again.
        os.chown(folder, uid, gid)
    except OSError as error:
        return f"cannot give {folder} to user {uid}: {error}"
    return None


def probe(identity: Identity, folder: Path, postgres: Path) -> str | None:
    """None if this identity starts the binary inside the folder, else what stopped it."""
    enter = ["/bin/sh", "-c", 'cd "$1" && test -w . && exec "$2" --version', "sh", str(folder), str(postgres)]
    try:
        done = child.run(enter, identity=identity, cwd=Path("/"), timeout_s=PROBE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr or done.stdout).strip() or f"exit {done.returncode}"


def explain(folder: Path, postgres: Path, user: str, refusals: list[str]) -> str:
    return "\n".join(
        (
            "PostgreSQL refuses to run as root, and no other way is open here:",
            f"  as user {user}: {refusals[0]}",
            f"  in a user namespace: {refusals[-1]}",
            f"The user {user} must be able to enter {folder} and {postgres.parent}: every folder above needs mode o+x.",
            "Clone into a folder that others may enter (for example under /opt or /srv), or run as an ordinary user.",
        )
    )
