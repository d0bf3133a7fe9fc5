# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Making a host run dockerd for a user: its facts, the unit, lingering, the data directory, and root's daemon switched off.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges, rootless
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account, Facts, Request
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    accounts,
    commands,
    daemon_facts,
    docker_data,
    facts,
    files,
    managed_files,
    mounts,
    subid_files,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.managed_files import Difference
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.layout import PLAIN_PATH

ROOTFUL_UNITS = ("docker.socket", "docker.service", "containerd.service")
ARGUMENTS: dict[str, t.Any] = {
    "user": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "data_root": {"type": "path", "required": True},
    "mount_point": {"type": "str", "default": ""},
    "controllers": {"type": "list", "elements": "str", "choices": list(rootless.CONTROLLERS), "default": list(rootless.CONTROLLERS)},
    "lowest_port": {"type": "int", "default": 1024},
    "leave_rootful_data": {"type": "bool", "default": False},
}
_USER_UNITS = "/etc/systemd/user"
_LINGER = "/var/lib/systemd/linger"


# Looking ----------------------------------------------------------------------------------------------------------------


def gather(account: Account, data_root: str, mount_point: str) -> Facts:
    """Look at the host without changing anything."""
    version, controllers = facts.cgroups()
    held = [docker_data.inventory(root) for root in docker_data.roots_below(daemon_facts.DEFAULT_DATA_ROOT)]
    # A user's data may lie below the directory that root's daemon would use.
    own = os.path.realpath(data_root)
    filesystem = facts.filesystem_of(own)
    return Facts(
        account_uid=account.uid,
        account_home="" if account.uid is None else account.home,
        kernel=platform.release(),
        uid_map=" ".join(_text("/proc/self/uid_map").split("\n")[0].split()),
        max_user_namespaces=_number("/proc/sys/user/max_user_namespaces", -1),
        userns_clone=_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 1,
        apparmor_restricts=_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1 and not _rootlesskit_profile(),
        lowest_port=_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", 1024),
        cgroup_version=version or 0,
        controllers=controllers or (),
        tun=_opens("/dev/net/tun"),
        fuse=_opens("/dev/fuse"),
        missing_tools=tuple(missing_tools()),
        data_root_filesystem=filesystem.type if filesystem else "",
        data_root_owner=os.stat(own).st_uid if os.path.isdir(own) else None,
        data_root_unreachable="" if account.uid is None else _unreachable(account, own),
        mounted=bool(mount_point) and mounts.is_mount_point(mount_point.rstrip("/") or "/"),
        own_unit=_own_unit(account),
        rootful_data=", ".join(data.describe() for data in held if data.any and os.path.realpath(data.root) != own),
    )


def judge(request: Request) -> list[Problem]:
    """Return every reason why this host cannot run the daemon for the user."""
    found = [
        Problem(name, f"is '{value}', which systemd's units would not read alike; write an absolute path of letters, digits and . _ - + @ : , only")
        for name, value in (("data_root", request.data_root), ("home", request.home), ("mount_point", request.mount_point))
        if value and not PLAIN_PATH.fullmatch(value)
    ]
    if found:
        return found
    account = accounts.find(request.user, request.home)
    return [*rootless.host_problems(gather(account, request.data_root, request.mount_point), request), *_range_problems(account, request)]


def _range_problems(account: Account, request: Request) -> list[Problem]:
    uid_file, gid_file = subid_files.read()
    ranges = id_ranges.plan(account.name, uid_file, gid_file, user_number=account.uid)
    if ranges.problems or request.predicting or not (ranges.add_uid or ranges.add_gid):
        return list(ranges.problems)
    files_of_both = f"{uid_file.path} and {gid_file.path}"
    return [Problem(files_of_both, f"hold no range for {account.name}, without which no container starts; give one first, with docker_subid")]


def program() -> str | None:
    """Return the path of dockerd-rootless.sh, or None where it is not installed."""
    return next((path for path in rootless.PROGRAMS if os.access(path, os.X_OK)), None)


def missing_tools() -> list[str]:
    """Return what a user's daemon needs and the host has not."""
    found = [name for name in rootless.TOOLS if commands.find(name) is None]
    return found + ([] if program() else ["dockerd-rootless.sh"])


def _rootlesskit_profile() -> bool:
    return "rootlesskit" in _text("/sys/kernel/security/apparmor/profiles")


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _unreachable(account: Account, path: str) -> str:
    """Return the first existing directory above a path that the user cannot search, or empty."""
    above: list[str] = []
    while os.path.dirname(path) != path:
        path = os.path.dirname(path)
        above.insert(0, path)
    with accounts.acting_as(account):
        for directory in above:
            try:
                os.stat(f"{directory}/.")
            except FileNotFoundError:
                return ""
            except PermissionError:
                return directory
    return ""


