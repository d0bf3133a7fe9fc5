# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The capabilities of Linux by number and name, and which of them the engine gives a container.

PRIVATE to the collection: no stability is promised to other users.

Sources: linux/capability.h, moby daemon/pkg/oci/caps.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_choice

DEFAULT_CAPABILITIES = frozenset(
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE".split()
)
ALL_CAPABILITIES = frozenset(name[4:] for name in seccomp_choice.CAPABILITIES)
# By their numbers (linux/capability.h).
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK "
    "IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE "
    "AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()


def capability(name: str) -> str:
    """Return the name of a capability without CAP_ and in upper case, as the facts have it."""
    upper = name.strip().upper()
    return upper[4:] if upper.startswith("CAP_") else upper


def capabilities_of(mask: int) -> frozenset[str]:
    """Return the names of the capabilities in a mask of /proc; those that are newer than this file by their numbers."""
    return frozenset(_CAPABILITIES[bit] if bit < len(_CAPABILITIES) else f"CAP_{bit}" for bit in range(64) if mask >> bit & 1)


def bounding_set(added: t.Collection[str], dropped: t.Collection[str], privileged: bool) -> frozenset[str]:
    """Return the capabilities that the engine gives a container (moby pkg/oci/caps, TweakCapabilities).

    Args:
        added, dropped: as `capability` has them, with ALL.
    """
    if privileged:
        return ALL_CAPABILITIES
    if "ALL" in added:
        return ALL_CAPABILITIES.difference(dropped)
    if "ALL" in dropped:
        return frozenset(added)
    return DEFAULT_CAPABILITIES.difference(dropped).union(added)
