# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The engine's own seccomp profile, release by release.

PRIVATE to the collection: no stability is promised to other users.

A table of facts, read tag by tag from moby's profiles/seccomp/default.json up to 28.1 and from the copy of
github.com/moby/profiles that moby carries since 28.2. Fixes were carried back, so a fact may hold for several stretches of
releases. How the table is compared with moby's files: tests/unit/engine/test_seccomp_builtin.py.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    ALLOW,
    EPERM,
    ERRNO,
    Argument,
    Profile,
    Rule,
)

_ENOSYS = 38
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)).
CLONE_NEW = 0x7E020000
_AF_ALG, _AF_VSOCK = 38, 40
_ADMIN = ("CAP_SYS_ADMIN",)
_S390 = ("s390", "s390x")


@dataclasses.dataclass(frozen=True)
class _Fact:
    """Calls with what happens to them, in which releases.

    ``releases`` is a list of stretches such as ``20.10.22..20.10.23 23.0..``: from a release on and up to another that
    does not have it any more; empty means all.
    """

    names: str
    releases: str = ""
    action: str = ALLOW
    errno: int | None = None
    arg: tuple[int, str, int] | None = None
    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    kernel: str = ""
    not_caps: tuple[str, ...] = ()
    not_arches: tuple[str, ...] = ()


_ALWAYS = """
_llseek _newselect accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown chown32
clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 close connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_ctl_old epoll_pwait epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat
faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchown fchown32 fchownat fcntl
fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
fsync ftruncate ftruncate64 futex futex_time64 futimesat get_robust_list get_thread_area getcpu getcwd getdents
getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid
getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid
getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
ioprio_get ioprio_set ipc kill lchown lchown32 lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek
lsetxattr lstat lstat64 madvise membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall
mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep
newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll ppoll_time64 prctl pread64
preadv preadv2 prlimit64 pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2
restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop
semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area
set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid
setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid
setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask
sigreturn socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo
tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill
truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice
wait4 waitid waitpid write writev
"""

