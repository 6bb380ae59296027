"""A process that holds a ledger, told apart from every other one, and whether it still lives.

A pid alone proves nothing (it is reused, and reset by a reboot), so host, boot and process start go with it.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_START = 19
_DEAD = ("Z", "X", "x")
"""Of the fields of /proc/PID/stat, counted from the state on."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, told apart from every other one. `started`: its start, immune to clock changes where possible."""

    host: str
    boot_id: str
    pid: int
    started: str


def this_process() -> Holder:
    """The running process as a holder."""
    return Holder(socket.gethostname(), _boot_id(), os.getpid(), _started(os.getpid()))


def is_alive(holder: Holder) -> bool:
    """Whether a holder on this very machine still runs. Only ask for holders whose host is this one."""
    if not _same_boot(holder.boot_id, _boot_id()):
        return False
    stat = _stat(holder.pid)
    if stat:
        # A killed process whose parent has not collected it still has a pid, but writes nothing any more.
        return stat[0] not in _DEAD and f"ticks:{stat[_START]}" == holder.started
    return _is_alive_elsewhere(holder)


def is_gone(holder: Holder) -> bool:
    """Whether a holder is certainly dead: it was on this machine, and does not run. Of other machines nobody knows."""
    return holder.host == this_process().host and not is_alive(holder)


def _is_alive_elsewhere(holder: Holder) -> bool:
    """The same where the kernel's own files do not tell."""
    import psutil

    try:
        if psutil.Process(holder.pid).status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return False
        return _started(holder.pid) == holder.started
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text().strip()
    except OSError:
        import psutil

        return f"boot:{psutil.boot_time():.0f}"


def _same_boot(one: str, other: str) -> bool:
    """Whether both name the same start of the machine; a boot time computed from the clock wobbles a little."""
    if one.startswith("boot:") and other.startswith("boot:"):
        return abs(int(one[5:]) - int(other[5:])) <= 120
    return one == other


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the process state on; [] where there are none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return fields if len(fields) > _START else []


def _started(pid: int) -> str:
    """Start of a process, in ticks since boot where the kernel tells (a changed clock does not move it)."""
    stat = _stat(pid)
    if stat:
        return f"ticks:{stat[_START]}"
    import psutil

    return f"epoch:{psutil.Process(pid).create_time():.0f}"
