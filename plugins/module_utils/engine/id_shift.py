# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the ids of a container's files become when userns-remap is switched on or off, or gets other ranges.

PRIVATE to the collection: no stability is promised to other users.

A shift is a function of the ids that a file has where it comes from. Whoever writes the copy computes the copy's ids from
the original's each time, so that no rerun can shift twice.

Ids also hide in extended attributes: the entries of access control lists for named users and groups (acl(5)), and the root
user in the third revision of file capabilities (capabilities(7)).
"""

from __future__ import annotations

import dataclasses
import struct
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range

ACCESS_LISTS = frozenset({"system.posix_acl_access", "system.posix_acl_default"})
CAPABILITY = "security.capability"

# linux/posix_acl_xattr.h: a version, then entries of tag, permissions, id.
_LIST_VERSION = 2
_LIST_HEADER = struct.Struct("<I")
_LIST_ENTRY = struct.Struct("<HHI")
_NAMED_USER, _NAMED_GROUP = 0x02, 0x08

# linux/capability.h: the highest byte of the first number is the revision, the third revision ends with the root user's id.
_REVISION_MASK = 0xFF000000
_REVISION_2, _REVISION_3 = 0x02000000, 0x03000000
_SIZE_2, _SIZE_3 = 20, 24
_NUMBER = struct.Struct("<I")


@dataclasses.dataclass(frozen=True)
class Shift:
    """From the ids before to the ids after.

    Attributes:
        before, after: the ranges of the containers' ids then and now; None where a container's id is the host's.
    """

    before: Mapping | None
    after: Mapping | None

    def uid(self, host_id: int) -> int | None:
        """Return what a uid becomes; None when it is no container's."""
        return _shifted(host_id, _ranges(self.before, "uid"), _ranges(self.after, "uid"))

    def gid(self, host_id: int) -> int | None:
        """Return what a gid becomes; None when it is no container's."""
        return _shifted(host_id, _ranges(self.before, "gid"), _ranges(self.after, "gid"))

    def attribute(self, name: str, value: bytes) -> tuple[bytes, tuple[int, ...]]:
        """Return what the value of an extended attribute becomes, and the ids in it that are no container's.

        Ids that are no container's are kept, as is a value that cannot be understood.
        """
        if name in ACCESS_LISTS:
            return self._access_list(value)
        if name == CAPABILITY:
            return self._capability(value)
        return value, ()

    def _access_list(self, value: bytes) -> tuple[bytes, tuple[int, ...]]:
        body = value[_LIST_HEADER.size:]
        if len(value) < _LIST_HEADER.size or len(body) % _LIST_ENTRY.size or _LIST_HEADER.unpack_from(value)[0] != _LIST_VERSION:
            return value, ()
        entries, outside = [], []
        for tag, permissions, number in _LIST_ENTRY.iter_unpack(body):
            moved: int | None = number
            if tag == _NAMED_USER:
                moved = self.uid(number)
            elif tag == _NAMED_GROUP:
                moved = self.gid(number)
            if moved is None:
                outside.append(number)
            entries.append((tag, number if moved is None else moved, permissions))
        # Entries of a kind lie in the order of their ids, which several ranges can turn round.
        packed = [_LIST_ENTRY.pack(tag, permissions, number) for tag, number, permissions in sorted(entries)]
        return value[: _LIST_HEADER.size] + b"".join(packed), tuple(outside)

    def _capability(self, value: bytes) -> tuple[bytes, tuple[int, ...]]:
        """Keep the capabilities good for the root user of the containers.

        The second revision is for the host's root user: containers that are not remapped have that one. Remapped ones need
        the third, which names theirs. A file with the second revision in a remapped tree gave them nothing, and stays so.
        """
        if len(value) < _NUMBER.size:
            return value, ()
        first = _NUMBER.unpack_from(value)[0]
        revision, flags = first & _REVISION_MASK, first & ~_REVISION_MASK
        if revision == _REVISION_2 and len(value) == _SIZE_2 and self.before is None and self.after is not None:
            return _NUMBER.pack(_REVISION_3 | flags) + value[_NUMBER.size:] + _NUMBER.pack(self.after.root_uid), ()
        if revision == _REVISION_3 and len(value) == _SIZE_3:
            owner = _NUMBER.unpack_from(value, _SIZE_2)[0]
            moved = self.uid(owner)
            if moved is None:
                return value, (owner,)
            if self.after is None and moved == 0:
                return _NUMBER.pack(_REVISION_2 | flags) + value[_NUMBER.size: _SIZE_2], ()
            return value[:_SIZE_2] + _NUMBER.pack(moved), ()
        return value, ()


def _ranges(mapping: Mapping | None, kind: str) -> tuple[Range, ...] | None:
    if mapping is None:
        return None
    return mapping.uid_ranges if kind == "uid" else mapping.gid_ranges


def _shifted(host_id: int, before: t.Sequence[Range] | None, after: t.Sequence[Range] | None) -> int | None:
    try:
        container_id = host_id if before is None else id_ranges.to_container(host_id, before)
        return container_id if after is None else id_ranges.to_host(container_id, after)
    except ValueError:
        return None