_FACTS = (
    _Fact(_ALWAYS),
    _Fact("close_range epoll_pwait2", "20.10.4.."),
    _Fact(
        "futex_waitv landlock_add_rule landlock_create_ruleset landlock_restrict_self memfd_secret process_mrelease",
        "20.10.18..",
    ),
    _Fact("pkey_alloc pkey_free pkey_mprotect", "23.0.."),
    _Fact("cachestat fchmodat2 futex_requeue futex_wait futex_wake map_shadow_stack", "23.0.10..24.0 25.0.3.."),
    _Fact(
        "getxattrat listmount listxattrat mseal removexattrat riscv_hwprobe setxattrat statmount uretprobe", "28.2.."
    ),
    # Closed for its record of kernel flaws.
    _Fact("io_uring_enter io_uring_register io_uring_setup", "..25.0"),
    # A handle alone opens nothing; the call that uses it needs CAP_DAC_READ_SEARCH.
    _Fact("name_to_handle_at", "20.10.26..23.0 23.0.7..24.0 24.0.3.."),
    _Fact("name_to_handle_at", "..20.10.26 23.0..23.0.7 24.0..24.0.3", caps=_ADMIN),
    # vsock reaches the hypervisor; AF_ALG the kernel's crypto (closed in 29.4.2).
    _Fact("socket", "..20.10.22 20.10.23..23.0"),
    _Fact("socket", "20.10.22..20.10.23 23.0..29.4.2", arg=(0, "SCMP_CMP_NE", _AF_VSOCK)),
    _Fact("socket", "29.4.2..", arg=(0, "SCMP_CMP_LT", _AF_ALG)),
    _Fact("socket", "29.4.2..", arg=(0, "SCMP_CMP_EQ", _AF_ALG + 1)),
    _Fact("socket", "29.4.2..", arg=(0, "SCMP_CMP_GT", _AF_VSOCK)),
    _Fact("socketcall", "..29.4.2 29.4.3.."),
    _Fact("socketcall", "29.4.2..29.4.3", action=ERRNO, errno=_ENOSYS),
    _Fact("ptrace", kernel="4.8"),
    _Fact("process_vm_readv process_vm_writev", "23.0..", kernel="4.8"),
    # personality(2): Linux, its 32-bit flavours, and the question which one it is.
    _Fact("personality", arg=(0, "SCMP_CMP_EQ", 0)),
    _Fact("personality", arg=(0, "SCMP_CMP_EQ", 0x8)),
    _Fact("personality", arg=(0, "SCMP_CMP_EQ", 0x20000)),
    _Fact("personality", arg=(0, "SCMP_CMP_EQ", 0x20008)),
    _Fact("personality", arg=(0, "SCMP_CMP_EQ", 0xFFFFFFFF)),
    _Fact("sync_file_range2", arches=("ppc64le",)),
    _Fact("swapcontext", "23.0..", arches=("ppc64le",)),
    _Fact(
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2", arches=("arm", "arm64")
    ),
    _Fact("arch_prctl", arches=("amd64", "x32")),
    _Fact("modify_ldt", arches=("amd64", "x32", "x86")),
    _Fact("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", arches=_S390),
    _Fact("riscv_flush_icache", "23.0..", arches=("riscv64",)),
    _Fact("open_by_handle_at", caps=("CAP_DAC_READ_SEARCH",)),
    _Fact(
        "bpf clone fanotify_init lookup_dcookie mount perf_event_open quotactl setdomainname sethostname setns syslog "
        "umount umount2 unshare",
        caps=_ADMIN,
    ),
    _Fact("fsconfig fsmount fsopen fspick move_mount open_tree", "20.10.4..", caps=_ADMIN),
    _Fact("clone3", "20.10.10..", caps=_ADMIN),
    _Fact("mount_setattr quotactl_fd", "20.10.18..", caps=_ADMIN),
    _Fact("lsm_get_self_attr lsm_list_modules lsm_set_self_attr", "28.2..", caps=_ADMIN),
    _Fact("clone", arg=(0, "SCMP_CMP_MASKED_EQ", CLONE_NEW), not_caps=_ADMIN, not_arches=_S390),
    # There the flags are the second argument.
    _Fact("clone", arg=(1, "SCMP_CMP_MASKED_EQ", CLONE_NEW), arches=_S390, not_caps=_ADMIN),
    # Its flags lie in memory, where a filter cannot look; with ENOSYS libraries fall back to clone.
    _Fact("clone3", "20.10.10..", action=ERRNO, errno=_ENOSYS, not_caps=_ADMIN),
    _Fact("reboot", caps=("CAP_SYS_BOOT",)),
    _Fact("chroot", caps=("CAP_SYS_CHROOT",)),
    _Fact("delete_module finit_module init_module", caps=("CAP_SYS_MODULE",)),
    _Fact("acct", caps=("CAP_SYS_PACCT",)),
    _Fact("kcmp pidfd_getfd process_vm_readv process_vm_writev ptrace", caps=("CAP_SYS_PTRACE",)),
    _Fact("process_madvise", "20.10.4..", caps=("CAP_SYS_PTRACE",)),
    _Fact("ioperm iopl", caps=("CAP_SYS_RAWIO",)),
    _Fact("clock_settime settimeofday stime", caps=("CAP_SYS_TIME",)),
    _Fact("clock_settime64", "23.0..", caps=("CAP_SYS_TIME",)),
    _Fact("vhangup", caps=("CAP_SYS_TTY_CONFIG",)),
    _Fact("get_mempolicy mbind set_mempolicy", caps=("CAP_SYS_NICE",)),
    _Fact("set_mempolicy_home_node", "23.0.10..24.0 25.0.3..", caps=("CAP_SYS_NICE",)),
    _Fact("syslog", caps=("CAP_SYSLOG",)),
    _Fact("bpf", "23.0..", caps=("CAP_BPF",)),
    _Fact("perf_event_open", "23.0..", caps=("CAP_PERFMON",)),
)

