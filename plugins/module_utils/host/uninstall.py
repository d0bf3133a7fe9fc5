# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Taking what the manifest lists off a host; what to do is decided in drift/uninstall.py.

PRIVATE to the collection: no stability is promised to other users.

Every step finds out by itself whether it has been done, and the manifest is written last, so a run that was killed is finished by
the next.
"""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import os
import re
import shlex
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, manifest, uninstall
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import split
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.uninstall import Config, Host, Plan, Step, Wanted
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json, text_lines, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    accounts,
    commands,
    daemon,
    docker_api,
    docker_data,
    drift_firewall,
    drift_items,
    drift_look,
    drift_places,
    files,
    limits,
    managed_files,
    manifest_file,
    mounts,
    move_file,
    move_hold,
    package_removal,
    processes,
    set_aside,
    storage,
    subid_files,
    superblock,
    systemd,
    under_mounts,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves

_READING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Notes that are worth nothing without the roles, and what they brought along.
_NOTES = re.compile(
    r"(?:daemon|log-defaults)(?:-[^/]+)?\.(?:json|lock)|(?:storage-claims|restart-due)\.json|packages(?:-before)?|pull|move\.lock|move-hashes"
)
#: Directories that are somebody's as soon as anything lies in them.
_SOMEBODYS = ("set-aside", "loop")
_BRIDGE = "docker0"
_IPTABLES = {drift_firewall.IPTABLES: "iptables", drift_firewall.IP6TABLES: "ip6tables"}
#: The chains that dockerd has had; people begin names of their own like these (moby: integration/network/bridge/iptablesdoc).
_CHAIN = re.compile(r"DOCKER(?:-(?:USER|FORWARD|BRIDGE|CT|INTERNAL|INGRESS|ISOLATION(?:-STAGE-[12])?))?")
_NETWORK_BRIDGE = re.compile(r"br-[0-9a-f]{12}")
#: With userns-remap the root lies one deeper.
_OF_A_ROOT = re.compile(r"^\d+\.\d+/")
#: Removing a large image store takes its time.
_LONG = 3600.0
_STOP_TIMEOUT = 120.0


class UninstallError(Exception):
    """The host cannot be cleared; the message says why and what to do. What was done before stays done."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What was looked at, and the plan that follows from it."""

    before: Manifest
    plan: Plan


def make(wanted: Wanted) -> Work:
    """Look at the host and decide; nothing is changed.

    Raises:
        UninstallError: there is no manifest that can be believed, or the data are on their way to another place.
        commands.CommandError, files.FileError: the host cannot be looked at.
    """
    found = manifest_file.read()
    if found.manifest is None:
        help_ = {
            live.MISSING: "nothing on this host is known to come from this collection, so nothing is removed",
            live.FOREIGN: "what it lists was made on another machine; run provision, which writes one of this host, and run this again",
            live.EXPOSED: "whoever wrote it would choose what is removed; look at it, make it root's own (mode 0600), and run provision",
        }.get(found.name, "so nobody knows what to remove; run provision, which writes it anew, and run this again")
        raise UninstallError(f"{manifest.PATH} {found.problem}; {help_}")
    held = move_hold.held_by()
    move = move_file.read()
    if held and (move is None or not move.unfinished):
        raise UninstallError(f"{held} keeps Docker from starting because of a move of its data, of which {move_file.PATH} tells no more; put the note back")
    if move is not None and move.unfinished:
        raise UninstallError(
            f"{move_file.PATH} says that Docker's data are being moved from {move.move.before.path} to {move.move.after.path} (phase {move.phase}); "
            "run provision as it was run then, which finishes the move, and run this again"
        )
    items = {thing: state for section in found.manifest.sections.values() for thing, state in section.items.items()}
    names = [split(thing) for thing in items]
    eyes = drift_look.Eyes(
        ["docker.service", *(name for kind, name in names if kind in ("unit", "timer"))],
        [name for kind, name in names if kind == "package"],
        drift_items.OUR_DROP_INS,
    )
    seen = {thing: eyes.observe(thing, state) for thing, state in items.items()}
    return Work(found.manifest, uninstall.plan(found.manifest, seen, _host(found.manifest, seen, wanted), wanted))


