# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Acting for another user of this host: its files with its rights only, its commands as itself.

PRIVATE to the collection: no stability is promised to other users.

In a tree that a user may write to, every directory can become a link at any moment. Whoever follows one with the rights
of root writes where the user could not; with the rights of the user, only where the user can write anyway.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account


def find(name: str, home: str = "") -> Account:
    """Return an account, without ids where the host does not have it yet; then the home given, or the usual one."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return Account(name, home or f"/home/{name}")
    return Account(name, entry.pw_dir, entry.pw_uid, entry.pw_gid)


def members(group: str) -> set[str]:
    """Return the accounts in a group: those that it lists, and those whose own group it is.

    Raises:
        KeyError: the host has no such group.
    """
    entry = grp.getgrnam(group)
    return {*entry.gr_mem, *(account.pw_name for account in pwd.getpwall() if account.pw_gid == entry.gr_gid)}


def home(uid: int) -> str:
    """Return the home of an account, empty where the host has none with that uid."""
    try:
        return pwd.getpwuid(uid).pw_dir.rstrip("/")
    except (KeyError, OverflowError):
        return ""


@contextlib.contextmanager
def acting_as(account: Account) -> t.Iterator[None]:
    """Reach files with the rights of an account; as root again at the end. The account must exist.

    Source: credentials(7), the effective ids and the supplementary groups decide about access to files.
    """
    if account.uid is None or account.gid is None:
        raise ValueError(f"the account {account.name} does not exist")
    if os.geteuid() == account.uid:
        yield
        return
    groups = os.getgroups()
    group = os.getegid()
    user = os.geteuid()
    # Groups while there is still the right to change them, the user last; back in the opposite order.
    os.setgroups(os.getgrouplist(account.name, account.gid))
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


def command(account: Account, *arguments: str) -> tuple[str, ...]:
    """Return the argument vector that runs a command as an account, with the environment that its services have."""
    return (
        "setpriv",
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--init-groups",
        "env",
        "--chdir=/",
        "--unset=DBUS_SESSION_BUS_ADDRESS",
        f"HOME={account.home}",
        f"XDG_RUNTIME_DIR={account.runtime}",
        *arguments,
    )