_MIPS64 = ("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32")
_MIPSEL64 = ("SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32")
#: A native architecture, those that its kernel can run besides, and the releases that know it.
_ARCHITECTURES = (
    ("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86", "SCMP_ARCH_X32"), ""),
    ("SCMP_ARCH_AARCH64", ("SCMP_ARCH_ARM",), ""),
    ("SCMP_ARCH_MIPS64", (_MIPS64[0], _MIPS64[2]), ""),
    ("SCMP_ARCH_MIPS64N32", (_MIPS64[0], _MIPS64[1]), ""),
    ("SCMP_ARCH_MIPSEL64", (_MIPSEL64[0], _MIPSEL64[2]), ""),
    ("SCMP_ARCH_MIPSEL64N32", (_MIPSEL64[0], _MIPSEL64[1]), ""),
    ("SCMP_ARCH_S390X", ("SCMP_ARCH_S390",), ""),
    ("SCMP_ARCH_RISCV64", (), "23.0.."),
    ("SCMP_ARCH_LOONGARCH64", (), "29.4.2.."),
)


def builtin(version: versions.Version) -> Profile:
    """Return the profile that dockerd has built in.

    Args:
        version: of the engine; one that is newer than the table gets the newest that the table knows.
    """
    return Profile(
        default_action=ERRNO,
        default_errno=EPERM if versions.within(version, "23.0") else None,
        arch_map=tuple((arch, subs) for arch, subs, releases in _ARCHITECTURES if _holds(releases, version)),
        architectures=(),
        rules=_joined(fact for fact in _FACTS if _holds(fact.releases, version)),
    )


def known_names() -> frozenset[str]:
    """Return the calls that the profile of any release names."""
    return frozenset(name for fact in _FACTS for name in fact.names.split())


def capabilities() -> tuple[str, ...]:
    """Return the capabilities that open calls in the profile of any release."""
    return tuple(sorted({cap for fact in _FACTS for cap in (*fact.caps, *fact.not_caps)}))


def boundaries() -> tuple[str, ...]:
    """Return the releases with which the profile changed, oldest first."""
    found = {word for text in _stretches() for stretch in text.split() for word in stretch.split("..") if word}
    return tuple(sorted(found, key=versions.parse))


def warning(version: versions.Version) -> str:
    """Return what to say of a release that the table does not know; empty when it does."""
    if version <= versions.NEWEST_KNOWN:
        return ""
    return (
        f"Docker {version} is newer than the tables of this collection, so its seccomp profile was taken to be that of "
        f"{versions.NEWEST_KNOWN}; a newer release of the collection may know what changed."
    )


def _stretches() -> t.Iterator[str]:
    yield from (fact.releases for fact in _FACTS)
    yield from (releases for _arch, _subs, releases in _ARCHITECTURES)


def _holds(releases: str, version: versions.Version) -> bool:
    if not releases:
        return True
    pairs = (stretch.partition("..") for stretch in releases.split())
    return any(versions.within(version, since, until) for since, _dots, until in pairs)


def _joined(facts: t.Iterable[_Fact]) -> tuple[Rule, ...]:
    """Make one rule of all facts with the same condition and action."""
    rules: dict[Rule, list[str]] = {}
    for fact in facts:
        condition = Rule(
            names=(),
            action=fact.action,
            errno=fact.errno,
            args=() if fact.arg is None else (Argument(*fact.arg),),
            caps=fact.caps,
            arches=fact.arches,
            kernel=fact.kernel,
            not_caps=fact.not_caps,
            not_arches=fact.not_arches,
        )
        rules.setdefault(condition, []).extend(fact.names.split())
    return tuple(dataclasses.replace(rule, names=tuple(sorted(names))) for rule, names in rules.items())
