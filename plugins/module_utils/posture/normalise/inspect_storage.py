# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of the host a container sees: mounts, devices, groups that own sockets of an API.

PRIVATE to the collection: no stability is promised to other users.

Source: moby daemon/create_unix.go and api/types/container (MountPoint, DeviceMapping, DeviceRequest).
"""

from __future__ import annotations

import collections.abc
import posixpath
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_reading import (
    ANONYMOUS,
    Reading,
    mapped,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount


class Storage(Reading):
    """Mounts, devices and groups."""

    def _mounts(self) -> Found:
        source = self._pointer("", "Mounts")
        listed = self._get("", "Mounts", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        found = []
        broken = False
        for entry in listed.value:
            mount = self._mount(entry)
            broken = broken or mount is None
            if mount is not None:
                found.append(mount)
        temporary = self._get("HostConfig", "Tmpfs", (dict,), {}, omitted=True)
        if isinstance(temporary, Fact):
            found += [Mount("tmpfs", "", str(target), "ro" in str(options).split(",")) for target, options in sorted(temporary.value.items(), key=str)]
        known = Fact(tuple(found), source)
        return Unknown("Mounts in the engine's answer holds what is no mount", source, known) if broken else known

    def _mount(self, entry: t.Any) -> Mount | None:
        if not isinstance(entry, collections.abc.Mapping) or not isinstance(entry.get("Destination"), str):
            return None
        kind = text(entry.get("Type")) or ("volume" if entry.get("Name") else "bind")
        target = entry["Destination"]
        place = self.look.places.get(target)
        source = text(entry.get("Source"))
        host_path = place.host_path if place is not None else source if kind == "bind" else ""
        if kind == "volume":
            name = text(entry.get("Name"))
            source = "" if ANONYMOUS.fullmatch(name) else name
        read_only = entry.get("RW") is False
        if target in self.mounted:
            read_only = "ro" in self.mounted[target][0].split(",")
        return Mount(
            kind,
            source,
            target,
            read_only,
            text(entry.get("Propagation")),
            host_path,
            place.sockets if place is not None else (),
            place.replaceable if place is not None else "",
            looked=place is not None,
        )

    def _mounts_resolved(self) -> Found:
        source = self._pointer("", "Mounts")
        mounts = self._mounts()
        if isinstance(mounts, Unknown):
            return Unknown(mounts.reason, source)
        return Fact(all(mount.kind != "bind" or mount.target in self.look.places for mount in mounts.value), "stat of the sources of its mounts")

    def _volumes_from(self) -> Found:
        return mapped(self._texts("HostConfig", "VolumesFrom"), lambda given: tuple(self._called(entry.partition(":")[0]) for entry in given))

    def _devices(self) -> Found:
        listed = self._get("HostConfig", "Devices", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        known = tuple(
            Device(entry["PathOnHost"], text(entry.get("PathInContainer")), text(entry.get("CgroupPermissions")) or "rwm")
            for entry in listed.value
            if isinstance(entry, collections.abc.Mapping) and isinstance(entry.get("PathOnHost"), str)
        )
        fact = listed.having(known)
        return fact if len(known) == len(listed.value) else Unknown("Devices in the engine's answer holds what is no device", listed.source, fact)

    def _device_cgroup_rules(self) -> Found:
        return self._texts("HostConfig", "DeviceCgroupRules")

    def _device_requests(self) -> Found:
        listed = self._get("HostConfig", "DeviceRequests", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        return listed.having(tuple(_request(entry) for entry in listed.value))

    def _group_add(self) -> Found:
        return self._texts("HostConfig", "GroupAdd")

    def _api_socket_groups(self) -> Found:
        groups = self._group_add()
        if isinstance(groups, Unknown):
            return Unknown(groups.reason, groups.source)
        if not groups.value:
            return groups
        owners = self.engine.api_groups
        if owners is None:
            return Unknown("which groups own sockets of the API was not looked at", groups.source)
        return groups.having(tuple(group for group in groups.value if group in owners))

    def _use_api_socket(self) -> Found:
        # The client turns --use-api-socket into a mount that stands in no list of binds.
        listed = self._get("HostConfig", "Mounts", (list, tuple), (), omitted=True)
        if isinstance(listed, Unknown):
            return listed
        targets = [text(entry.get("Target")) for entry in listed.value if isinstance(entry, collections.abc.Mapping)]
        if len(targets) != len(listed.value):
            return Unknown("Mounts in the engine's answer holds what is no mount", listed.source)
        return listed.having(any(posixpath.normpath(target) in ("/var/run/docker.sock", "/run/docker.sock") for target in targets if target))


def _request(entry: t.Any) -> str:
    given = mapping(entry)
    names = given.get("DeviceIDs")
    devices = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return " ".join(filter(None, (text(given.get("Driver")), *devices))) or "any device of the default driver"
