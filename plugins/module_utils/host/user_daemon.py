# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The daemon that systemd runs for a user (rootless mode), for the same transaction as the daemon of root.

PRIVATE to the collection: no stability is promised to other users.

Other places, another systemd, and the rights of the user for every file in the user's own tree.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rootless, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, daemon_facts, files, systemd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import STATE_DIRECTORY, UNIT, Daemon, Unit

_READ_BY_DOCKERD = ("seccomp-profile", "tlscacert", "tlscert", "tlskey")


class UserDaemon(Daemon):
    """The daemon of a user.

    Args:
        account: of the user; while it has no ids yet there is no daemon, which is enough for a prediction.
    """

    def __init__(self, account: rootless.Account) -> None:
        super().__init__(f"{account.config_directory}/daemon.json")
        self.account = account
        self.seccomp_file = f"{account.config_directory}/seccomp-bulkhead.json"
        self.state_file = f"{STATE_DIRECTORY}/daemon-{account.name}.json"
        self.log_memory = f"{STATE_DIRECTORY}/log-defaults-{account.name}.json"
        self.socket = account.socket
        if account.uid is not None:
            self.scope = systemd.user_scope(account)

    # Files ---------------------------------------------------------------------------------------------------------

    def read_files(self) -> Files:
        """Return daemon.json and our seccomp profile as they are."""
        if self.account.uid is None:
            return Files(None, None)
        with accounts.acting_as(self.account):
            return super().read_files()

    def write_files(self, wanted: Files) -> None:
        """Make both files what is wanted, owned by the user."""
        with accounts.acting_as(self.account):
            # ~/.config may be the first of its kind.
            files.ensure_directory(os.path.dirname(self.account.config_directory), mode=0o700)
            files.ensure_directory(self.account.config_directory, mode=0o700)
            super().write_files(wanted)

    def written(self) -> float:
        """Return when the younger of both files was written, in seconds since the epoch; 0 where neither exists."""
        if self.account.uid is None:
            return 0.0
        with accounts.acting_as(self.account):
            return super().written()

    # Facts ---------------------------------------------------------------------------------------------------------

    def unit(self) -> Unit:
        """Return what the user's systemd says about docker.service now."""
        return Unit(False, False, False) if self.account.uid is None else super().unit()

    def outdated(self, unit: Unit) -> list[Problem]:  # pylint: disable=unused-argument
        """Return nothing: the main process of a user's unit is rootlesskit, whose arguments are others."""
        return []

    def context(self, root: str | None) -> Context:
        """Return the facts that decide whether a value can be; limits of processes are never raised by a user's daemon."""
        return dataclasses.replace(super().context(root), open_files_limit=self._open_files_limit())

    def _open_files_limit(self) -> int:
        asked = [("user@.service", "LimitNOFILE", systemd.SYSTEM)]
        if self.account.uid is not None:
            asked = [(UNIT, "LimitNOFILE", self.scope), (f"user@{self.account.uid}.service", "LimitNOFILE", systemd.SYSTEM)]
        for unit, name, scope in asked:
            shown = systemd.properties(unit, [name], scope)[name]
            if shown.isdigit():
                return int(shown)
        return 0

    def effective_root(self, config: t.Mapping[str, t.Any], unit: Unit) -> str | None:
        """Return the directory that dockerd uses."""
        given = config.get("data-root") or [*unit.flags.get("data-root", []), self.account.data_root][0]
        return "/" + str(given).strip("/")

    def problems(self, config: t.Mapping[str, t.Any], root: str | None, predicting: bool) -> list[Problem]:
        """Return what a configuration needs and this host or a user's daemon lacks."""
        reported = self.engine_version()
        version = versions.parse(reported) if reported else versions.NEWEST_KNOWN
        refused = rootless.key_problems(config, version, self.account)
        # What a user's daemon never does needs no second reason.
        rest = {key: value for key, value in config.items() if key not in {problem.where for problem in refused}}
        # Its files are the user's, and so is all that the user could make of them: nobody asks for root as their owner.
        return [*refused, *daemon_facts.problems(rest, root, predicting, self.seccomp_file), *self._unreadable_files(rest)]

    def _unreadable_files(self, config: t.Mapping[str, t.Any]) -> list[Problem]:
        if self.account.uid is None:
            return []
        named = [(key, config.get(key)) for key in _READ_BY_DOCKERD]
        with accounts.acting_as(self.account):
            return [
                Problem(key, f"names {path}, which {self.account.name} cannot read; let the user read it, or name a copy of the user's own")
                for key, path in named
                if isinstance(path, str) and path.startswith("/") and path != self.seccomp_file and not _opens(path)
            ]


def _opens(path: str) -> bool:
    # access(2) would ask for the real user, who is root.
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except FileNotFoundError:
        # Somebody else says so.
        return True
    except OSError:
        return False
    return True


def settings_for(settings: t.Mapping[str, t.Any], image_store: str) -> dict[str, t.Any]:
    """Return the settings with the storage driver that this kernel lets a user mount, where they leave that open."""
    return rootless.settings_for(settings, image_store, rootless.kernel_numbers(platform.release()))
