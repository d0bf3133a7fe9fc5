# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What AppArmor and SELinux do on this host, from the files of the kernel and of the policy.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines

_APPARMOR_SWITCH = "/sys/module/apparmor/parameters/enabled"
APPARMOR_FILESYSTEM = "/sys/kernel/security/apparmor"
_SELINUX_FILESYSTEM = "/sys/fs/selinux"
_SELINUX_CONFIG = "/etc/selinux/config"


def apparmor_enforced() -> bool:
    """Tell whether the kernel runs AppArmor and lets it be looked at, which is what Docker and runc look for."""
    return (_text(_APPARMOR_SWITCH) or "").startswith("Y") and os.path.isdir(APPARMOR_FILESYSTEM)


def apparmor_confines_us() -> bool:
    """Tell whether a profile confines this process, as on a host that itself is a confined container."""
    if not os.path.exists(_APPARMOR_SWITCH):
        return False
    label = _text("/proc/self/attr/apparmor/current") or _text("/proc/self/attr/current") or "unconfined"
    return label.split(" ", 1)[0] != "unconfined"


def loaded_profiles() -> dict[str, str] | None:
    """Return the mode of every loaded AppArmor profile by its name, None where the kernel does not tell."""
    text = _text(f"{APPARMOR_FILESYSTEM}/profiles")
    if text is None:
        return None
    pairs = (line.rpartition(" (") for line in text_lines.lines_of(text))
    return {name: mode.rstrip(")") for name, _separator, mode in pairs if name}


def labels_of_processes() -> list[str]:
    """Return the AppArmor label of every process that has one, without its mode; processes that end meanwhile are left out."""
    labels = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            label = _text(f"/proc/{name}/attr/apparmor/current") or _text(f"/proc/{name}/attr/current")
            labels += [label.rpartition(" (")[0] or label] if label else []
    return labels


def selinux_mode() -> str | None:
    """Return ``enforcing``, ``permissive`` or ``off``; None where the kernel has SELinux but does not tell its mode."""
    if not os.path.isdir(_SELINUX_FILESYSTEM):
        return "off"
    return {"0": "permissive", "1": "enforcing"}.get(_text(f"{_SELINUX_FILESYSTEM}/enforce") or "")


def selinux_policy_for_containers() -> bool:
    """Tell whether the installed policy has labels for containers, where Docker looks them up (go-selinux)."""
    kind = _selinux_type()
    return bool(kind) and os.path.exists(f"/etc/selinux/{kind}/contexts/lxc_contexts")


def daemon_settings(choice: str) -> dict[str, bool]:
    """Return the key of daemon.json that follows from a choice of ``auto``, ``true``, ``false``, or nothing.

    ``auto`` switches labels on where the kernel enforces SELinux and knows containers, and is silent elsewhere.
    """
    if choice in ("true", "false"):
        return {"selinux-enabled": choice == "true"}
    if choice == "auto" and selinux_mode() == "enforcing" and selinux_policy_for_containers():
        return {"selinux-enabled": True}
    return {}


def _selinux_type() -> str:
    for line in (_text(_SELINUX_CONFIG) or "").splitlines():
        name, _equals, value = line.partition("=")
        if name.strip() == "SELINUXTYPE":
            return value.strip()
    return ""


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return None
