# SPDX-License-Identifier: Apache-2.0
"""One bad day: the plug is pulled while containers write and dockerd gets another configuration, then the disk is missing,
another one is in its place, a copy of it is attached; and at last everything is as it should be.
"""

from __future__ import annotations

import subprocess
import time

import pytest
from conftest import daemon_settings
from fault_cells import COPIED, CUT_AMID_CHANGE, MISSING, SWAPPED, SWAPPED_RUN
from lab_docker import Docker

CONFIG = "/etc/docker/daemon.json"
# Writes numbers, each on the disk before it is told, and noise that nobody waits for; both leave an emulated processor time for others.
WRITER = """
(while :; do dd if=/dev/zero of=/data/noise bs=1M count=30 2>/dev/null; sleep 1; done) &
number=0
while :; do number=$((number + 1)); echo $number >> /data/ledger; fsync /data/ledger; echo $number; sleep 0.1; done
"""
LEFT = """
echo "docker=$(systemctl is-active docker.service)"
echo "call=$(timeout 60 docker info >/dev/null 2>&1 && echo answers || echo silent)"
for name in overlay2 volumes; do
    place=/var/lib/docker/100000.100000/$name
    echo "$name=$(mountpoint -q $place && echo mounted || echo bare) $(ls -A $place | grep -vx 'lost+found' | wc -l) $(lsattr -d $place | cut -c5)"
done
touch /var/lib/docker/100000.100000/volumes/written 2>/dev/null && echo touched=yes || echo touched=no
echo "journal=$(journalctl --boot --no-pager --output cat --unit docker.service --unit containerd.service | tr '\\n' '|' | tail -c 3000)"
"""


def left(machine):
    return dict(line.split("=", 1) for line in machine.run(LEFT).stdout.splitlines())


def wait_for_numbers(follower, count):
    """Return the last of so many numbers that the writer has told."""
    deadline = time.monotonic() + 120
    number = 0
    while number < count and time.monotonic() < deadline:
        number = int(follower.stdout.readline() or 0)
    assert number >= count
    return number


def wait_until_written(machine, run):
    """Return when the run has written the configuration, which is the moment for the cut."""
    written = f"timeout 30 sh -c 'until grep -q default-shm-size {CONFIG}; do sleep 0.1; done'"
    while machine.run(written, check=False).returncode:
        assert run.poll() is None, run.communicate()


def comes_up(engine, name):
    """Tell whether a container runs soon; an emulated processor takes its time to start it."""
    deadline = time.monotonic() + 120
    while not engine.inspect(name)["State"]["Running"] and time.monotonic() < deadline:
        time.sleep(2)
    return engine.inspect(name)["State"]["Running"]