def carry_out(work: Work, done: list[str]) -> None:
    """Do what was planned and write down what is left.

    Args:
        done: what was done is appended here.

    Raises:
        UninstallError, commands.CommandError, files.FileError, docker_api.ApiError: a step failed.
    """
    touched = False
    limited: list[managed_files.Difference] = []
    for step in work.plan.steps:
        if touched and step.verb in (uninstall.PACKAGE, uninstall.START_DOCKER):
            systemd.daemon_reload()
            touched = False
        if step.verb == uninstall.FILE and os.path.basename(step.name) == drift_places.LIMITS_DROP_IN:
            limited += managed_files.differences({step.name: (None, 0)})
        _ACTS[step.verb](step)
        done.append(step.says)
        touched = touched or (step.verb in (uninstall.FILE, uninstall.FSTAB) and ("/systemd/" in step.name or step.verb == uninstall.FSTAB))
    if touched:
        systemd.daemon_reload()
    limits.forget([one for one in limited if not os.path.lexists(one.path)])
    if work.plan.remaining != work.before:
        manifest_file.write(manifest.render(work.plan.remaining))


# Looking -------------------------------------------------------------------------------------------------------------------


def _host(before: Manifest, seen: t.Mapping[str, t.Any], wanted: Wanted) -> Host:
    names = uninstall.leaving(before, seen, wanted)
    along = package_removal.look(names)
    dockerd = daemon.Daemon()
    places = _data_places(before, names)
    notes = _names(uninstall.STATE_DIRECTORY)
    runs = dockerd.unit().active
    ours = {split(thing)[1] for thing in seen if split(thing)[0] == "mount"}
    rootful = any(split(thing)[0] == "file" and split(thing)[1] == drift_places.CONFIG_FILE for thing in seen)
    return Host(
        engine=dockerd.engine_version() is not None,
        runs=runs,
        containers=processes.containers(),
        config=_config(dockerd) if rootful else None,
        holding={path: held for path, held in ((path, _holding(path)) for path in places) if held},
        foreign={
            path: [name for name in _names(path) if path not in places or not _of_docker(path, name)] for path in dict.fromkeys((*places, uninstall.EMPTIED))
        },
        links={path: os.path.realpath(path) for path in places if os.path.islink(path)},
        mounted=_mounted(places, ours, runs),
        dependents=along.dependents,
        orphans=along.orphans,
        files=tuple(name for name in notes if _is_note(name)),
        set_aside=tuple(name for name in notes if _is_somebodys(name)),
        exposed=tuple(split(thing)[1] for thing in seen if split(thing)[0] == "file" and set_aside.open_to_others(split(thing)[1])),
        guards=(guard.PROGRAM, *drift_items.OUR_DROP_INS),
    )


def _mounted(places: t.Sequence[str], ours: t.Collection[str], runs: bool) -> tuple[str, ...]:
    """Return what is mounted below the places and is neither ours nor goes when a daemon that runs stops its containers."""
    found = []
    for mount in mounts.mountinfo():
        place = next((path for path in places if mount.target.startswith(path + "/")), "")
        if place and mount.target not in ours and not (runs and moves.mounted_by_the_engine(_OF_A_ROOT.sub("", mount.target[len(place) + 1:]))):
            found.append(mount.target)
    return tuple(found)


def _config(dockerd: daemon.Daemon) -> Config:
    state, _damage = dockerd.read_state()
    try:
        text = files.read_text(dockerd.config_file)
        now: dict[str, t.Any] | None = daemon_json.parse(text or "{}")
    except (files.FileError, daemon_json.DaemonJsonError):
        now = None
    good = None
    if state.good is not None and state.good.config is not None:
        with contextlib.suppress(daemon_json.DaemonJsonError):
            good = daemon_json.parse(state.good.config)
    return Config(dockerd.config_file, now, good, state.managed)


