# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where the mounts of containers lead: links, sockets of engines by whatever way, and what others can put in their place."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import look_places
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_places import Places, Sockets, linked_volumes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths, Unreadable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook

HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"


class Host:
    """A tree with sockets in it; whoever runs the tests is its root."""

    def __init__(self, top, monkeypatch):
        self.top = top
        self.monkeypatch = monkeypatch
        self.listeners = []
        top.chmod(0o755)
        self.proc = top / "proc"
        (self.proc / "net").mkdir(parents=True)
        self.table([])

    def table(self, rows):
        lines = [f"ffff: 00000002 00000000 {flags} 0001 01 1234{' ' + path if path else ''}\n" for flags, path in rows]
        (self.proc / "net" / "unix").write_text(HEAD + "".join(lines), errors="surrogateescape")

    def directory(self, path, mode=0o755):
        place = self.top / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for part in [place, *place.parents]:
            if self.top in part.parents:
                part.chmod(0o755)
        place.chmod(mode)
        return place

    def socket(self, path):
        place = self.directory(os.path.dirname(path))
        with self.monkeypatch.context() as there:
            there.chdir(place)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.basename(path))
            self.listeners.append(listener)

    def paths(self):
        return Paths(str(self.top), (0, os.getuid()))

    def sockets(self, *more):
        return Sockets(self.paths(), more, str(self.proc))

    def place(self, source, **mount):
        return self.places([container("web", {"Type": "bind", "Source": source, "Destination": "/x", "RW": False, **mount})])[0].get("/x")

    def places(self, looks, volumes=()):
        return Places(self.paths(), self.sockets(), volumes).of_all(looks)


def container(name, *mounts, config=None):
    return ContainerLook({"Id": name * 8, "Name": f"/{name}", "Mounts": list(mounts), "HostConfig": config or {}})


def bind(source, target="/x", writes=False):
    return {"Type": "bind", "Source": source, "Destination": target, "RW": writes}


@pytest.fixture
def host(tmp_path, monkeypatch):
    made = Host(tmp_path, monkeypatch)
    yield made
    for listener in made.listeners:
        listener.close()


@pytest.mark.parametrize(
    "source", ["/run/docker.sock", "/var/run/docker.sock", "/run", "/var/run", "/", "/run/../run/./docker.sock", "/srv/other-name", "/srv/up"]
)
def test_the_socket_is_found_by_every_way(host, source):
    # Other validators look for the text docker.sock in the source.
    host.socket("/run/docker.sock")
    host.directory("/srv")
    host.directory("/var")
    os.symlink("/run", host.top / "var" / "run")
    os.link(host.top / "run" / "docker.sock", host.top / "srv" / "other-name")
    os.symlink("..", host.top / "srv" / "up")
    assert host.place(source).sockets == ("/run/docker.sock",)


@pytest.mark.parametrize("source", ["/run/docker", "/srv", "/run/docker.sock.d", "/run/lock", "/none"])
def test_what_leads_to_no_socket_has_none(host, source):
    host.socket("/run/docker.sock")
    host.directory("/run/lock")
    host.directory("/srv")
    assert host.place(source).sockets == ()


@pytest.mark.parametrize(
    "path",
    [
        "/run/containerd/containerd.sock",
        "/run/docker/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/run/crio/crio.sock",
        "/run/user/1000/docker.sock",
        "/run/user/1000/podman/podman.sock",
        "/run/buildkit/buildkitd.sock",
    ],
)
def test_sockets_of_every_engine(host, path):
    host.socket(path)
    assert host.place(os.path.dirname(path)).sockets == (path,)
    assert host.place("/run").sockets == (path,)


def test_sockets_at_places_of_their_own(host):
    host.socket("/srv/engine/api")
    host.socket("/srv/other/docker.sock")
    host.socket("/srv/quiet/docker.sock")
    host.table([("00010000", "/srv/other/docker.sock"), ("00000000", "/srv/quiet/docker.sock"), ("00010000", "@docker.sock"), ("xyz", "/a/docker.sock")])
    assert host.sockets("/srv/engine/api").found == ("/srv/engine/api", "/srv/other/docker.sock")


def test_a_file_with_the_name_of_a_socket_is_none(host):
    host.directory("/run")
    (host.top / "run" / "docker.sock").write_text("")
    host.table([("00010000", "/run/docker.sock"), ("00010000", "/none/docker.sock"), ("00010000", "")])
    assert host.sockets().found == ()


def test_no_table_of_sockets(host):
    (host.proc / "net" / "unix").unlink()
    host.socket("/run/docker.sock")
    assert host.sockets().found == ("/run/docker.sock",)


