# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Bringing mount points, mounts and the tops of mounted filesystems into the state that dockerd itself would make.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, mount_table, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

# Both roots are 0710 and belong to the host's gid of a container's root (moby: daemon/daemon_unix.go, setupDaemonRoot).
ROOT_MODE = 0o710
# A bare mount point is nobody's business.
_BARE_MODE = 0o700
_DETACHED = 'while mountpoint --quiet -- "$1"; do umount --lazy --no-mtab -- "$1" || exit 1; done; exec chattr +i -- "$1"'


class MountPoints:
    """One pass over the targets: it notes what differs and, unless it only predicts, mends it on the way.

    Attributes:
        done: what was done (or would be), in words.
        warnings: what could not be done and does not stop Docker.
    """

    def __init__(self, predict: bool, immutable: bool) -> None:
        self._predict = predict
        self._immutable = immutable
        self.done: list[str] = []
        self.warnings: list[str] = []

    def converge(self, targets: t.Sequence[Target], roots: t.Sequence[tuple[str, int]]) -> None:
        """Make every root, mount point and mount right.

        Args:
            targets: parents before children.
            roots: the directories that dockerd owns above the mount points, with their group, outermost first.

        Raises:
            files.FileError, commands.CommandError: something could not be done; the message says what.
        """
        named = [target for target in targets if target.source]
        coming = [(target.source, target.mount_point) for target in named if self._predict and not target.in_fstab]
        cut = mounts.cut_fstab_lines([(target.source, target.mount_point, target.fstype, target.options) for target in named], coming)
        if cut:
            self._do(f"take half lines of ours out of /etc/fstab ({'; '.join(cut)})", lambda: mounts.drop_fstab_lines(cut))
        for path, gid in roots:
            if not any(target.mount_point == path for target in targets):
                self._directory(path, ROOT_MODE, gid)
        for target in targets:
            self._mount(target)
            for path, gid in roots:
                if path.startswith(target.mount_point + "/"):
                    # The root lies inside the filesystem that was just mounted.
                    self._directory(path, ROOT_MODE, gid)
            if mounts.is_mount_point(target.mount_point):
                self._top(target)

    def _mount(self, target: Target) -> None:
        path = target.mount_point
        if mounts.is_mount_point(path):
            self._serve(target)
            if self._immutable and mounts.bare_is_immutable(path) is False:
                self._do(f"protect the bare mount point {path} (chattr +i)", lambda: self._protect_covered(path))
            return
        if not os.path.isdir(path):
            self._do(f"make the mount point {path}", lambda: files.ensure_directory(path, _BARE_MODE))
        if self._immutable and not _is_immutable(path):
            self._do(f"protect the bare mount point {path} (chattr +i)", lambda: self._protect(path))
        self._do(f"mount {target.device} on {path}", lambda: mounts.mount(path))

    def _serve(self, target: Target) -> None:
        """See that a mounted filesystem can be used, which neither fstab nor the table of mounts tells: one with I/O errors stays mounted."""
        path = target.mount_point
        broken = mount_table.broken(path)
        if broken:
            raise files.FileError(broken)
        if os.statvfs(path).f_flag & os.ST_RDONLY and "ro" not in target.options:
            self._do(f"mount {path} for writing again", lambda: commands.run(["mount", "--options", "remount,rw", "--", path]))

    def _protect(self, path: str) -> None:
        if not mounts.set_immutable(path):
            self._warn_unprotected(path)

    def _protect_covered(self, path: str) -> None:
        if commands.run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _DETACHED, "sh", path], check=False).rc != 0:
            self._warn_unprotected(path)

    def _warn_unprotected(self, path: str) -> None:
        self.warnings.append(
            f"the filesystem below {path} knows no immutable flag, so only the guards of the units keep Docker from writing there while nothing is mounted"
        )

    def _top(self, target: Target) -> None:
        if target.mode is not None:
            self._directory(target.mount_point, target.mode, target.gid)
        lost_and_found = os.path.join(target.mount_point, "lost+found")
        # Docker before 29.4 lists it as a volume, and 29 takes a filled overlay2 for an old image store; fsck makes it anew.
        if os.path.isdir(lost_and_found) and not os.path.islink(lost_and_found) and not os.listdir(lost_and_found):
            self._do(f"remove the empty {lost_and_found}", lambda: os.rmdir(lost_and_found))

    def _directory(self, path: str, mode: int, gid: int) -> None:
        if os.path.islink(path):
            raise files.FileError(f"{path} is a symbolic link; name the real directory instead")
        if not os.path.isdir(path):
            self._do(f"make {path} ({mode:04o} root:{gid})", lambda: files.ensure_directory(path, mode, 0, gid))
        elif files.attributes_differ(path, mode, 0, gid):
            status = os.lstat(path)
            before = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
            self._do(f"set {path} from {before} to {mode:04o} 0:{gid}", lambda: _set_attributes(path, mode, gid))

    def _do(self, text: str, action: t.Callable[[], object]) -> None:
        self.done.append(text)
        if not self._predict:
            action()


def _set_attributes(path: str, mode: int, gid: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, 0, gid)
        os.fchmod(descriptor, mode)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _is_immutable(path: str) -> bool:
    if not os.path.isdir(path):
        return False
    shown = commands.run(["lsattr", "-d", "--", path], check=False)
    return shown.rc == 0 and "i" in shown.stdout.split(" ", 1)[0]
