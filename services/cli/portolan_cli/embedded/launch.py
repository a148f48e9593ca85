"""Becomes another program, after taking the identity it must run under and a promise to die with its parent.

Run as a plain file by a bare interpreter (`python -I -S launch.py …`): it costs a few milliseconds, imports nothing
of ours, and no Python runs between fork and exec in a process that may have threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
PARENT_GONE = 125


def become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def enter_namespace(uid: int, gid: int) -> None:
    """Called `uid` from now on, while the kernel still lets us at what our own user owns."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


def die_with(parent: int, signal_number: int) -> None:
    # After the change of identity, which clears the request.
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(PARENT_GONE)


def main() -> None:
    manner, uid, gid, parent, signal_number = sys.argv[1], *map(int, sys.argv[2:6])
    command = sys.argv[6:]
    if manner == "user":
        become(uid, gid)
    if manner == "namespace":
        enter_namespace(uid, gid)
    if signal_number:
        die_with(parent, signal_number)
    os.execv(command[0], command)  # noqa: S606 - the command is ours


if __name__ == "__main__":
    main()