def _data_places(before: Manifest, leaving: t.Collection[str]) -> list[str]:
    """Return the directories in which Docker keeps data, without those that lie in another of them."""
    found = [*uninstall.data_directories(before)]
    if "docker_daemon" in before.sections:
        found.append(storage.configured_data_root() or storage.DEFAULT_DATA_ROOT)
    if uninstall.containerd_leaves(leaving):
        found.append(uninstall.CONTAINERD_ROOT)
    tops: list[str] = []
    for path in sorted({os.path.normpath(path) for path in found}, key=len):
        if not any(path.startswith(top + "/") for top in tops):
            tops.append(path)
    return tops


def _of_docker(path: str, name: str) -> bool:
    return storage.belongs("containerd" if path == uninstall.CONTAINERD_ROOT else "data-root", name)


def _is_note(name: str) -> bool:
    if name == os.path.basename(move_file.PATH):
        # It is all that names the old tree, as long as there is one.
        move = move_file.read()
        return move is None or not any(map(os.path.lexists, move.old))
    return bool(_NOTES.fullmatch(name))


def _is_somebodys(name: str) -> bool:
    if name == os.path.basename(manifest.PATH) or _is_note(name):
        return False
    return name not in _SOMEBODYS or bool(_names(f"{uninstall.STATE_DIRECTORY}/{name}"))


def _holding(path: str) -> str:
    """Return what of Docker's lies in a directory, in words; empty where nothing does."""
    if not any(_of_docker(path, name) for name in _names(path)):
        return ""
    if path == uninstall.CONTAINERD_ROOT:
        return "containerd's images" if docker_data.containerd_holds_data(path) else "containerd's empty store"
    found = [data.describe() for data in map(docker_data.inventory, docker_data.roots_below(path)) if data.any]
    return " and ".join(found) or "an engine's empty store"


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


# Acts ----------------------------------------------------------------------------------------------------------------------


def _stop_containers(step: Step) -> None:
    dockerd = daemon.Daemon()
    if dockerd.unit().active:
        api = docker_api.DockerApi(timeout=_STOP_TIMEOUT)
        for identifier in api.running():
            try:
                api.ask(operator.methodcaller("stop", identifier))
            except docker_api.ApiError:
                # One that has ended and was made with --rm is gone by itself.
                if identifier in api.running():
                    raise
        api.close()
    left = processes.containers()
    if left:
        shown = ", ".join(left[:5])
        raise UninstallError(f"containers still run ({shown}), although Docker was asked to stop all of its own; see whose they are and stop them")


def _disable(step: Step) -> None:
    systemd.stop(step.name)
    commands.run(["systemctl", "disable", "--", step.name], timeout=120, check=False)
    systemd.reset_failed(step.name)


def _disable_user(step: Step) -> None:
    user, _slash, unit = step.name.partition("/")
    account = accounts.find(user)
    if account.uid is not None:
        scope = systemd.user_scope(account)
        systemd.stop(unit, scope=scope)
        commands.run([*scope.systemctl, "disable", "--", unit], timeout=120, check=False)


def _stop_docker(step: Step) -> None:
    if not daemon.Daemon().stop():
        raise UninstallError("docker.service does not stop; see 'journalctl -u docker'")
    if step.values["containerd"]:
        systemd.stop("containerd.service")
    for path in step.values["mounted"]:
        _mount(Step(uninstall.MOUNT, path, ""))


def _firewall(step: Step) -> None:
    if step.name == drift_firewall.NFTABLES:
        for rule in drift_firewall.skeleton(drift_firewall.rules(step.name) or ()):
            commands.run(["nft", "delete", *rule.split()])
        return
    tool = _IPTABLES[step.name]
    found = drift_firewall.rules(step.name) or []
    chains = [rule.split(" ", 2) for rule in found if rule.split(" ", 2)[1] == "chain"]
    rules = [rule.split(" ", 1) for rule in found if rule.split(" ", 2)[1] == "-A"]
    users = [rest for _table, rest in rules if rest.startswith("-A DOCKER-USER ") and rest != "-A DOCKER-USER -j RETURN"]
    kept = {"DOCKER-USER"} if users else set()
    for table, rest in rules:
        words = shlex.split(rest)
        if words[1].startswith("DOCKER") or not _made_by_docker(words) or set(words) & kept:
            continue
        commands.run([tool, "--wait", "10", "--table", table, "--delete", *words[1:]])
    gone = [(table, name) for table, _kind, name in chains if name not in kept and _CHAIN.fullmatch(name)]
    for action in ("--flush", "--delete-chain"):
        for table, name in gone:
            commands.run([tool, "--wait", "10", "--table", table, action, name])
    # Its addresses are nobody's without a daemon.
    commands.run(["ip", "link", "delete", _BRIDGE, "type", "bridge"], check=False)


