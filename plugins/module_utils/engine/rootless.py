# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What dockerd can and cannot do when a user runs it: places, keys, filesystems, the host, and the user's unit.

PRIVATE to the collection: no stability is promised to other users.

RootlessKit gives the daemon a user, a mount and a network namespace of its own (moby: contrib/dockerd-rootless.sh).
What lies outside of them, such as other users' files, the host's addresses, its mounts and its control groups, is out of
reach, and dockerd either does not start or silently does something else. Each limit is one entry here; the page of the
role docker_rootless shows the same table.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

UNIT = "docker.service"
# Overlay mounts in a user namespace came with Linux 5.11 (docs: engine/security/rootless).
NATIVE_OVERLAY = (5, 11)
FUSE_DRIVER = "fuse-overlayfs"
# What systemd can hand down to a user's control group (docs: engine/security/rootless, "Limiting resources").
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
TOOLS = ("rootlesskit", "newuidmap", "newgidmap", "slirp4netns")
# In order of preference; Debian's docker.io keeps it out of PATH, Docker's own packages do not.
PROGRAMS = ("/usr/bin/dockerd-rootless.sh", "/usr/local/bin/dockerd-rootless.sh", "/usr/share/docker.io/contrib/dockerd-rootless.sh")
_REMOTE_FILESYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs")
_WHOLE_ID_SPACE = "0 0 4294967295"


@dataclasses.dataclass(frozen=True)
class Account:
    """The user who runs the daemon; the ids are None while the account is still to be made."""

    name: str
    home: str
    uid: int | None = None
    gid: int | None = None

    @property
    def runtime(self) -> str:
        """The directory of the user's sockets, XDG_RUNTIME_DIR (pam_systemd(8))."""
        return "" if self.uid is None else f"/run/user/{self.uid}"

    @property
    def socket(self) -> str:
        """The daemon's socket."""
        return f"unix://{self.runtime}/docker.sock"

    @property
    def config_directory(self) -> str:
        """Where the daemon looks for its configuration."""
        return f"{self.home}/.config/docker"

    @property
    def data_root(self) -> str:
        """Where the daemon keeps its data unless told otherwise."""
        return f"{self.home}/.local/share/docker"


# Keys -------------------------------------------------------------------------------------------------------------------

_Applies = t.Callable[[t.Any, Version, Account], bool]


def _given(value: t.Any, _version: Version, _account: Account) -> bool:
    return bool(value)


def _is(forbidden: bool) -> _Applies:
    return lambda value, _version, _account: value is forbidden


def _outside(value: t.Any, _version: Version, account: Account) -> bool:
    return isinstance(value, str) and bool(value) and not (account.runtime and value.startswith(account.runtime + "/"))


def _listens_elsewhere(value: t.Any, version: Version, account: Account) -> bool:
    return isinstance(value, list) and any(
        not str(entry).startswith("unix://") or _outside(str(entry)[len("unix://"):], version, account) for entry in value
    )


def _needs_proxy(value: t.Any, version: Version, _account: Account) -> bool:
    return value is False and not within(version, "28.0")


def _driver(value: t.Any, _version: Version, _account: Account) -> bool:
    return value in ("aufs", "devicemapper", "zfs", "overlay")


def _quota(value: t.Any, _version: Version, _account: Account) -> bool:
    return isinstance(value, list) and any(str(option).partition("=")[0] in ("overlay2.size", "size") for option in value)


def _own_bridge(value: t.Any, _version: Version, _account: Account) -> bool:
    return bool(value) and value != "none"


@dataclasses.dataclass(frozen=True)
class Limit:
    """A key of daemon.json that a user's daemon cannot have.

    Attributes:
        key: of daemon.json.
        values: which values are refused, for the table.
        applies: tells whether a value is one of them.
        why: what happens with it, and ``instead`` what to do; together one sentence.
    """

    key: str
    values: str
    applies: _Applies
    why: str
    instead: str


