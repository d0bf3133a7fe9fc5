# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Mounts and mount points of the host, and /etc/fstab.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, mount_table, under_mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine, Mount

FSTAB = "/etc/fstab"
_NUMBERED = "/sys/dev/block"
_SYSFS = "/sys/class/block"


MountInfo = mount_table.MountInfo
mountinfo = mount_table.mountinfo
unescaped = mount_table.unescaped


def mount_of(path: str) -> MountInfo | None:
    """Return the nearest and topmost mount on which an absolute path lies or would lie."""
    best = None
    for mount in mountinfo():
        inside = path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
        if inside and (best is None or len(mount.target) >= len(best.target)):
            best = mount
    return best


def is_mount_point(path: str) -> bool:
    """Tell whether something is mounted exactly on the path now."""
    return any(mount.target == path for mount in mountinfo())


def block_mounts(probe: t.Callable[[str], t.Mapping[str, str]]) -> list[Mount]:
    """Return the mounts of block devices, each with its filesystem's UUID as the probe reads it from the device.

    Args:
        probe: from a device's path to blkid's values.
    """
    uuids: dict[str, str] = {}
    found = []
    for mount in mountinfo():
        uuid = ""
        if mount.source.startswith("/dev/") and mount.fstype in ("ext4", "xfs", "ext3", "ext2", "btrfs"):
            if mount.source not in uuids:
                uuids[mount.source] = probe(mount.source).get("UUID", "")
            uuid = uuids[mount.source] if mount.root == "/" else ""
        size = device_size(mount.number) if uuid else 0
        found.append(Mount(mount.source, mount.target, mount.fstype, uuid, size, "prjquota" in mount.options))
    return found


def device_size(number: str) -> int:
    """Return the bytes of a block device by its major:minor, 0 where there is none of that number."""
    text = files.read_text(f"{_NUMBERED}/{number}/size") or ""
    # The kernel counts sectors of 512 bytes, whatever the device's own are.
    return int(text) * 512 if text.strip().isdigit() else 0


def fstab() -> list[FstabLine]:
    """Return the lines of /etc/fstab that are neither empty nor comments."""
    found = []
    for line in text_lines.lines_of(files.read_text(FSTAB) or ""):
        fields = text_lines.fields_of(line)
        if len(fields) >= 3 and not fields[0].startswith("#"):
            found.append(FstabLine(unescaped(fields[0]), _place(fields[1]), unescaped(fields[2]), unescaped(fields[3]) if len(fields) > 3 else "defaults"))
    return found


def write_fstab_line(source: str, path: str, fstype: str, options: t.Sequence[str]) -> None:
    """Let /etc/fstab mount a source on a path, instead of what it names there now; other lines stay as they are.

    Nothing here needs an escape: sources and paths are plain (storage/layout.py, PLAIN_PATH).
    """
    others = _fstab_without(path)
    _replace_fstab([*others, fstab_line(source, path, fstype, options)])


def fstab_line(source: str, path: str, fstype: str, options: t.Sequence[str]) -> str:
    """Return the line of /etc/fstab that mounts a source on a path."""
    return f"{source} {path} {fstype} {','.join(options)} 0 {'0' if fstype == 'xfs' else '2'}"


def cut_fstab_lines(entries: t.Sequence[tuple[str, str, str, t.Sequence[str]]], coming: t.Collection[tuple[str, str]] = ()) -> list[str]:
    """Return what a write that was cut off has left of lines, each of which stands there whole besides.

    systemd takes the first of two lines for a mount point, so half a line goes before the whole one.

    Args:
        entries: source, path, type and options of each line that there should be.
        coming: source and path of those that are written first when this is no prediction.
    """
    present = [(line, text_lines.fields_of(line)) for line in text_lines.lines_of(files.read_text(FSTAB) or "")]
    whole = {*coming, *((unescaped(fields[0]), _place(fields[1])) for _line, fields in present if len(fields) >= 4)}
    ours = [fstab_line(*entry) for entry in entries if entry[:2] in whole]
    # With options it is a line of its own, which whoever writes the whole one replaces.
    return [line for line, fields in present if 0 < len(fields) < 4 and any(text.startswith(line) for text in ours)]


def drop_fstab_lines(lines: t.Container[str]) -> None:
    """Take lines out of /etc/fstab."""
    _replace_fstab([line for line in text_lines.lines_of(files.read_text(FSTAB) or "") if line not in lines])


def drop_fstab_line(path: str) -> None:
    """Take what mounts something on a path out of /etc/fstab."""
    _replace_fstab(_fstab_without(path))


def _fstab_without(path: str) -> list[str]:
    kept = []
    for line in text_lines.lines_of(files.read_text(FSTAB) or ""):
        fields = text_lines.fields_of(line)
        if len(fields) < 2 or fields[0].startswith("#") or _place(fields[1]) != path:
            kept.append(line)
    return kept


def _place(field: str) -> str:
    """Return the mount point that a field names; libmount and systemd read it without slashes at its end."""
    path = unescaped(field)
    return path.rstrip("/") or path[:1]


def _replace_fstab(lines: t.Sequence[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text != (files.read_text(FSTAB) or ""):
        files.write_text(FSTAB, text, mode=stat.S_IMODE(os.lstat(FSTAB).st_mode) if os.path.lexists(FSTAB) else 0o644)


def mount(path: str) -> None:
    """Mount what /etc/fstab says for a path.

    Raises:
        commands.CommandError: mount(8) failed; the message holds its words.
        files.FileError: more than one device has the filesystem's UUID, so any of them might be mounted.
    """
    for line in fstab():
        if line.target == path and line.source.startswith("UUID="):
            found = with_uuid(line.source[len("UUID="):])
            if len(found) > 1:
                raise files.FileError(
                    f"{', '.join(found)} all have the filesystem {line.source}, and mount(8) would take any of them for {path}; "
                    "detach the copy, or give it another UUID"
                )
    commands.run(["mount", "--", path], timeout=120)


def with_uuid(uuid: str) -> list[str]:
    """Return the devices whose filesystem has a UUID, without those that have it by right besides the one that is mounted.

    These are the parts of a RAID or of a multipath device, and the snapshots of a logical volume.
    """
    shown = commands.run(["blkid", "--cache-file", "/dev/null", "--match-token", f"UUID={uuid}", "--output", "device"], check=False)
    return sorted(device for device in shown.stdout.split() if not _by_right(os.path.realpath(device)))


def _by_right(device: str) -> bool:
    node = os.path.realpath(os.path.join(_SYSFS, os.path.basename(device)))
    for holders in (os.path.join(node, "holders"), os.path.join(os.path.dirname(node), "holders")):
        if os.path.isdir(holders) and os.listdir(holders):
            return True
    try:
        with open(os.path.join(node, "dm", "uuid"), encoding="ascii", errors="replace") as handle:
            return handle.read().startswith("LVM-")
    except OSError:
        return False


def first_link(path: str) -> str:
    """Return the first component of an absolute path that is a symbolic link, or nothing."""
    current = ""
    for component in path.strip("/").split("/"):
        current = f"{current}/{component}"
        if os.path.islink(current):
            return current
    return ""


def bare_is_immutable(path: str) -> bool | None:
    """Tell whether the directory *below* whatever is mounted on the path carries the immutable flag; see under_mounts.flag_by_child."""
    return under_mounts.flag_by_child(path)


def set_immutable(path: str) -> bool:
    """Set the immutable flag of a directory on which nothing is mounted; return False where the filesystem knows no such flag."""
    return commands.run(["chattr", "+i", "--", path], check=False).rc == 0