def _made_by_docker(words: t.Sequence[str]) -> bool:
    """Tell whether a rule in one of the kernel's own chains is dockerd's: it jumps to its chains, or is about its bridges."""
    for before, word in zip(words, words[1:]):
        if before in ("-j", "-g") and _CHAIN.fullmatch(word):
            return True
        if before in ("-i", "-o") and (word == _BRIDGE or _NETWORK_BRIDGE.fullmatch(word)):
            return True
    return False


def _mount(step: Step) -> None:
    if not mounts.is_mount_point(step.name):
        mounts.mount(step.name)


def _empty(step: Step) -> None:
    """Remove what is on a mounted filesystem, through a descriptor of its root, so that nothing mounted over it on the way is touched."""
    found = [mount for mount in mounts.mountinfo() if mount.target == step.name]
    if not found or superblock.uuid(found[-1].source, found[-1].fstype) != step.values["uuid"]:
        raise UninstallError(f"{step.name} does not hold the filesystem {step.values['uuid']} any more; see what was mounted or unmounted there and run again")
    inside = [mount.target for mount in mounts.mountinfo() if mount.target.startswith(step.name + "/")]
    if inside:
        raise UninstallError(f"{inside[0]} is still mounted inside of {step.name}; see what uses it, unmount it and run again")
    _clear(step.name, [name for name in _names(step.name) if step.values["all"] or _of_docker(step.name, name)])


def _clear(directory: str, names: t.Sequence[str]) -> None:
    """Remove names from a directory with all that is below them; links are removed and never followed, other filesystems stay."""
    descriptor = os.open(directory, _READING)
    try:
        # rm goes down with descriptors (fts(3)), from the directory that it was started in.
        for name in names:
            commands.run(["rm", "--recursive", "--force", "--one-file-system", "--", f"./{name}"], timeout=_LONG, cwd=f"/proc/{os.getpid()}/fd/{descriptor}")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unmount(step: Step) -> None:
    if mounts.is_mount_point(step.name):
        commands.run(["umount", "--", step.name], timeout=120)


def _fstab(step: Step) -> None:
    text = files.read_text(mounts.FSTAB) or ""
    lines = text_lines.lines_of(text)
    kept = [line for line in lines if " ".join(text_lines.fields_of(line)) not in step.values["line"].split("; ")]
    if kept != lines:
        status = os.lstat(mounts.FSTAB)
        files.write_text(mounts.FSTAB, "".join(f"{line}\n" for line in kept), mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, gid=status.st_gid)


def _bare(step: Step) -> None:
    if mounts.is_mount_point(step.name):
        return
    try:
        descriptor = os.open(step.name, _READING)
    except FileNotFoundError:
        return
    try:
        under_mounts.make_mutable(descriptor)
    except OSError as error:
        raise files.FileError(f"{step.name} cannot be made writable again: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _image(step: Step) -> None:
    files.remove(step.name)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(step.name))


def _purge(step: Step) -> None:
    path = step.name
    inside = [mount.target for mount in mounts.mountinfo() if mount.target.startswith(path + "/")]
    if inside:
        raise UninstallError(f"{inside[0]} is still mounted inside of {path}; see what uses it, unmount it and run again")
    _clear(path, [name for name in _names(path) if _of_docker(path, name)])
    with contextlib.suppress(OSError):
        os.rmdir(path)


def _unhold(step: Step) -> None:
    package_removal.unhold(step.name)


def _packages(step: Step) -> None:
    package_removal.remove(step.values["names"], step.values["purge"])


