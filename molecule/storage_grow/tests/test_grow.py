# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import time

import pytest
from lab_docker import FILL, for_test, refusal, used_percent
from lab_runs import changed_tasks, last, runs, tasks

MIB = 1024**2
ROOT = "/var/lib/docker/100000.100000"
PLAN = "bulkhead.docker.docker_storage_plan"
DISK = 3 * 1024 * MIB
# What each filesystem must have at least; XFS keeps its log, and ext4 its inodes, out of what it tells.
LARGER = {"partition": {"volumes": DISK - 702 * MIB}, "image": {"overlay2": 800 * MIB, "volumes": 1024 * MIB}}


def name_of(host):
    return host.backend.get_hostname()


def standing(host, moment):
    return json.loads(host.file(f"/root/standing-{moment}.json").content_string)


def variables(host):
    return host.ansible.get_variables()


def plan(host, layout):
    disks = variables(host)["lab_disks"]
    return {"layout": layout, "disk": disks[0] if disks else ""}


@pytest.fixture
def growing(host):
    if name_of(host) not in LARGER:
        pytest.skip("this host is grown by a test of its own, where it can be")
    return host


@pytest.fixture
def docker(host, request):
    yield from for_test(host, request)


def test_filesystems_have_what_their_devices_have(growing):
    before, after = standing(growing, "before")["sizes"], standing(growing, "after")["sizes"]
    wanted = LARGER[name_of(growing)]
    for place, size in after.items():
        if place in wanted:
            assert wanted[place] * 0.9 <= size <= wanted[place]
            assert size > before[place] + 200 * MIB
        else:
            assert size == before[place]


def test_nobody_was_interrupted(growing):
    before, after = standing(growing, "before"), standing(growing, "after")
    assert [name for name in ("dockerd", "container", "mounts") if before[name] != after[name]] == []
    assert all(len(numbers) == 1 for numbers in after["mounts"].values())


def test_the_container_wrote_all_the_time(host):
    written = [int(line) for line in host.file(f"{ROOT}/volumes/grown/_data/log").content_string.split()]
    assert len(written) > 10
    assert written == sorted(written)
    assert int(time.time()) - written[-1] < 60


GROWS = "Grow what is to be larger, while it is in use"


def of_the_role(found):
    """The tasks of docker_storage, by their names alone."""
    return [task["task"].rpartition(" : ")[2] for task in found if (task["role"] or "").endswith("docker_storage")]


def test_check_mode_foretold_it_and_did_nothing(growing):
    assert standing(growing, "before") == standing(growing, "predicted")
    foretold = of_the_role(changed_tasks(last("predict"), name_of(growing)))
    assert foretold == ["Plan the filesystems", GROWS]


def test_nothing_but_growing_was_done(growing):
    assert of_the_role(changed_tasks(last("grow"), name_of(growing))) == [GROWS]
    ran = of_the_role(task for task in tasks(last("grow"), name_of(growing)) if not task["skipped"])
    assert GROWS in ran
    assert "Stop Docker while its filesystems come about" not in ran


def test_a_second_run_changes_nothing(growing):
    again = runs("again")
    assert again
    for run in again:
        assert "Plan the filesystems" in of_the_role(tasks(run, name_of(growing)))
        assert changed_tasks(run, name_of(growing)) == []


def test_the_room_can_be_written(growing, docker):
    docker.once("sh", "-c", FILL.format("/data/zero"), options=["--volume", f"{docker.volume('full')}:/data"])
    before = standing(growing, "before")["sizes"]["volumes"]
    written = int(growing.check_output("du --summarize --bytes --total %s/volumes/*full/_data | tail -1", ROOT).split()[0])
    assert used_percent(growing, f"{ROOT}/volumes") == 100
    assert written > before


@pytest.mark.parametrize("size", ["400MiB", "10%"])
def test_shrinking_is_refused_before_anything_is_written(host, size):
    if name_of(host) == "image":
        size = "400MiB"
    sizes = host.check_output("df --output=size %s/overlay2 %s/volumes", ROOT, ROOT)
    second = "ext4" if name_of(host) == "ext4" else "xfs"
    rest = {"partition": "rest", "image": "1GiB", "ext4": "rest"}[name_of(host)]
    layout = [{"name": "overlay2", "size": size}, {"name": "volumes", "size": rest, "fstype": second}]
    assert "shrinking it would destroy data, so state the size it has" in refusal(host, PLAN, **plan(host, layout))
    assert host.check_output("df --output=size %s/overlay2 %s/volumes", ROOT, ROOT) == sizes


def test_a_partition_before_another_is_not_grown(host):
    if name_of(host) != "partition":
        pytest.skip("only the host with partitions")
    layout = [{"name": "overlay2", "size": "900MiB"}, {"name": "volumes", "size": "rest"}]
    assert "cannot grow, because" in refusal(host, PLAN, **plan(host, layout))
    layout = [{"name": "overlay2", "size": "700MiB"}, {"name": "volumes", "size": "9GiB"}]
    assert "are free behind it" in refusal(host, PLAN, **plan(host, layout))


def test_an_image_must_fit_where_it_lies(host):
    if name_of(host) != "image":
        pytest.skip("only the host with images")
    layout = [{"name": "overlay2", "size": "800MiB"}, {"name": "volumes", "size": "900TiB"}]
    assert "must stay free" in refusal(host, PLAN, **plan(host, layout))


def test_quotas_are_not_asked_of_a_mounted_filesystem(host):
    if name_of(host) != "partition":
        pytest.skip("one host is enough")
    layout = [{"name": "overlay2", "size": "700MiB", "quota": True}, {"name": "volumes", "size": "rest"}]
    place = f"{ROOT}/overlay2"
    # The usual way: the kernel says yes, and nothing is different.
    tried = host.run("mount --options remount,pquota %s", place)
    assert "prjquota" not in host.check_output("findmnt --noheadings --output OPTIONS --mountpoint %s", place), tried.stderr
    assert f"{place}: is mounted without project quotas" in refusal(host, PLAN, **plan(host, layout))


def test_ext4_grows_where_the_host_may_grow_it(host):
    if name_of(host) != "ext4":
        pytest.skip("only the host with ext4")
    layout = [{"name": "overlay2", "size": "700MiB"}, {"name": "volumes", "fstype": "ext4"}]
    effective = int(host.check_output("sed -n 's/^CapEff:\\s*//p' /proc/self/status"), 16)
    if not effective >> 24 & 1:
        assert "lacks the capability CAP_SYS_RESOURCE" in refusal(host, PLAN, **plan(host, layout))
        assert int(host.check_output("df --output=size --block-size=1 %s/volumes | tail -1", ROOT)) < 2 * 1024 * MIB
        return
    steps = host.ansible(PLAN, json.dumps(plan(host, layout)), check=False)["steps"]
    if host.run("test -e /root/grown").rc != 0:
        assert [step["action"] for step in steps] == ["enlarge", "grow"]
        host.ansible("bulkhead.docker.docker_storage_grow", json.dumps({"steps": steps}), check=False)
        host.check_output("touch /root/grown")
        assert host.ansible(PLAN, json.dumps(plan(host, layout)), check=False)["steps"] == []
    assert int(host.check_output("df --output=size --block-size=1 %s/volumes | tail -1", ROOT)) > 2 * 1024 * MIB
