# SPDX-License-Identifier: Apache-2.0
"""A host that had Docker goes on with it and with its data; put away, they are found again."""

from __future__ import annotations


def test_docker_goes_on_with_its_data_and_without_our_settings(docker_before):
    assert docker_before["kept"]["status"] == 0
    look = docker_before["look"]
    assert (look["failed"], look["docker"], look["mounts"], look["fstab"], look["held"]) == ("", "active", "2", "2", "0")
    assert docker_before["seen_by_container"].split()[0] == docker_before["data_before"].split()[0]
    assert docker_before["security"].endswith("false"), "live-restore was ours"
    assert "no-new-privileges" not in docker_before["security"]


def test_keys_of_others_stay_and_those_that_say_where_data_lie(docker_before):
    assert docker_before["config"] == {"shutdown-timeout": 7, "data-root": "/var/lib/docker", "userns-remap": "dockremap", "storage-driver": "overlay2"} or (
        {key: docker_before["config"].get(key) for key in ("shutdown-timeout", "data-root", "userns-remap")}
        == {"shutdown-timeout": 7, "data-root": "/var/lib/docker", "userns-remap": "dockremap"}
        and set(docker_before["config"]) <= {"shutdown-timeout", "data-root", "userns-remap", "storage-driver", "features"}
    )


def test_what_others_changed_or_had_stays_and_is_named(docker_before):
    kept = {entry["item"]: entry["reason"] for entry in docker_before["kept"]["kept"]}
    assert "somebody else's" in kept["file:/etc/systemd/system/containers.slice"]
    assert "not known to come from this collection" in kept["package:docker.io"]
    assert docker_before["look"]["units"] == "1"
    assert docker_before["look"]["guards"] != "0", "Docker and its filesystems stay, so their guard does"


def test_a_second_run_changes_nothing(docker_before):
    assert (docker_before["again"]["status"], docker_before["again"]["changed"]) == (0, 0)
    assert (docker_before["unmounted_again"]["status"], docker_before["unmounted_again"]["changed"]) == (0, 0)


def test_docker_is_never_left_without_its_data(docker_before):
    assert docker_before["unmount_refused"]["status"]
    assert "without its data" in docker_before["unmount_refused"]["failed"][0]


def test_filesystems_are_put_away_whole(docker_before):
    look = docker_before["unmounted_look"]
    assert (look["failed"], look["dockerd"], look["mounts"], look["fstab"], look["guards"], look["chains"]) == ("", "none", "0", "0", "0", "0")
    assert "i" not in "".join(line.split()[0] for line in docker_before["flags"].splitlines() if line.endswith(("/overlay2", "/volumes")))
    told = {entry["item"]: entry["reason"] for entry in docker_before["unmounted"]["kept"]}
    assert "UUID=" in told["mount:/var/lib/docker/100000.100000/volumes"]


def test_the_next_provision_finds_them(docker_before):
    assert docker_before["provisioned"]["status"] == 0
    assert docker_before["data_found"] == docker_before["data_before"]
    assert docker_before["found_by_container"].split()[0] == docker_before["data_before"].split()[0]
