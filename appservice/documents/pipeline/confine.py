"""Takes from this very process what it does not need: other users' rights, the network, files, memory and time.

What the kernel refuses to take is said by what is returned, and never silently missing. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

_NOBODY: Final = 65534
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL: Final = 9


def become_nobody() -> None:
    """Root has no place here: where we are root, be nobody, with no groups. Raises OSError."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def cut_off() -> bool:
    """Leave the network and, for children made from now on, the sight of other processes. Whether the kernel let us.

    A user namespace gives the right to the others (user_namespaces(7)). Many container runtimes refuse it.
    """
    everything = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWIPC
    return bool(ctypes.CDLL(None, use_errno=True).unshare(everything) == 0)


def give_up_privileges() -> None:
    """No program run from here has more rights than we; we die with our parent, and nobody looks into us."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_PDEATHSIG, _SIGKILL), (_PR_SET_DUMPABLE, 0)):
        libc.prctl(option, value, 0, 0, 0)


def limit(*, memory: int, cpu_seconds: int, file_bytes: int, descriptors: int) -> None:
    """No more than this, for good.

    `memory` comes on top of what is mapped now. `descriptors`: with as many open as that, nothing else can be opened,
    connected or listened on. No process can be made, and no core is dumped.
    """
    address_space = _mapped() + memory
    for what, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, descriptors),
    ):
        resource.setrlimit(what, (value, value))


def _mapped() -> int:
    """Bytes of address space in use."""
    with Path("/proc/self/statm").open("rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()