LIMITS: tuple[Limit, ...] = (
    Limit(
        "userns-remap", "any user", _given,
        "the daemon lives in a user namespace already and cannot give files to the ranges of a second one, so it does not start",
        "leave docker_daemon_userns_remap empty; root in a container is the unprivileged user anyway",
    ),
    Limit(
        "live-restore", "true", _is(True),
        "containers live in the namespaces of the daemon that started them, which a new daemon cannot enter, so a restart loses them",
        "set docker_daemon_live_restore to false and give containers a restart policy",
    ),
    Limit(
        "cgroup-parent", "any", _given,
        "it would name a slice of the user's own systemd, not the one of the host that carries the limits",
        "leave docker_daemon_cgroup_parent empty and cap everything together with a drop-in of the user's slice, user-UID.slice",
    ),
    Limit(
        "userland-proxy", "false, before 28.0", _needs_proxy,
        "before Docker 28.0 only the proxy opens the port outside of the daemon's network namespace, so published ports would not answer",
        "leave it true or upgrade the engine",
    ),
    Limit(
        "userland-proxy-path", "any", _given,
        "published ports need the proxy of RootlessKit, which dockerd finds by itself",
        "remove it",
    ),
    Limit(
        "hosts", "anything but a socket below /run/user/UID", _listens_elsewhere,
        "an address or socket elsewhere exists only inside the daemon's own namespaces, where nobody reaches it",
        "remove it; clients use unix:///run/user/UID/docker.sock, from other machines over ssh",
    ),
    Limit(
        "group", "any", _given,
        "the socket lies in a directory that only the user can enter, so a group opens it to nobody",
        "remove it and let clients act as the user",
    ),
    Limit(
        "containerd", "a socket outside of /run/user/UID", _outside,
        "the host's containerd belongs to root and is out of the daemon's reach; before Docker 28 dockerd does not even start",
        "remove it; dockerd starts a containerd of its own",
    ),
    Limit(
        "exec-root", "a path outside of /run/user/UID", _outside,
        "it would lie in the daemon's private copy of /run or belong to root",
        "remove it",
    ),
    Limit(
        "pidfile", "a path outside of /run/user/UID", _outside,
        "it would lie in the daemon's private copy of /run or belong to root",
        "remove it",
    ),
    Limit(
        "storage-driver", "aufs, devicemapper, overlay, zfs", _driver,
        "only root can mount with it, so dockerd does not start",
        "use overlay2, or fuse-overlayfs on a kernel before 5.11",
    ),
    Limit(
        "storage-opts", "overlay2.size", _quota,
        "project quotas cannot be set from a user namespace, so dockerd does not start",
        "remove it and give the data-root a filesystem of its own size",
    ),
    Limit(
        "bridge", "any but none", _own_bridge,
        "bridges of the host do not exist in the daemon's network namespace, so dockerd does not start",
        "remove it and make networks with docker network create",
    ),
    Limit(
        "metrics-addr", "any", _given,
        "it would listen inside the daemon's own network namespace, where nobody asks",
        "remove it",
    ),
    Limit(
        "authorization-plugins", "any", _given,
        "sockets of plugins in /run/docker/plugins are hidden from the daemon, which does not start without its plugins",
        "remove it; only the user reaches the socket",
    ),
    Limit(
        "rootless", "false", _is(False),
        "dockerd refuses to run under RootlessKit with it",
        "remove it; the unit switches the mode on",
    ),
)


def key_problems(config: t.Mapping[str, t.Any], version: Version, account: Account) -> list[Problem]:
    """Return why a user's daemon cannot have a configuration."""
    return [
        Problem(limit.key, f"is {_shown(config[limit.key])}, which rootless mode cannot have: {limit.why}; {limit.instead}")
        for limit in LIMITS
        if limit.key in config and limit.applies(config[limit.key], version, account)
    ]


def _shown(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(entry) for entry in value)
    return f"'{value}'"


def settings_for(settings: t.Mapping[str, t.Any], image_store: str, kernel: tuple[int, ...]) -> dict[str, t.Any]:
    """Return the settings with the storage driver that the kernel lets a user mount, where they leave that open."""
    found = dict(settings)
    if image_store == "overlay2" and kernel < NATIVE_OVERLAY:
        found.setdefault("storage-driver", FUSE_DRIVER)
    return found


def kernel_numbers(release: str) -> tuple[int, ...]:
    """Return the first two numbers of a kernel release; one that cannot be read counts as new."""
    parts = release.split("-")[0].split(".")[:2]
    return tuple(int(part) for part in parts) if len(parts) == 2 and all(part.isdigit() for part in parts) else NATIVE_OVERLAY


# The storage layout -----------------------------------------------------------------------------------------------------