def test_a_bind_that_leaves_out_what_is_mounted_below(host, monkeypatch):
    host.socket("/run/docker.sock")
    real = os.lstat

    def lstat(path):
        status = list(real(path))
        # /run is another filesystem.
        status[2] = 77 if "/run" in str(path)[len(str(host.top)) :] else status[2]
        return os.stat_result(status)

    monkeypatch.setattr("ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners.os.lstat", lstat)
    shallow = {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/x", "BindOptions": {"NonRecursive": True}}]}
    looks = [container("deep", bind("/")), container("shallow", bind("/"), config=shallow), container("inside", bind("/run"), config=shallow)]
    assert [place["/x"].sockets for place in host.places(looks)] == [("/run/docker.sock",), (), ("/run/docker.sock",)]


def test_links_are_resolved(host):
    host.directory("/srv/real/etc")
    os.symlink("/srv/real", host.top / "link")
    assert host.place("/link/etc").host_path == "/srv/real/etc"
    assert host.place("/srv/none").host_path == "/srv/none"


def test_a_volume_whose_options_bind_another_place(host):
    host.socket("/run/docker.sock")
    host.directory("/etc")
    mounts = [
        {"Type": "volume", "Name": name, "Source": f"/var/lib/docker/volumes/{name}/_data", "Destination": f"/{name}", "RW": True}
        for name in ("etc", "run", "nfs", "tmpfs", "plain", "gone")
    ]
    volumes = [
        {"Name": "etc", "Driver": "local", "Options": {"type": "none", "o": "bind,ro", "device": "/etc"}},
        {"Name": "run", "Driver": "local", "Options": {"o": "rbind", "device": "/run"}},
        {"Name": "nfs", "Driver": "local", "Options": {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/export"}},
        {"Name": "tmpfs", "Driver": "local", "Options": {"type": "tmpfs", "device": "/etc", "o": "size=1m"}},
        {"Name": "plain", "Driver": "local", "Options": None},
    ]
    found = host.places([container("web", *mounts)], volumes)[0]
    assert found["/etc"].host_path == "/etc"
    assert found["/run"].sockets == ("/run/docker.sock",)
    assert {target for target, place in found.items() if place.host_path.startswith("/var/lib/docker/volumes/")} == {"/nfs", "/tmpfs", "/plain", "/gone"}


def test_a_source_that_others_can_replace(host):
    host.directory("/srv/shared/app")
    host.directory("/srv/shared", 0o777)
    assert host.place("/srv/shared/app").replaceable == "/srv/shared (everybody may write in it)"
    assert host.place("/srv/shared").replaceable == ""


def test_a_source_below_what_a_container_writes_to(host):
    host.directory("/srv/data/conf")
    host.directory("/srv/database")
    writer = container("writer", bind("/srv/data", writes=True))
    reader = container("reader", bind("/srv/data/conf"), bind("/srv/data", "/same"), bind("/srv/database", "/other"))
    assert {target: place.replaceable for target, place in host.places([reader, writer])[0].items()} == {
        "/x": "/srv/data (container writer writes in it)",
        "/same": "",
        "/other": "",
    }
    assert host.places([reader])[0]["/x"].replaceable == ""


def test_what_cannot_be_looked_at_is_left_out(host, monkeypatch):
    host.directory("/srv/a")
    real = Paths.walk

    def walk(self, path):
        if path == "/srv/a":
            raise Unreadable("denied")
        return real(self, path)

    monkeypatch.setattr(Paths, "walk", walk)
    assert host.places([container("web", bind("/srv/a"), bind("/srv", "/y"))])[0].keys() == {"/y"}


@pytest.mark.parametrize(
    "mount",
    [
        {},
        {"Type": "bind"},
        {"Type": "bind", "Source": "relative", "Destination": "/x"},
        {"Type": "bind", "Source": 5, "Destination": "/x"},
        {"Type": "bind", "Source": "/a\0b", "Destination": "/x"},
        {"Type": "tmpfs", "Destination": "/x"},
        {"Type": "volume", "Name": "x", "Destination": "/x"},
    ],
)
def test_mounts_that_show_nothing_of_the_host(host, mount):
    assert host.places([container("web", mount)]) == [{}]


def test_answers_without_mounts(host):
    looks = [ContainerLook({"Id": "x"}), ContainerLook({"Id": "x", "Mounts": None, "HostConfig": None}), ContainerLook({"Id": "x", "Mounts": ["y", 3]})]
    assert host.places(looks, [{}, {"Name": "x", "Options": "y"}]) == [{}, {}, {}]


def test_a_path_that_many_mount_is_looked_at_once(host, monkeypatch):
    host.directory("/srv/a")
    looked = []
    real = Places._looked
    monkeypatch.setattr(Places, "_looked", lambda self, source, deep: (looked.append(source), real(self, source, deep))[1])
    host.places([container(f"web{number}", bind("/srv/a")) for number in range(50)])
    assert looked == ["/srv/a"]


def test_volumes_whose_data_is_a_link(host):
    for name in ("plain", "linked"):
        host.directory(f"/var/lib/docker/volumes/{name}")
    host.directory("/var/lib/docker/volumes/plain/_data")
    os.symlink("/etc", host.top / "var/lib/docker/volumes/linked/_data")
    volumes = [{"Name": name, "Driver": "local", "Mountpoint": f"/var/lib/docker/volumes/{name}/_data"} for name in ("plain", "linked", "gone")]
    volumes += [{"Name": "remote", "Driver": "nfs", "Mountpoint": "/var/lib/docker/volumes/linked/_data"}, {"Name": "none", "Driver": "local"}]
    assert linked_volumes(host.paths(), volumes) == ("linked",)


def test_the_names_by_which_sockets_are_known_are_names():
    assert all("/" not in name for name in look_places._NAMES)