@pytest.fixture(scope="module")
def day(host, machine, ansible):
    """What was seen at each turn of the day."""
    seen = {}
    engine = Docker(host, "power")
    engine.wait_until_serving()
    for label in ("treasure", "ledger"):
        # Of a day that ended too soon.
        engine.attempt("volume", "rm", "--force", f"power-{label}")
        engine.volume(label)
    engine.once("sh", "-c", "dd if=/dev/urandom of=/data/file bs=1M count=8 2>/dev/null; sync", options=["--volume", "power-treasure:/data"])
    hashed = "sha256sum /var/lib/docker/100000.100000/volumes/power-treasure/_data/file"
    seen["hash"] = [machine.run(hashed).stdout]
    name = engine.start("writer", "--restart", "always", "--volume", "power-ledger:/data", command=["sh", "-c", WRITER])
    own = daemon_settings(machine)
    follower = subprocess.Popen(machine.ssh_command("docker", "logs", "--follow", name), stdout=subprocess.PIPE, text=True)
    run = ansible.start_module("bulkhead.docker.docker_daemon_config", settings={**own, "default-shm-size": "32M"})
    wait_until_written(machine, run)
    seen["told"] = wait_for_numbers(follower, 3)
    seen["amid"] = run.poll() is None
    machine.cut()
    run.kill()
    run.communicate()
    follower.kill()
    follower.communicate()

    machine.boot(without=["data"])
    seen["missing"] = left(machine)
    machine.cut()

    machine.boot(instead={"data": "spare"})
    seen["swapped"] = left(machine)
    plan = ansible.play("bulkhead.docker.provision", "--tags", "docker_storage")
    seen["swapped run"] = {"status": plan[0], "said": plan[1]}
    seen["swapped partitions"] = machine.run("lsblk --noheadings --output NAME $(readlink -f /dev/disk/by-id/virtio-data)").stdout.split()
    machine.cut()

    machine.clone_disk("data", "copy")
    machine.boot()
    seen["copied"] = left(machine)
    machine.cut()
    machine.remove_disk("copy")

    machine.boot()
    engine.wait_until_serving()
    seen["back"] = left(machine)
    seen["config"] = daemon_settings(machine)
    seen["hash"].append(machine.run(hashed).stdout)
    seen["ledger"] = machine.run("cat /var/lib/docker/100000.100000/volumes/power-ledger/_data/ledger").stdout
    seen["running"] = comes_up(engine, name)
    seen["healing"] = ansible.module("bulkhead.docker.docker_daemon_config", settings=own)
    seen["healed"] = daemon_settings(machine)
    seen["own"] = own
    engine.attempt("rm", "--force", name)
    yield seen
    engine.close()


def assert_closed(seen):
    # systemd may be about to try once more, which the guard ends as it did before.
    assert seen["docker"] in ("inactive", "failed", "activating"), seen
    assert seen["call"] == "silent", seen


def assert_bare(seen):
    for place in ("overlay2", "volumes"):
        assert seen[place] == "bare 0 i", seen
    assert seen["touched"] == "no"


@pytest.mark.cell(CUT_AMID_CHANGE)
def test_the_plug_was_pulled_amid_the_daemons_transaction(day):
    assert day["amid"]


@pytest.mark.cell(MISSING)
def test_without_its_disk_docker_stays_down_and_nothing_is_written_below_the_mount_points(day):
    assert_closed(day["missing"])
    assert_bare(day["missing"])


@pytest.mark.cell(SWAPPED)
def test_with_another_disk_in_its_place_docker_stays_down(day):
    assert_closed(day["swapped"])
    assert_bare(day["swapped"])


@pytest.mark.cell(SWAPPED_RUN)
def test_another_disk_is_refused_and_left_alone(day):
    assert day["swapped run"]["status"] != 0
    assert "/etc/fstab" in day["swapped run"]["said"], day["swapped run"]["said"]
    assert len(day["swapped partitions"]) == 1, day["swapped partitions"]


@pytest.mark.cell(COPIED)
def test_with_a_copy_of_its_disk_docker_stays_down_and_says_why(day):
    assert_closed(day["copied"])
    assert "remove the copy or give it another UUID" in day["copied"]["journal"]


def test_afterwards_the_filesystems_and_the_containers_are_back(day):
    assert day["back"]["docker"] == "active"
    assert day["back"]["overlay2"].startswith("mounted") and day["back"]["volumes"].startswith("mounted")
    assert day["running"]


@pytest.mark.cell(CUT_AMID_CHANGE)
def test_no_byte_that_was_on_the_disk_is_lost(day):
    before, after = day["hash"]
    assert before == after != ""
    numbers = [int(line) for line in day["ledger"].split()]
    assert numbers[: day["told"]] == list(range(1, day["told"] + 1))


@pytest.mark.cell(CUT_AMID_CHANGE)
def test_the_daemon_ran_with_a_whole_configuration_and_the_next_run_set_it_right(day):
    own = day["own"]
    assert day["config"] in (own, {**own, "default-shm-size": "32M"})
    assert not day["healing"].get("failed"), day["healing"]
    # A daemon that came up with the new key has its default in the file until its next restart (reset_keys).
    assert day["healed"] in (own, {**own, "default-shm-size": "64M"}), day["healing"]
