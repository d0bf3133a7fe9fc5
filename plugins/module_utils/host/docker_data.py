# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a Docker data root holds, read from its files: this also works while dockerd is stopped or gone.

PRIVATE to the collection: no stability is promised to other users.

An engine that was installed and started but never used leaves an empty skeleton (directories, ``l``, databases). That
is no data: nothing is lost when a filesystem is mounted over it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t

# Drivers that moby has had; each keeps its layers in a directory of its own name below the root.
GRAPH_DRIVERS = ("overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs", "overlay", "aufs", "devicemapper")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REMAPPED = re.compile(r"\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class DockerData:
    """What one root holds; counts of containers, volumes, images, layers and plugins, and whether a swarm state is there."""

    root: str
    containers: int = 0
    volumes: int = 0
    images: int = 0
    layers: int = 0
    plugins: int = 0
    swarm: bool = False

    @property
    def any(self) -> bool:
        """Tell whether anything would be lost or hidden with this root."""
        return bool(self.containers or self.volumes or self.images or self.layers or self.plugins or self.swarm)

    def describe(self) -> str:
        """Return the contents in words, such as ``2 containers and 1 volume``."""
        counted = [(self.containers, "container"), (self.volumes, "volume"), (self.images, "image"), (self.layers, "layer"), (self.plugins, "plugin")]
        words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted if count]
        if self.swarm:
            words.append("the state of a swarm")
        if not words:
            return "nothing"
        return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def inventory(root: str) -> DockerData:
    """Return what a data root (or an effective root) holds; a root that does not exist holds nothing."""
    return DockerData(
        root=root,
        containers=sum(1 for path in _entries(root, "containers") if os.path.exists(os.path.join(path, "config.v2.json"))),
        volumes=sum(1 for path in _entries(root, "volumes") if _is_volume(path)),
        images=_images(root),
        layers=sum(1 for driver in GRAPH_DRIVERS for path in _entries(root, driver) if _is_layer(path)),
        plugins=sum(1 for path in _entries(root, "plugins") if _DIGEST.fullmatch(os.path.basename(path))),
        swarm=any(name.startswith("docker-state") or name == "state.json" for name in _names(os.path.join(root, "swarm"))),
    )


def swarm_is_locked(root: str) -> bool:
    """Tell whether the key of a swarm's node is encrypted, which autolock does; only its first line is read."""
    try:
        with open(os.path.join(root, "swarm", "certificates", "swarm-node.key"), encoding="ascii", errors="replace") as handle:
            return "ENCRYPTED" in handle.readline(100)
    except OSError:
        return False


def layer_drivers(root: str) -> tuple[str, ...]:
    """Return the graph drivers that hold layers below an effective root."""
    return tuple(driver for driver in GRAPH_DRIVERS if any(_is_layer(path) for path in _entries(root, driver)))


def roots_below(data_root: str) -> list[str]:
    """Return a data-root and the remapped roots (<uid>.<gid>) that lie in it, as far as they exist."""
    remapped = [os.path.join(data_root, name) for name in sorted(_names(data_root)) if _REMAPPED.fullmatch(name)]
    return [path for path in [data_root, *remapped] if os.path.isdir(path)]


def containerd_holds_data(root: str) -> bool:
    """Tell whether a containerd root holds any content (image blobs), of whatever namespace."""
    blobs = os.path.join(root, "io.containerd.content.v1.content", "blobs", "sha256")
    return bool(_names(blobs))


def _images(root: str) -> int:
    base = os.path.join(root, "image")
    found = 0
    for driver in _names(base):
        found += len(_names(os.path.join(base, driver, "imagedb", "content", "sha256")))
    return found


def _is_volume(path: str) -> bool:
    # Docker's own test since 29.4; before, any directory counted, even lost+found (moby: daemon/volume/local).
    return os.path.isdir(os.path.join(path, "_data")) or os.path.exists(os.path.join(path, "opts.json"))


def _is_layer(path: str) -> bool:
    return os.path.basename(path) not in ("l", "lost+found")


def _entries(root: str, name: str) -> t.Iterator[str]:
    base = os.path.join(root, name)
    for entry in _names(base):
        path = os.path.join(base, entry)
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                yield path
        except FileNotFoundError:
            continue


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