def _own_unit(account: Account) -> str:
    path = f"{account.home}/.config/systemd/user/{rootless.UNIT}"
    if account.uid is None:
        return ""
    with accounts.acting_as(account):
        return path if os.path.lexists(path) else ""


# Planning ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Plan:
    """What differs on the host from what a user's daemon needs; nothing to do when all of it is empty or false.

    Attributes:
        user_units, system_units: files of the user's and of the system's manager.
        enabled: whether the user's manager starts the daemon.
        lingers: whether the user's manager starts at boot and outlives the last session.
        manager_runs: whether it runs now.
        make_data_root: whether the data directory has to be made.
        switch_off: units of root's daemon that run or would start.
    """

    user_units: tuple[Difference, ...]
    system_units: tuple[Difference, ...]
    enabled: bool
    lingers: bool
    manager_runs: bool
    make_data_root: bool
    switch_off: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.lines())

    def lines(self) -> list[str]:
        """Return what will be done besides the files, in words."""
        lines = [f"write {difference.path}" for difference in (*self.user_units, *self.system_units)]
        lines += [f"stop and disable {unit}" for unit in self.switch_off]
        lines += [] if self.enabled else ["let the user's systemd start the daemon"]
        lines += ["make the data directory"] if self.make_data_root else []
        lines += [] if self.lingers else ["let the user's systemd start at boot (linger)"]
        lines += [] if self.manager_runs else ["start the user's systemd"]
        return lines


def plan(account: Account, request: Request, start_script: str) -> Plan:
    """Compare the host with what a user's daemon needs."""
    wanted_user = {f"{_USER_UNITS}/{rootless.UNIT}": (rootless.unit(account.name, start_script, request.mount_point), 0o644)}
    uid = account.uid
    wanted_system = {
        f"/etc/systemd/system/user@{uid}.service.d/50-bulkhead-delegate.conf": (rootless.delegation(request.controllers), 0o644)
    }
    return Plan(
        user_units=tuple(managed_files.differences(wanted_user)),
        enabled=_enabled(),
        system_units=() if uid is None else tuple(managed_files.differences(wanted_system)),
        lingers=os.path.exists(f"{_LINGER}/{account.name}"),
        manager_runs=uid is not None and systemd.is_active(f"user@{uid}.service"),
        make_data_root=not os.path.isdir(request.data_root),
        switch_off=tuple(unit for unit in ROOTFUL_UNITS if _would_run(unit)),
    )


def _enabled() -> bool:
    link = f"{_USER_UNITS}/default.target.wants/{rootless.UNIT}"
    return os.path.islink(link) and os.path.realpath(link) == os.path.realpath(f"{_USER_UNITS}/{rootless.UNIT}")


def _would_run(unit: str) -> bool:
    shown = systemd.properties(unit, ["ActiveState", "UnitFileState"])
    return shown["ActiveState"] not in ("inactive", "failed", "") or shown["UnitFileState"] in ("enabled", "enabled-runtime")


# Acting -----------------------------------------------------------------------------------------------------------------


def apply(account: Account, request: Request, todo: Plan) -> None:
    """Make the host as planned; the account must exist."""
    if todo.switch_off:
        systemd.stop(*todo.switch_off)
        commands.run(["systemctl", "disable", "--", *todo.switch_off])
    managed_files.apply([*todo.user_units, *todo.system_units])
    if not todo.enabled:
        # The unit's own condition keeps it from the managers of all other users.
        commands.run(["systemctl", "--global", "enable", "--", rootless.UNIT])
    if todo.system_units:
        systemd.daemon_reload()
    if todo.make_data_root:
        _make_data_root(account, request.data_root)
    if not todo.lingers:
        # What loginctl enable-linger leaves behind (logind, user_record_linger); that one needs a session that logind knows.
        files.ensure_directory(_LINGER)
        files.write_text(f"{_LINGER}/{account.name}", "", mode=0o644)
    manager = f"user@{account.uid}.service"
    if not todo.manager_runs:
        started = systemd.start(manager)
        if started.rc:
            raise commands.CommandError(f"{manager} does not start: {started.stderr.strip() or 'see its journal'}")
    elif todo.user_units or not todo.enabled:
        systemd.daemon_reload(systemd.user_scope(account))


def _make_data_root(account: Account, path: str) -> None:
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if _may_be_moved(account, parent):
        with accounts.acting_as(account):
            files.ensure_directory(path, mode=0o710)
    else:
        files.ensure_directory(path, mode=0o710, uid=account.uid, gid=account.gid)


def _may_be_moved(account: Account, directory: str) -> bool:
    """Tell whether a directory or one above it is the user's, who could put a link there while root makes something in it."""
    while True:
        if os.stat(directory).st_uid == account.uid:
            return True
        if directory == os.path.dirname(directory):
            return False
        directory = os.path.dirname(directory)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def _number(path: str, otherwise: int) -> int:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else otherwise
