# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Who the processes of a container are, what they may do, and which filters stand between them and the kernel.

PRIVATE to the collection: no stability is promised to other users.

Sources: moby daemon/oci_linux.go, daemon_unix.go (parseSecurityOpt), seccomp_linux.go; proc(5), capabilities(7).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.capabilities import (
    bounding_set,
    capabilities_of,
    capability,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_reading import (
    Reading,
    mapped,
    value_of,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, text

_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")


class Rights(Reading):
    """Identity, capabilities and filters."""

    def _running(self) -> Found:
        source = f"{self.where} /State/Running"
        return Unknown("the engine does not say whether it runs", source) if self.runs is None else Fact(self.runs, source)

    def _image(self) -> Found:
        return self._get("Config", "Image", (str,), "")

    def _user(self) -> Found:
        return self._get("Config", "User", (str,), "")

    def _image_user(self) -> Found:
        image = text(self.answer.get("Image"))
        found = self.engine.images.get(image)
        source = f"GET /images/{image[:19]}/json /Config/User"
        if found is None or not isinstance(found.get("Config"), t.Mapping):
            return Unknown("its image was not looked at", source)
        return Fact(text(found["Config"].get("User")), source)

    def _ids(self) -> tuple[int, int] | None:
        """Return the uid of the first process inside and on the host."""
        words = (self._status("Uid") or "").split()
        if len(words) < 2 or not words[1].isdecimal() or self.process is None:
            return None
        outside = int(words[1])
        for inside, first, count in self.process.uid_map:
            if first <= outside < first + count:
                return inside + outside - first, outside
        return None

    def _uid(self) -> Found:
        source = f"{self.proc}/status Uid, {self.proc}/uid_map"
        if self.process is not None:
            ids = self._ids()
            return Unknown("the kernel does not say which user its first process is", source) if ids is None else Fact(ids[0], source)
        user = self._user()
        if isinstance(user, Unknown):
            return user
        number = uid_of(user.value)
        if number is None:
            return Unknown("a name of a user means what the image's passwd file says", user.source)
        if self.unread and number != 0:
            # A process that was root can have become this user, never the other way without more rights.
            return Fact(number, f"{user.source}, as declared ({self.unread})")
        return Fact(number, f"{user.source}, as declared")

    def _host_uid(self) -> Found:
        ids = self._ids()
        source = f"{self.proc}/status Uid"
        return Unknown(self.unread or "it does not run", source) if ids is None else Fact(ids[1], source)

    def _userns_mode(self) -> Found:
        # Without a mapping every container is in the host's, which uid_mapped says; this is what was asked for.
        return self._get("HostConfig", "UsernsMode", (str,), "")

    def _uid_mapped(self) -> Found:
        source = f"{self.proc}/uid_map"
        if self.process is not None and self.process.uid_map:
            for inside, outside, _count in self.process.uid_map:
                if inside == 0:
                    return Fact(outside != 0, source)
            return Fact(True, source)
        if self.engine.rootless:
            return Fact(True, "GET /info /SecurityOptions name=rootless")
        mode = self._userns_mode()
        if isinstance(mode, Unknown) or self.engine.userns_remap is None:
            return Unknown(self.unread or "the daemon's id mapping is not known", source)
        if mode.value == "host":
            return mode.having(False)
        if mode.value:
            return Unknown(self.unread or "it does not run", source)
        return Fact(self.engine.userns_remap, "GET /info /SecurityOptions name=userns")

    def _privileged(self) -> Found:
        return self._get("HostConfig", "Privileged", (bool,), False)

    def _cap_add(self) -> Found:
        return mapped(self._texts("HostConfig", "CapAdd"), lambda names: tuple(map(capability, names)))

    def _cap_drop(self) -> Found:
        return mapped(self._texts("HostConfig", "CapDrop"), lambda names: tuple(map(capability, names)))

    def _capabilities(self) -> Found:
        bounding = self._status("CapBnd")
        if bounding is not None:
            source = f"{self.proc}/status CapBnd"
            try:
                return Fact(capabilities_of(int(bounding, 16)), source)
            except ValueError:
                return Unknown("the kernel's word on its capabilities cannot be read", source)
        added, dropped, privileged = self._cap_add(), self._cap_drop(), self._privileged()
        for found in (added, dropped, privileged):
            if isinstance(found, Unknown):
                return Unknown(found.reason, found.source)
        if self.engine.product == "podman" and not _privileged_or_all(added, privileged):
            return Unknown("Podman's default capabilities are a setting of its host", self._pointer("HostConfig", "CapAdd"))
        source = f"{self._pointer('HostConfig', 'CapAdd')}, CapDrop and Privileged, as declared"
        return Fact(bounding_set(value_of(added), value_of(dropped), value_of(privileged)), source)

    def _declared_seccomp(self) -> str | Unknown:
        """Return ``unconfined``, ``builtin``, the text of a profile, or empty for the daemon's."""
        declared = self._option("seccomp")
        if isinstance(declared, Unknown) or declared:
            return declared
        privileged = self._privileged()
        if isinstance(privileged, Unknown):
            return privileged
        return "unconfined" if privileged.value else ""

    def _seccomp(self) -> Found:
        source = self._pointer("HostConfig", "SecurityOpt")
        declared = self._declared_seccomp()
        mode = self._status("Seccomp")
        if mode == "0":
            return Fact("unconfined", f"{self.proc}/status Seccomp")
        if isinstance(declared, Unknown):
            return Unknown(declared.reason, source)
        # A filter that surrounds the engine itself is none of the container's.
        if declared == "unconfined":
            return Fact("unconfined", source)
        if mode is None and self.unread:
            return Unknown(self.unread, f"{self.proc}/status Seccomp")
        known = f"{self.proc}/status Seccomp" if mode else source
        if declared:
            return Fact("builtin" if declared == "builtin" else "custom", known)
        if self.engine.seccomp:
            return Fact(self.engine.seccomp, f"{known} and GET /info /SecurityOptions")
        if mode in ("1", "2"):
            # Some filter is there, and whose it is nobody said; seccomp_opens stays unknown.
            return Fact("custom", known)
        return Unknown("the daemon's profile is not known", source)

    def _seccomp_opens(self) -> Found:
        source = self._pointer("HostConfig", "SecurityOpt")
        kind = self._seccomp()
        if isinstance(kind, Unknown):
            return Unknown(kind.reason, kind.source)
        if kind.value == "builtin":
            return Fact((), kind.source)
        declared = self._declared_seccomp()
        if kind.value == "unconfined" or isinstance(declared, Unknown):
            return Fact(tuple(sorted(OPENERS)), kind.source)
        if not declared:
            if self.engine.seccomp_opens is None:
                return Unknown(self.engine.seccomp_reason, "daemon.json seccomp-profile")
            return Fact(self.engine.seccomp_opens, "daemon.json seccomp-profile")
        try:
            return Fact(seccomp.opened(declared), source)
        except seccomp.Unreadable as problem:
            return Unknown(str(problem), source)

    def _label(self) -> str | None:
        """Return the label of the running process, None where there is none to be had."""
        return self.process.label.strip("\0\n ") if self.process is not None and self.process.label else None

    def _apparmor(self) -> Found:
        return self._apparmor_both()[0]

    def _apparmor_mode(self) -> Found:
        return self._apparmor_both()[1]

    def _apparmor_both(self) -> tuple[Found, Found]:
        source = f"{self.proc}/attr/current"
        if self.engine.apparmor is False:
            absent = Fact("", "GET /info /SecurityOptions has no name=apparmor")
            return absent, absent
        label = self._label()
        if label is not None and not _is_selinux(label):
            name, separator, mode = label.rpartition(" (")
            if not separator:
                name, mode = label, "unconfined" if label == "unconfined" else "enforce"
            return Fact(name, source), Fact(mode.rstrip(")"), source)
        if self.engine.apparmor is None or (label is None and self.process is not None):
            reason = "the kernel does not say which AppArmor profile it has" if self.process is not None else "whether the host has AppArmor is not known"
            return Unknown(reason, source), Unknown(reason, source)
        if self.unread:
            return Unknown(self.unread, source), Unknown(self.unread, source)
        return self._declared_apparmor()

    def _declared_apparmor(self) -> tuple[Found, Found]:
        source = self._pointer("", "AppArmorProfile")
        declared, privileged = self._option("apparmor"), self._privileged()
        if isinstance(declared, Unknown) or isinstance(privileged, Unknown):
            unknown = Unknown(declared.reason if isinstance(declared, Unknown) else "the engine's answer does not say whether it is privileged", source)
            return unknown, unknown
        profile = declared or text(self.answer.get("AppArmorProfile")) or ("unconfined" if privileged.value else "docker-default")
        name = Fact(profile, f"{source}, as declared")
        if profile == "unconfined":
            return name, name
        if profile == "docker-default":
            # The engine loads it in this mode whenever it is missing.
            return name, name.having("enforce")
        mode = (self.engine.apparmor_modes or {}).get(profile)
        if mode is None:
            return name, Unknown("the mode of its AppArmor profile is not known, as it does not run", source)
        return name, Fact(mode, "/sys/kernel/security/apparmor/profiles")

    def _selinux(self) -> Found:
        source = f"{self.proc}/attr/current"
        label = self._label()
        if label is not None and _is_selinux(label):
            return Fact(label.split(":")[2], source)
        if self.engine.selinux is False:
            return Fact("", "GET /info /SecurityOptions has no name=selinux")
        if self.engine.selinux is None:
            # A label of another module says that this one is not there.
            return Fact("", source) if label is not None else Unknown("whether the host has SELinux is not known", source)
        if self.process is not None or self.unread:
            return Unknown(self.unread or "the kernel does not say which label it has", source)
        options, privileged = self.options, self._privileged()
        if isinstance(options, Unknown) or isinstance(privileged, Unknown):
            return Unknown("the engine's answer does not say which label it gets", source)
        labels = options.get("label", [])
        if "disable" in labels or privileged.value:
            return Fact("disabled", self._pointer("HostConfig", "SecurityOpt"))
        kind = next((entry.partition(":")[2] for entry in reversed(labels) if entry.startswith("type:")), "")
        declared = text(self.answer.get("ProcessLabel"))
        if not kind and not _is_selinux(declared):
            return Unknown("the engine has not given it a label yet", self._pointer("", "ProcessLabel"))
        return Fact(kind or declared.split(":")[2], f"{self._pointer('', 'ProcessLabel')}, as declared")

    def _no_new_privileges(self) -> Found:
        source = f"{self.proc}/status NoNewPrivs"
        word = self._status("NoNewPrivs")
        if word in ("0", "1"):
            return Fact(word == "1", source)
        option = self._option("no-new-privileges")
        if isinstance(option, Unknown):
            return Unknown(self.unread or option.reason, source)
        declared = self._pointer("HostConfig", "SecurityOpt")
        if option:
            return Fact(option.lower() in ("1", "t", "true"), f"{declared}, as declared")
        if self.process is not None or self.unread:
            return Unknown(self.unread or "the kernel does not say it", source)
        if self.engine.no_new_privileges is False:
            return Fact(False, f"{declared}, as declared")
        return Unknown("the daemon's default reached it only if it was created after the default was set, and it does not run", declared)


def uid_of(user: str) -> int | None:
    """Return the number of a declared user as the engine reads it, None for a name that only the image knows.

    ``0:0``, ``00``, ``root:root`` and nothing at all are 0.
    """
    name = user.partition(":")[0]
    if name in ("", "root"):
        return 0
    return int(name) if _NUMBER.fullmatch(name) else None


def _privileged_or_all(added: Found, privileged: Found) -> bool:
    """Tell whether a container has all capabilities, whatever the default is."""
    return bool(value_of(privileged)) or "ALL" in value_of(added)


def _is_selinux(label: str) -> bool:
    return label.count(":") >= 2 and " (" not in label