def _keys(step: Step) -> None:
    dockerd = daemon.Daemon(step.name)
    present = dockerd.read_files()
    after = step.values["config"]
    state, _damage = dockerd.read_state()
    text = daemon_json.render(after) if after else None
    version = dockerd.engine_version()
    # Older releases cannot judge a file without starting.
    if text is not None and version is not None and versions.within(versions.parse(version), "23.0"):
        said = dockerd.validate(text, dockerd.unit())
        if said:
            raise UninstallError(f"{step.name} without our keys is refused by dockerd: {said}; nothing of it was changed")
    dockerd.write_files(dataclasses.replace(present, config=text))
    if step.values["stayed"]:
        dockerd.write_state(dataclasses.replace(state, managed=tuple(step.values["stayed"])))


def _audit(step: Step) -> None:  # pylint: disable=unused-argument
    from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit_rules

    try:
        audit_rules.carry_out(audit_rules.make(audit_rules.places(), present=False))
    except audit_rules.AuditError as error:
        raise UninstallError(str(error)) from error


def _apparmor(step: Step) -> None:
    if step.values["loaded"]:
        # The parser needs nothing of a profile but its name to take it away.
        commands.run(["apparmor_parser", "--remove"], stdin=f'profile "{step.name}" {{}}\n')
    files.remove(step.values["path"])


def _file(step: Step) -> None:
    state, _content = drift_look.file_state(step.name)
    if state.get("sha256") != step.values["sha256"]:
        # What was judged is gone, or somebody is at it just now: the next run judges again.
        return
    files.remove(step.name)
    directory = os.path.dirname(step.name)
    if directory.endswith((".d", "/bulkhead")) and directory.startswith(("/etc/systemd/", "/usr/local/lib/")):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _directory(step: Step) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(step.name)


def _ranges(step: Step) -> None:
    names = {step.name, str(subid_files.account_number(step.name))}
    with subid_files.locked():
        for file, field in zip(subid_files.read(), ("uid", "gid")):
            gone = {f"{name}:{ranges}" for name in names for ranges in step.values[field]}
            lines = text_lines.lines_of(file.text)
            kept = [line for line in lines if line.strip(" \t") not in gone]
            if kept != lines:
                subid_files.replace(file.path, "".join(f"{line}\n" for line in kept))


def _account(step: Step) -> None:
    if subid_files.account_number(step.name) is not None:
        commands.run(["userdel", "--", step.name])
    if subid_files.group_exists(step.name):
        commands.run(["groupdel", "--", step.name])


def _start_docker(step: Step) -> None:  # pylint: disable=unused-argument
    dockerd = daemon.Daemon()
    cursor = dockerd.journal_cursor()
    if not dockerd.restart(180):
        raise UninstallError(f"Docker does not start with what is left: {dockerd.journal_reason(cursor) or 'it says nothing'}; see 'journalctl -u docker'")


def _state(step: Step) -> None:
    for name in step.values["names"]:
        path = f"{uninstall.STATE_DIRECTORY}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            _clear(uninstall.STATE_DIRECTORY, [name])
        else:
            files.remove(path)
    for name in _SOMEBODYS:
        with contextlib.suppress(OSError):
            os.rmdir(f"{uninstall.STATE_DIRECTORY}/{name}")


_ACTS: dict[str, t.Callable[[Step], None]] = {
    uninstall.STOP_CONTAINERS: _stop_containers,
    uninstall.DISABLE: _disable,
    uninstall.DISABLE_USER: _disable_user,
    uninstall.STOP_DOCKER: _stop_docker,
    uninstall.FIREWALL: _firewall,
    uninstall.MOUNT: _mount,
    uninstall.EMPTY: _empty,
    uninstall.UNMOUNT_IT: _unmount,
    uninstall.FSTAB: _fstab,
    uninstall.BARE: _bare,
    uninstall.IMAGE: _image,
    uninstall.PURGE: _purge,
    uninstall.UNHOLD: _unhold,
    uninstall.PACKAGE: _packages,
    uninstall.KEYS: _keys,
    uninstall.AUDIT: _audit,
    uninstall.APPARMOR: _apparmor,
    uninstall.FILE: _file,
    uninstall.DIRECTORY: _directory,
    uninstall.RANGES: _ranges,
    uninstall.ACCOUNT: _account,
    uninstall.START_DOCKER: _start_docker,
    uninstall.STATE: _state,
}
