"""Take from the calling process what reading a file does not need: memory, time, files, the network, other programs."""

import errno
import os
import resource
import sys
import zoneinfo
from pathlib import Path

import landlockpy
import seccompy

# Asked here, since the answer takes other programs.
HAS_LANDLOCK, HAS_SECCOMP = landlockpy.supported(), seccompy.supported()
# What may have to be imported yet, and the time zones.
PROGRAMS = {sys.prefix, sys.base_prefix, str(Path(__file__).parents[1]), *filter(os.path.exists, zoneinfo.TZPATH)}
CLONE_THREAD = 0x10000  # include/uapi/linux/sched.h
FORBIDDEN_CALLS = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "execve", "execveat", "fork", "vfork",
    "ptrace", "process_vm_readv", "process_vm_writev", "kill", "tkill", "mount", "umount2", "pivot_root", "chroot",
    "setns", "unshare", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key",
    "open_by_handle_at", "pidfd_getfd", "pidfd_open", "memfd_create", "setrlimit",
)  # fmt: skip


def confine(path: Path | None, *, max_bytes: int, max_seconds: int) -> None:
    """Confine this process, for good, to reading the file at `path`, if there is one.

    It may take `max_bytes` more than it has, and the processor for `max_seconds`. Where the kernel has neither Landlock
    nor seccomp, the limits of memory and time remain.
    """
    _limit(resource.RLIMIT_DATA, _private_bytes() + max_bytes)
    _limit(
        resource.RLIMIT_CPU, max_seconds, grace=1
    )  # so that SIGXCPU ends it, not SIGKILL, which the system sends, too
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    if HAS_LANDLOCK:
        with landlockpy.Ruleset() as ruleset:
            read = landlockpy.AccessFS.READ_FILE
            for folder in PROGRAMS:
                ruleset.allow_path(folder, read | landlockpy.AccessFS.READ_DIR)
            if path and path.exists():
                ruleset.allow_path(path, read)
            ruleset.restrict()
    if HAS_SECCOMP:
        calls = seccompy.Filter(default=seccompy.Action.ALLOW)
        for name in FORBIDDEN_CALLS:
            calls.errno(name, errno.EPERM)
        calls.errno("clone3", errno.ENOSYS)  # so that the C library uses clone, which makes threads only
        calls.errno("clone", errno.EPERM, args=[(0, seccompy.CmpOp.MASKED_EQ, 0, CLONE_THREAD)])
        calls.errno("prlimit64", errno.EPERM, args=[(2, seccompy.CmpOp.NE, 0)])  # but limits may be read
        calls.load()


def _limit(kind: int, value: int, *, grace: int = 0) -> None:
    hard = resource.getrlimit(kind)[1]
    most = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
    resource.setrlimit(kind, (min(value, most), most))


def _private_bytes() -> int:
    """What RLIMIT_DATA counts of this process now."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split(maxsplit=1)[0]) * 1024
