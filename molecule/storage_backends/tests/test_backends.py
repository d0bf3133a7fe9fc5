# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from lab_docker import FILL, for_test, free_bytes, mounted, used_percent
from lab_runs import changed_tasks, runs

REMAPPED = "/var/lib/docker/100000.100000"
PLACES = {
    "loop": [f"{REMAPPED}/overlay2", f"{REMAPPED}/volumes"],
    "existing": [f"{REMAPPED}/overlay2", f"{REMAPPED}/volumes"],
    "everything": ["/srv/docker", "/srv/docker/overlay2", "/srv/docker/volumes", "/srv/docker/containers", "/var/lib/containerd"],
}


def name_of(host):
    return host.backend.get_hostname()


@pytest.fixture
def places(host):
    return PLACES[name_of(host)]


@pytest.fixture
def docker(host, request):
    yield from for_test(host, request)


def test_every_place_has_a_filesystem_of_its_own(host, places):
    devices = [host.check_output("stat --format %%d %s", path) for path in ["/", *places]]
    assert len(set(devices)) == len(places) + 1


def test_the_engine_works_in_them(host, docker, places):
    volume = docker.volume("data")
    name = docker.start("data", "--volume", f"{volume}:/data")
    docker.call("exec", name, "sh", "-c", "echo kept > /data/file; echo kept > /file")
    docker.call("stop", "--time", "0", name)
    host.check_output("systemctl reset-failed docker.service containerd.service docker.socket")
    host.check_output("systemctl stop docker.socket docker.service containerd.service")
    host.check_output("systemctl start docker.service")
    docker.wait_until_serving()
    assert [path for path in places if not mounted(host, path)] == []
    docker.call("start", name)
    assert docker.call("exec", name, "cat", "/data/file", "/file").split() == ["kept", "kept"]


def test_a_full_volume_leaves_the_rest_free(host, docker, places):
    volumes = next(path for path in places if path.endswith("/volumes"))
    others = [path for path in places if path != volumes]
    before = {path: free_bytes(host, path) for path in others}
    docker.once("sh", "-c", FILL.format("/data/zero"), options=["--volume", f"{docker.volume('full')}:/data"])
    assert used_percent(host, volumes) == 100
    assert {path: free for path, free in before.items() if free_bytes(host, path) < free - 32 * 1024**2} == {}
    # The lab's disks are sparse files on the machine's own disk, so room on / is shown by writing there.
    host.check_output("dd if=/dev/zero of=/root/room bs=1M count=64 status=none && rm /root/room")


def test_bare_mount_points_cannot_be_written(host, places):
    """Looked at in a mount namespace of its own, where the filesystems are unmounted."""
    script = 'for path in "$@"; do umount --lazy "$path" || exit 3; done; for path in "$@"; do touch "$path/written" && exit 4; done; true'
    # Children of the data-root lie in its filesystem, so only the outermost are bare directories of the host.
    outermost = [path for path in places if not any(path.startswith(other + "/") for other in places)]
    done = host.run("unshare --mount --propagation private -- sh -c %s sh" + " %s" * len(outermost), script, *outermost)
    assert done.rc == 0, done.stderr
    assert "Operation not permitted" in done.stderr


def test_every_unit_is_guarded(host, places):
    for unit in ("docker.service", "containerd.service"):
        shown = host.check_output("systemctl show --property RequiresMountsFor --property ExecStartPre --value %s", unit)
        assert all(path in shown for path in places)


def test_loop_images_are_preallocated_and_private(host):
    if name_of(host) != "loop":
        pytest.skip("only the host with loop images")
    for name in ("overlay2", "volumes"):
        size, blocks, block, mode = host.check_output("stat --format '%%s %%b %%B %%a' %s", f"/var/lib/bulkhead/loop/{name}.img").split()
        assert int(size) == 512 * 1024**2 <= int(blocks) * int(block)
        assert host.run("runuser -u nobody -- cat /var/lib/bulkhead/loop/%s.img", name).rc != 0, mode


def test_a_volume_without_exec_runs_nothing(host, docker):
    if name_of(host) != "existing":
        pytest.skip("only the host whose layout says noexec")
    volume = docker.volume("noexec")
    tried = docker.attempt("run", "--rm", "--volume", f"{volume}:/data", "lab/busybox", "sh", "-c", "cp /bin/busybox /data/ && /data/busybox true")
    assert tried.rc != 0
    assert "Permission denied" in tried.stderr


def test_a_second_run_changes_nothing(host):
    again = runs("idempotence")
    assert len(again) >= 2
    assert [task["task"] for run in again for task in changed_tasks(run, name_of(host))] == []
