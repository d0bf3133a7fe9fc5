# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which of the kernel's files a container sees and may write to, and which namespaces and control groups are its own.

PRIVATE to the collection: no stability is promised to other users.

Sources: moby pkg/oci/defaults.go; runc libcontainer/rootfs_linux.go; proc(5), cgroups(7).
"""

from __future__ import annotations

import functools
import posixpath
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_rights import Rights
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping

_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware"
).split()
# What later releases mask besides, with the releases that first did; /sys/devices/virtual/powercap also since 24.0.7.
_MASKED_SINCE = (("/sys/devices/virtual/powercap", "24.0.7"), ("/proc/interrupts", "28.0.2"))
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# What every kernel has, so that a missing mask or a writable mount says something (kcore is not built everywhere, but some of these always are).
_ALWAYS_THERE = ("/proc/keys", "/proc/kcore", "/proc/timer_list", "/sys/firmware")


class Kernel(Rights):
    """/proc, /sys, control groups and namespaces."""

    def _default_masks(self) -> tuple[str, ...]:
        try:
            version = versions.parse(self.engine.version)
        except ValueError:
            return tuple(_MASKED)
        return (*_MASKED, *(path for path, since in _MASKED_SINCE if versions.within(version, since)))

    def _unmasked_paths(self) -> Found:
        declared = self._declared_paths("MaskedPaths", self._default_masks())
        if not self.mounted:
            return declared if not self.unread or not isinstance(declared, Fact) or declared.value else Unknown(self.unread, f"{self.proc}/mountinfo")
        source = f"{self.proc}/mountinfo"
        if not any(path in self.mounted for path in _ALWAYS_THERE):
            return Fact(self._default_masks(), source)
        if isinstance(declared, Unknown):
            # Podman does not say it; of a path that is not masked nobody knows whether the host has it at all.
            return Fact(tuple(path for path in ("/proc/keys", "/sys/firmware") if path not in self.mounted), source)
        return Fact(tuple(path for path in declared.value if path not in self.mounted), f"{declared.source}, {source}")

    def _writable_paths(self) -> Found:
        declared = self._declared_paths("ReadonlyPaths", READ_ONLY)
        if not self.mounted:
            return declared if not self.unread or not isinstance(declared, Fact) or declared.value else Unknown(self.unread, f"{self.proc}/mountinfo")
        source = f"{self.proc}/mountinfo"
        asked = READ_ONLY if isinstance(declared, Unknown) else declared.value
        # What the kernel does not have has no mount either; /proc/sys is always there.
        writable = [path for path in READ_ONLY if (path in self.mounted or path == "/proc/sys" or path in asked) and not self._is_read_only(path)]
        if isinstance(declared, Unknown):
            writable = [path for path in writable if path in self.mounted or path == "/proc/sys"]
        if "/sys" in self.mounted and not self._is_read_only("/sys"):
            writable.append("/sys")
        return Fact(tuple(writable), source)

    def _is_read_only(self, path: str) -> bool:
        """Return whether the kernel has a path read-only, by its own mount or the nearest one above."""
        while path not in self.mounted and path != "/":
            path = posixpath.dirname(path)
        return path in self.mounted and "ro" in self.mounted[path][0].split(",")

    def _declared_paths(self, key: str, defaults: t.Sequence[str]) -> Found:
        """Return which of the engine's defaults are missing in a list of the answer."""
        source = self._pointer("HostConfig", key)
        privileged = self._privileged()
        if isinstance(privileged, Unknown):
            return Unknown(privileged.reason, privileged.source)
        if privileged.value:
            return Fact(tuple(defaults), source)
        if self.host.get(key) is None:
            # The engine writes its list into every container that it creates; a missing one is another engine's.
            return Unknown(f"the engine's answer has no {key}", source)
        listed = self._texts("HostConfig", key)
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        return Fact(_left_out(tuple(defaults), tuple(listed.value)), source)

    def _writable_cgroups(self) -> Found:
        if self.mounted:
            source = f"{self.proc}/mountinfo"
            options = [options for options, kind in self.mounted.values() if kind in ("cgroup", "cgroup2")]
            return Fact(any("rw" in given.split(",") for given in options), source)
        if self.unread:
            return Unknown(self.unread, f"{self.proc}/mountinfo")
        option, privileged = self._option("writable-cgroups"), self._privileged()
        source = self._pointer("HostConfig", "SecurityOpt")
        if isinstance(option, Unknown) or isinstance(privileged, Unknown):
            return Unknown("the engine's answer does not say it", source)
        if option:
            return Fact(option.lower() in ("1", "t", "true"), source)
        mapped = self._uid_mapped()
        # With mapped ids the engine leaves them writable, and the kernel refuses.
        return Fact(privileged.value or (isinstance(mapped, Fact) and bool(mapped.value)), f"{source} and Privileged, as declared")

    def _mode(self, key: str, kind: str) -> Found:
        """Return a namespace's mode: host where the kernel says so, and names instead of ids."""
        declared = self._get("HostConfig", key, (str,), "")
        if self._shares_with_host(kind):
            return Fact("host", self._namespace_source(kind))
        if isinstance(declared, Unknown):
            return declared
        mode = declared.value
        if mode.startswith("container:"):
            return declared.having(f"container:{self._called(mode.partition(':')[2])}")
        return declared

    def _pid_mode(self) -> Found:
        return self._mode("PidMode", "pid")

    def _ipc_mode(self) -> Found:
        return self._mode("IpcMode", "ipc")

    def _uts_mode(self) -> Found:
        return self._mode("UTSMode", "uts")

    def _cgroupns_mode(self) -> Found:
        shared = self._shares_with_host("cgroup")
        if shared is not None:
            return Fact("host" if shared else "private", self._namespace_source("cgroup"))
        found = self._get("HostConfig", "CgroupnsMode", (str,), "")
        if isinstance(found, Unknown) or found.value:
            return found
        if self.engine.cgroup_version is None:
            return Unknown("the daemon's default is not known", found.source)
        return found.having("host" if self.engine.cgroup_version == 1 else "private")

    def _network_mode(self) -> Found:
        return self._mode("NetworkMode", "net")

    def _networks(self) -> Found:
        networks = mapping(self.answer.get("NetworkSettings")).get("Networks")
        source = f"{self.where} /NetworkSettings/Networks"
        if isinstance(networks, t.Mapping) and networks:
            return Fact(tuple(sorted(map(str, networks))), source)
        mode = self._network_mode()
        if isinstance(mode, Unknown):
            return Unknown(mode.reason, mode.source)
        if mode.value.startswith("container:") or mode.value in ("none", "host"):
            return Fact((), mode.source)
        # Podman's own kinds of networks, and what a container is created for, stand only there.
        return Fact((mode.value or "bridge",), mode.source)


# The lists of nearly all containers are the same.
@functools.lru_cache(maxsize=64)
def _left_out(paths: tuple[str, ...], listed: tuple[str, ...]) -> tuple[str, ...]:
    """Return which paths neither stand in a list nor lie below one of its paths."""
    return tuple(path for path in paths if not any(_is_below(path, masked) for masked in listed))


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")
