# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whose keys daemon.json holds, what differs between two of its versions, and what it costs to apply the difference.

PRIVATE to the collection: no stability is promised to other users.

A managed path is the name of a key, or ``key.member`` for keys whose members may have different owners (features,
runtimes, …). Names of keys hold no dot, so the first one separates the two.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_json import same
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version

#: The force that a change needs, from least to most. LIVE means that nothing has to be done.
LIVE = "live"
RELOAD = daemon_keys.RELOAD
RESTART = daemon_keys.RESTART
FORCES = (LIVE, RELOAD, RESTART)

_CREDENTIALS = re.compile(r"(?<=://)\S+(?=@)")
# Go also takes a proxy without a scheme.
_PROXIES = ("http-proxy", "https-proxy")
_PROXY_CREDENTIALS = re.compile(r"^(?!\w+://)\S+(?=@)")
_SECRET_OPTIONS = ("splunk-token", "logentries-token")


@dataclasses.dataclass(frozen=True)
class Merged:
    """A configuration after our keys were put in.

    Attributes:
        config: the whole.
        managed, foreign: the paths that are ours, and that are not.
        adopted: the paths that somebody else had put there and that are ours from now on, whatever their value was.
        reset: keys that nobody wants, with the value that takes back what the daemon holds; they are part of config
            and in neither of the others.
    """

    config: dict[str, t.Any]
    managed: tuple[str, ...]
    foreign: tuple[str, ...]
    adopted: tuple[str, ...] = ()
    reset: dict[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Change:
    """One path that differs.

    Attributes:
        path: a key, or key.member.
        before, after: the values, None where the path is absent, with credentials masked.
        apply: LIVE, RELOAD or RESTART.
        reaches: whom it reaches then; see daemon_keys.
    """

    path: str
    before: t.Any
    after: t.Any
    apply: str
    reaches: str = daemon_keys.DAEMON

    @property
    def recreate(self) -> bool:
        """Whether only containers that are created later get the new value."""
        return self.reaches == daemon_keys.CREATED

    def as_dict(self) -> dict[str, t.Any]:
        """Return the change as a module returns it."""
        return {
            "key": self.path,
            "before": self.before,
            "after": self.after,
            "apply": self.apply,
            "recreate": self.recreate,
        }


def merge(
    current: t.Mapping[str, t.Any],
    desired: t.Mapping[str, t.Any],
    previously_managed: t.Iterable[str],
    left: t.Mapping[str, t.Any] | None = None,
) -> Merged:
    """Put the desired keys into a configuration and take out those that we managed before and no longer want.

    Args:
        current: what the file holds.
        desired: the keys that we manage now.
        previously_managed: the paths that we managed at the last run.
        left: values of keys that we left in the file to reset the daemon; see Merged.reset. They are taken out, unless
            somebody has given the key another value since.
    """
    config = {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in current.items()
        if not is_left(name, current, left or {})
    }
    managed = _paths(desired)
    ours = set(previously_managed)
    there = set(_paths(config))
    adopted = [path for path in managed if path in there and not {path, path.partition(".")[0]} & ours]
    for path in ours - set(managed):
        name, _dot, member = path.partition(".")
        if not member:
            # A key that was ours as a whole may have members now; those are set again below.
            config.pop(name, None)
        elif isinstance(config.get(name), dict):
            config[name].pop(member, None)
            if not config[name]:
                del config[name]
    for name, value in desired.items():
        if _has_members(name, value) and isinstance(config.get(name), dict):
            config[name] = {**config[name], **value}
        else:
            config[name] = value
    foreign = set(_paths(config)) - set(managed)
    return Merged(config, tuple(sorted(managed)), tuple(sorted(foreign)), tuple(sorted(adopted)))


def is_left(name: str, current: t.Mapping[str, t.Any], left: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a key of the file still is what we left there to reset the daemon."""
    return name in left and name in current and same(current[name], left[name])


def resets(
    held: t.Iterable[t.Mapping[str, t.Any]], config: t.Mapping[str, t.Any], version: Version, cgroup_version: int = 0
) -> dict[str, t.Any]:
    """Return the values to write for absent keys, so that SIGHUP takes back what the daemon may hold of them.

    Args:
        held: the configurations whose values the daemon may hold.
        config: the configuration that lacks the keys.
        version: of the engine.
        cgroup_version: of the host; see daemon_keys.reset_value.
    """
    values: dict[str, t.Any] = {}
    for former in held:
        for name, value in former.items():
            key = KEYS.get(name)
            if name in config or key is None or key.apply != RELOAD or key.absent != daemon_keys.KEEPS:
                continue
            value_back = daemon_keys.reset_value(key, version, cgroup_version)
            if value_back is not None and not _means_the_same(key, value, None, version):
                values[name] = value_back
    return values


def changes(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any], version: Version) -> list[Change]:
    """Return what differs between two configurations, in the order of their keys, and what each difference needs."""
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if name in before and name in after and same(old, new):
            continue
        if _has_members(name, old if name in before else {}) and _has_members(name, new if name in after else {}):
            old_members, new_members = old or {}, new or {}
            for member in dict.fromkeys([*old_members, *new_members]):
                if not (
                    member in old_members and member in new_members and same(old_members[member], new_members[member])
                ):
                    found.append(
                        _change(
                            name, member, old_members.get(member), new_members.get(member), version, name not in after
                        )
                    )
        else:
            found.append(_change(name, "", old, new, version, name not in after))
    return found


def force(found: t.Iterable[Change]) -> str:
    """Return the least force that applies all changes."""
    return max((change.apply for change in found), key=FORCES.index, default=LIVE)


def masked(value: t.Any) -> t.Any:
    """Return a value with the credentials in addresses, and tokens of log drivers, replaced by stars."""
    if isinstance(value, str):
        return _CREDENTIALS.sub("********", value)
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, dict):
        hidden = {
            name: _PROXY_CREDENTIALS.sub("********", item) if name in _PROXIES and isinstance(item, str) else item
            for name, item in value.items()
        }
        return {name: "********" if name in _SECRET_OPTIONS else masked(item) for name, item in hidden.items()}
    return value


def secrets(value: t.Any) -> set[str]:
    """Return every text in a value that holds a credential, and the credentials alone, so that no output repeats them."""
    return _secrets(value, masked(value))


def _secrets(value: t.Any, hidden: t.Any) -> set[str]:
    if isinstance(value, dict) and isinstance(hidden, dict):
        return {text for name in value for text in _secrets(value[name], hidden[name])}
    if isinstance(value, list) and isinstance(hidden, list):
        return {text for pair in zip(value, hidden) for text in _secrets(*pair)}
    if not isinstance(value, str) or value == hidden:
        return set()
    # Of user:password the second part is the secret, and may stand elsewhere alone.
    before, after = str(hidden).split("********", 1)
    held = value[len(before) : len(value) - len(after)]
    return {text for text in (value, held, held.partition(":")[2]) if text}


def marks(change: Change) -> str:
    """Return what a change costs as the marks of a diff, such as ``[restart] [recreate containers]``."""
    reached = {
        daemon_keys.BRIDGE: " [no container may run]",
        daemon_keys.CREATED: " [recreate containers]",
        daemon_keys.STARTED: " [restart containers]",
        daemon_keys.NETWORKS: " [recreate networks]",
    }
    return f"[{change.apply}]{reached.get(change.reaches, '')}"


def _change(name: str, member: str, before: t.Any, after: t.Any, version: Version, absent: bool) -> Change:
    key = KEYS.get(name)
    path = f"{name}.{member}" if member else name
    if key is None:
        return Change(path, masked(before), masked(after), RESTART)
    if not member and _means_the_same(key, before, after, version):
        return Change(path, masked(before), masked(after), LIVE)
    apply = daemon_keys.apply_of(key, version)
    if name == "features":
        # SIGHUP replaces the whole map, but most switches are only looked at when the daemon starts.
        apply = daemon_keys.FEATURES.get(member, ("", RESTART))[1]
    elif apply == RELOAD and absent and key.absent == daemon_keys.KEEPS:
        apply = RESTART
    return Change(path, masked(before), masked(after), apply, key.reaches)


def _means_the_same(key: daemon_keys.Key, before: t.Any, after: t.Any, version: Version) -> bool:
    default = daemon_keys.default_of(key, version)
    if default is None:
        return False
    return same(default if before is None else before, default if after is None else after)


def _has_members(name: str, value: t.Any) -> bool:
    return name in KEYS and KEYS[name].members and isinstance(value, dict)


def _paths(config: t.Mapping[str, t.Any]) -> list[str]:
    paths: list[str] = []
    for name, value in config.items():
        paths += [f"{name}.{member}" for member in value] if _has_members(name, value) else [name]
    return paths
