# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import docker_data
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_data import DockerData

SKELETON = """
    buildkit/ containers/ image/overlay2/distribution/ image/overlay2/imagedb/content/sha256/ image/overlay2/layerdb/
    image/overlay2/repositories.json network/files/local-kv.db overlay2/l/ overlay2/lost+found/ overlay2/backingFsBlockDev
    plugins/ runtimes/ swarm/ tmp/ volumes/backingFsBlockDev volumes/metadata.db volumes/lost+found/ engine-id
"""


def make(root, names):
    for name in names.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.touch()


@pytest.fixture
def root(tmp_path):
    make(tmp_path, SKELETON)
    return tmp_path


def test_the_skeleton_of_an_unused_engine_is_no_data(root):
    data = docker_data.inventory(str(root))
    assert data == DockerData(str(root))
    assert not data.any
    assert data.describe() == "nothing"


def test_a_root_that_does_not_exist_holds_nothing(tmp_path):
    assert not docker_data.inventory(str(tmp_path / "missing")).any


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("containers/0a1b/config.v2.json", "1 container"),
        ("containers/0a1b/", "nothing"),
        ("volumes/database/_data/", "1 volume"),
        ("volumes/remote/opts.json", "1 volume"),
        ("volumes/neither/", "nothing"),
        ("image/overlay2/imagedb/content/sha256/aa image/vfs/imagedb/content/sha256/bb", "2 images"),
        ("overlay2/1f2e/diff/ overlay2/3d4c-init/diff/", "2 layers"),
        ("btrfs/subvolumes/", "1 layer"),
        ("swarm/docker-state.json", "the state of a swarm"),
        ("swarm/state.json", "the state of a swarm"),
        ("containers/a/config.v2.json containers/b/config.v2.json volumes/x/_data/ overlay2/c/ swarm/state.json",
         "2 containers, 1 volume, 1 layer and the state of a swarm"),
    ],
)  # fmt: skip
def test_what_a_root_holds_in_words(root, names, words):
    make(root, names)
    data = docker_data.inventory(str(root))
    assert data.describe() == words
    assert data.any is (words != "nothing")


def test_links_are_no_data(root):
    (root / "overlay2" / "linked").symlink_to(root / "containers")
    assert not docker_data.inventory(str(root)).any


def test_roots_below(tmp_path):
    make(tmp_path, "100000.100000/ 231072.231072/ 100000.100000.bak/ volumes/ 5.5")
    found = [str(tmp_path), f"{tmp_path}/100000.100000", f"{tmp_path}/231072.231072"]
    assert docker_data.roots_below(str(tmp_path)) == found
    assert docker_data.roots_below(str(tmp_path / "missing")) == []


def test_containerd_holds_data(tmp_path):
    make(tmp_path, "io.containerd.content.v1.content/blobs/sha256/ io.containerd.metadata.v1.bolt/meta.db")
    assert not docker_data.containerd_holds_data(str(tmp_path))
    make(tmp_path, "io.containerd.content.v1.content/blobs/sha256/aa")
    assert docker_data.containerd_holds_data(str(tmp_path))