LAYOUT: dict[str, str] = {
    "overlay2": "the daemon cannot mount it again after it has let go of it, and only root could",
    "volumes": "it is made for the root of a daemon that root runs",
    "containers": "it is made for the root of a daemon that root runs",
    "containerd": "the daemon starts a containerd of its own, which keeps its data below the user's data-root",
    "data-root": "its mount point belongs to root, and the guards are units of the system",
}


def layout_problems(names: t.Iterable[str]) -> list[Problem]:
    """Return why filesystems of the storage layout cannot be had, one problem for each name."""
    return [
        Problem(
            f"docker_storage_layout: {name}",
            f"cannot be a filesystem of its own in rootless mode: {LAYOUT.get(name, LAYOUT['volumes'])}; leave the layout empty, mount one "
            "filesystem yourself, put docker_rootless_data_root on it and name its mount point in docker_rootless_mount_point",
        )
        for name in names
    ]


# The host ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a host has for a user's daemon, as host/rootless.py reads it.

    Attributes:
        account_home: of the account, empty while there is none.
        kernel: its release.
        uid_map: the first line of /proc/self/uid_map with single blanks.
        max_user_namespaces: the sysctl, -1 where the kernel has none.
        userns_clone: whether unprivileged users may make user namespaces (a sysctl of Debian's older kernels).
        apparmor_restricts: whether AppArmor keeps programs without a profile from doing so, rootlesskit among them.
        lowest_port: the first port that needs no privilege.
        cgroup_version, controllers: of the host.
        tun: whether /dev/net/tun can be opened; fuse likewise.
        missing_tools: programs of TOOLS and the start script that are not installed.
        data_root_filesystem: type of what holds the data-root.
        data_root_owner: uid of the data-root, None where it does not exist.
        data_root_unreachable: the directory above the data-root that the user cannot pass, empty when there is none.
        mounted: whether the mount point that was named is one.
        own_unit: path of a unit of the user's own that hides ours, empty without one.
        rootful_data: what root's daemon holds, in words; empty when nothing.
    """

    account_uid: int | None = None
    account_home: str = ""
    kernel: str = ""
    uid_map: str = _WHOLE_ID_SPACE
    max_user_namespaces: int = 1
    userns_clone: bool = True
    apparmor_restricts: bool = False
    lowest_port: int = 1024
    cgroup_version: int = 2
    controllers: tuple[str, ...] = CONTROLLERS
    tun: bool = True
    fuse: bool = True
    missing_tools: tuple[str, ...] = ()
    data_root_filesystem: str = ""
    data_root_owner: int | None = None
    data_root_unreachable: str = ""
    mounted: bool = False
    own_unit: str = ""
    rootful_data: str = ""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        user, home, data_root: of the daemon.
        mount_point: the filesystem without which the daemon must not start, empty for none.
        controllers: the limits that containers must be able to have.
        lowest_port: the lowest port that containers will publish.
        leave_rootful_data: whether data of root's daemon may stay behind, out of reach of the new one.
        predicting: whether accounts, programs and directories may still come.
    """

    user: str
    home: str
    data_root: str
    mount_point: str = ""
    controllers: tuple[str, ...] = CONTROLLERS
    lowest_port: int = 1024
    leave_rootful_data: bool = False
    predicting: bool = False


_Rule = t.Callable[[Facts, Request], t.Optional[Problem]]


def _not_root(facts: Facts, request: Request) -> Problem | None:
    if request.user != "root" and facts.account_uid != 0:
        return None
    return Problem("docker_rootless_user", f"is '{request.user}', which is root; name a user without privileges")


def _home(facts: Facts, request: Request) -> Problem | None:
    if not facts.account_home or facts.account_home.rstrip("/") == request.home.rstrip("/"):
        return None
    return Problem("docker_rootless_home", f"is {request.home}, but {request.user} has {facts.account_home}; set docker_rootless_home to that")


def _nested_ids(facts: Facts, _request: Request) -> Problem | None:
    if facts.uid_map in ("", _WHOLE_ID_SPACE):
        return None
    return Problem(
        "/proc/self/uid_map",
        f"is '{facts.uid_map}': this host itself is a container with mapped ids, which have no room for a user's ranges; "
        "give the host all ids, or use a virtual machine",
    )


def _namespaces(facts: Facts, _request: Request) -> Problem | None:
    if facts.max_user_namespaces > 0:
        return None
    if facts.max_user_namespaces < 0:
        return Problem("kernel", "has no user namespaces, in which a user's daemon lives; use another kernel, or docker_engine_mode rootful")
    return Problem("user.max_user_namespaces", "is 0, so no user can make the namespace that the daemon lives in; raise the sysctl, to 28633 for instance")


def _userns_clone(facts: Facts, _request: Request) -> Problem | None:
    if facts.userns_clone:
        return None
    return Problem("kernel.unprivileged_userns_clone", "is 0, so no user can make the namespace that the daemon lives in; set the sysctl to 1")


def _apparmor(facts: Facts, _request: Request) -> Problem | None:
    if not facts.apparmor_restricts:
        return None
    return Problem(
        "kernel.apparmor_restrict_unprivileged_userns",
        "is 1 and no AppArmor profile allows rootlesskit to make user namespaces; install a profile for it that has the rule userns, and leave the sysctl",
    )


def _overlay(facts: Facts, _request: Request) -> Problem | None:
    if kernel_numbers(facts.kernel) >= NATIVE_OVERLAY or facts.fuse:
        return None
    return Problem(
        "kernel",
        f"is {facts.kernel}: before {'.'.join(map(str, NATIVE_OVERLAY))} users cannot mount overlay filesystems, and /dev/fuse for fuse-overlayfs "
        "cannot be opened either; upgrade the kernel or load the module fuse",
    )


def _tun(facts: Facts, _request: Request) -> Problem | None:
    if facts.tun:
        return None
    return Problem("/dev/net/tun", "cannot be opened, and without it containers have no network; load the module tun, or let the host have the device")


def _tools(facts: Facts, request: Request) -> Problem | None:
    if request.predicting or not facts.missing_tools:
        return None
    return Problem("PATH", f"holds no {', '.join(facts.missing_tools)}; install the packages of docker_rootless_packages")


def _controllers(facts: Facts, request: Request) -> Problem | None:
    if not request.controllers:
        return None
    if facts.cgroup_version != 2:
        return Problem(
            "/sys/fs/cgroup",
            "is cgroup v1, whose limits a user's containers cannot have; boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or accept "
            "containers without limits with an empty docker_rootless_controllers",
        )
    lacking = [name for name in request.controllers if name not in facts.controllers]
    if not lacking:
        return None
    return Problem(
        "/sys/fs/cgroup/cgroup.controllers",
        f"lacks {', '.join(lacking)}, so limits on them would be ignored without a word; enable them on the host, or take them out of "
        "docker_rootless_controllers",
    )


def _ports(facts: Facts, request: Request) -> Problem | None:
    if request.lowest_port >= facts.lowest_port:
        return None
    return Problem(
        "docker_rootless_lowest_port",
        f"is {request.lowest_port}, but users get ports from {facts.lowest_port} on; set the sysctl net.ipv4.ip_unprivileged_port_start to "
        f"{request.lowest_port}, or publish higher ports behind a proxy",
    )


def _data_filesystem(facts: Facts, request: Request) -> Problem | None:
    kind = facts.data_root_filesystem
    if kind in _REMOTE_FILESYSTEMS:
        return Problem("data-root", f"{request.data_root} lies on {kind}, which has no place for the ids of containers; choose a local filesystem")
    if kind == "overlay":
        return Problem("data-root", f"{request.data_root} lies on an overlay filesystem, on which overlay2 does not work; choose another filesystem")
    return None


def _data_owner(facts: Facts, request: Request) -> Problem | None:
    if facts.data_root_owner is None or facts.account_uid is None or facts.data_root_owner == facts.account_uid:
        return None
    return Problem(
        "data-root",
        f"{request.data_root} belongs to uid {facts.data_root_owner}, not to {request.user}, whose daemon does not start on it; "
        "name a directory of the user in docker_rootless_data_root",
    )


def _data_reach(facts: Facts, request: Request) -> Problem | None:
    if not facts.data_root_unreachable:
        return None
    return Problem(
        "data-root",
        f"{request.data_root} lies below {facts.data_root_unreachable}, which {request.user} cannot pass; give the user "
        "the right to search it (chmod o+x), or choose another place",
    )


def _mount_point(facts: Facts, request: Request) -> Problem | None:
    if not request.mount_point:
        return None
    if not (request.data_root + "/").startswith(request.mount_point.rstrip("/") + "/"):
        return Problem("docker_rootless_mount_point", f"is {request.mount_point}, but the data-root {request.data_root} is not on it; correct one of them")
    if facts.mounted:
        return None
    return Problem("docker_rootless_mount_point", f"is {request.mount_point}, where nothing is mounted; mount its filesystem first")


def _own_unit(facts: Facts, _request: Request) -> Problem | None:
    if not facts.own_unit:
        return None
    return Problem(facts.own_unit, "is a unit of the user's own that hides the one of this host; remove it, the settings in daemon.json stay")


def _rootful(facts: Facts, request: Request) -> Problem | None:
    if not facts.rootful_data or request.leave_rootful_data:
        return None
    return Problem(
        "docker_engine_mode",
        f"is rootless, but root's daemon on this host holds {facts.rootful_data}, which a user's daemon never sees; move or remove them first, "
        "or set docker_rootless_leave_rootful_data to stop that daemon and leave its data where they are",
    )


RULES: tuple[_Rule, ...] = (
    _not_root,
    _home,
    _nested_ids,
    _namespaces,
    _userns_clone,
    _apparmor,
    _overlay,
    _tun,
    _tools,
    _controllers,
    _ports,
    _data_filesystem,
    _data_owner,
    _data_reach,
    _mount_point,
    _own_unit,
    _rootful,
)


def host_problems(facts: Facts, request: Request) -> list[Problem]:
    """Return every reason why a host cannot let a user run the daemon as asked."""
    return [problem for problem in (rule(facts, request) for rule in RULES) if problem is not None]


# What nobody can ask for in a configuration, but expects: told, not refused.
TOLD: tuple[tuple[str, str, str], ...] = (
    ("AppArmor", "a user cannot load profiles, so containers run without one", "seccomp and the user namespace remain"),
    ("overlay networks", "the nodes of a swarm do not reach the daemon's network namespace", "use docker_engine_mode rootful for swarm"),
    ("--network host", "is the daemon's network namespace, not the host's", "publish ports"),
    ("source addresses", "containers see connections to published ports come from inside the daemon's network", "use a proxy that names the client"),
    ("ping, raw sockets", "depend on the sysctl net.ipv4.ping_group_range", "set it on the host"),
    ("restarts", "a restart of the daemon always restarts its containers", "docker_daemon_restart: defer"),
)


def table() -> str:
    """Return the limits as the table of the role's page."""
    rows = ["| `daemon.json` | refused | because | instead |", "|---|---|---|---|"]
    rows += [f"| `{limit.key}` | {limit.values} | {limit.why} | {limit.instead} |" for limit in LIMITS]
    return "\n".join(rows)


# The units --------------------------------------------------------------------------------------------------------------


def unit(user: str, program: str, mount_point: str = "") -> str:
    """Return the text of the user's unit, after the one that moby's setup tool writes (dockerd-rootless-setuptool.sh).

    Args:
        user: for whom alone it runs, although every user sees it.
        program: path of dockerd-rootless.sh.
        mount_point: without a filesystem there it does not start.
    """
    guard = f"AssertPathIsMountPoint={mount_point}\n" if mount_point else ""
    return (
        "# Managed by the role bulkhead.docker.docker_rootless.\n"
        "[Unit]\n"
        f"Description=Docker of {user}\n"
        "Documentation=https://docs.docker.com/go/rootless/\n"
        "Requires=dbus.socket\n"
        f"ConditionUser={user}\n"
        # A daemon that nobody has configured would start unhardened, and elsewhere than its data.
        "AssertPathExists=%h/.config/docker/daemon.json\n"
        f"{guard}"
        "StartLimitBurst=3\n"
        "StartLimitIntervalSec=60s\n"
        "\n"
        "[Service]\n"
        "Type=notify\n"
        "NotifyAccess=all\n"
        "Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        f"ExecStart={program}\n"
        "ExecReload=/bin/kill -s HUP $MAINPID\n"
        "TimeoutSec=0\n"
        "Restart=always\n"
        "RestartSec=2\n"
        "Delegate=yes\n"
        "KillMode=mixed\n"
        "\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def delegation(controllers: t.Sequence[str]) -> str:
    """Return the drop-in by which the system hands controllers down to the user's systemd (systemd.resource-control(5))."""
    return f"# Managed by the role bulkhead.docker.docker_rootless.\n[Service]\nDelegate={' '.join(controllers) or 'yes'}\n"
