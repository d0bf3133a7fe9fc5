# SPDX-License-Identifier: Apache-2.0
"""A host in use was moved: everything is where it belongs, nothing is missing, and what ran runs."""

from __future__ import annotations

import pytest
from lab_docker import mounted
from lab_runs import changed_tasks, last


@pytest.fixture(autouse=True)
def moved_once(name):
    if name == "walker":
        pytest.skip("walker has moved on")


def test_the_daemon_serves_from_the_new_place(before, after, root):
    assert before["root"] == "/var/lib/docker"
    assert after["root"] == root


def test_layers_and_volumes_have_their_filesystems(host, root):
    for place in ("overlay2", "volumes"):
        assert mounted(host, f"{root}/{place}")


@pytest.mark.parametrize("volume", ["odd", "quiet"])
def test_no_byte_and_no_attribute_of_a_volume_was_lost(before, after, volume):
    was, now = before["volumes"][volume], after["volumes"][volume]
    assert set(now["files"]) == set(was["files"])
    assert {path: found for path, found in now["files"].items() if found != was["files"][path]} == {}
    assert now["links"] == was["links"]


def test_the_description_would_have_seen_a_loss(before):
    files = before["volumes"]["odd"]["files"]
    assert before["volumes"]["odd"]["links"] == [["deep/third", "first", "second"]]
    assert files["sparse"]["sparse"]
    assert files["acl"]["acl"].count("user:1000:rw-") == 1
    assert files["attributes"]["user.note"]
    assert files["capable"]["security.capability"]
    assert files["setuid"]["mode"] == "0o4755"
    assert {found["kind"] for found in files.values()} == {"0o100000", "0o40000", "0o120000", "0o10000", "0o20000", "0o140000"}


def test_images_volumes_and_containers_are_the_same(before, after):
    for kind in ("images", "tags", "labels"):
        assert after[kind] == before[kind]
    assert {name: found["id"] for name, found in after["containers"].items()} == {name: found["id"] for name, found in before["containers"].items()}


def test_what_ran_runs_and_what_rested_rests(after):
    running = {name for name, found in after["containers"].items() if found["running"]}
    assert running == {"serving", "leaning", "writer"}


def test_restart_policies_are_what_they_were(before, after):
    policies = {name: found["restart"] for name, found in before["containers"].items()}
    assert {name: found["restart"] for name, found in after["containers"].items()} == policies
    assert {policies["serving"]["Name"], policies["writer"]["Name"]} == {"always", "unless-stopped"}


def test_what_a_container_wrote_is_in_order_across_the_move(host, root):
    lines = host.check_output("docker exec writer cat /log/lines").split()
    assert [int(line) for line in lines] == list(range(1, len(lines) + 1))
    again = host.check_output("sleep 1; docker exec writer tail -n 1 /log/lines")
    assert int(again) > int(lines[-1])


def test_containers_see_their_own_ids(host, before):
    assert host.check_output("docker exec serving stat -c %u:%g /app/file") == "1000:1000"
    assert host.check_output("docker exec serving stat -c %u:%g '/data/somebody'\"'\"'s'") == "1000:1001"
    assert host.check_output("docker exec serving cat /quiet/file") == "there"
    # What the layer took away is still gone.
    assert host.run("docker exec serving ls /bin/vi").rc != 0


def test_a_resting_container_kept_its_own_layer_and_starts(host):
    assert host.check_output("docker cp resting:/own - | tar -xO") == "mine"
    assert host.run("docker start --attach resting").rc == 0


def test_inspecting_a_resting_container_shows_the_new_place(host, root):
    assert host.check_output("docker inspect --format '{{(index .Mounts 0).Source}}' resting") == f"{root}/volumes/quiet/_data"


def test_a_setuid_program_of_an_image_still_works(host, docker):
    tried = docker.attempt("run", "--rm", "--user", "65534", "--security-opt", "no-new-privileges=false", "lab/layered", "/bin/id-suid", "-u")
    assert tried.stdout.strip() == "0"


def test_images_can_be_built_upon_and_saved(host, docker):
    assert host.run("docker run --name more lab/layered sh -c 'rm /app/file; echo second > /app/other'").rc == 0
    try:
        assert host.run("docker commit more lab/more && docker save lab/more > /root/lab/saved.tar").rc == 0
        host.check_output("docker rm more && docker rmi lab/more && docker load --input /root/lab/saved.tar")
        assert host.check_output("docker run --rm lab/more cat /app/other") == "second"
    finally:
        host.run("docker rm more; docker rmi lab/more; rm /root/lab/saved.tar")


def test_nothing_of_dockerd_belongs_to_a_container(host, root, after):
    """A process that leaves its container with the id of its root must not be able to write what dockerd goes by."""
    base = after["base"]
    if not base:
        pytest.skip("ids of containers are those of the host here")
    own = host.check_output(f"find {root} -uid {base} -not -path '*/overlay2/*' -not -path '*/_data' -not -path '*/_data/*' -not -path '*/mounts/*'").split()
    # What a container sees in its /etc, which dockerd itself gives to it.
    assert {path.rpartition("/")[2] for path in own} <= {"hosts", "hostname", "resolv.conf"}
    host_owned = host.check_output(f"find {root}/containers -name config.v2.json -printf '%U:%G %m\\n' | sort -u")
    assert host_owned == "0:0 600"


def test_modes_and_owners_are_those_that_dockerd_gives(host, root, docker, after):
    """A container that dockerd has just made is the measure."""
    fresh = docker.start("fresh")
    upper, identifier = ("docker inspect --format '{{.GraphDriver.Data.UpperDir}}' %s", "docker inspect --format '{{.Id}}' %s")
    places = [
        [f"{layer}/..", layer, f"{layer}/../work", f"{root}/containers/{host.check_output(identifier, name)}"]
        for name in ("serving", fresh)
        for layer in [host.check_output(upper, name)]
    ]
    moved, made = ([host.check_output("stat -c '%%a %%u:%%g' %s", path) for path in paths] for paths in places)
    assert moved == made


def test_the_old_tree_is_kept_until_it_is_asked_for(host, journal):
    assert journal["phase"] == "done"
    assert journal["old"]
    for path in journal["old"]:
        assert host.run(f"test -e '{path}'").rc == 0, path


def test_the_journal_is_roots_alone(host):
    found = host.file("/var/lib/bulkhead/move.json")
    assert (found.user, found.mode) == ("root", 0o600)


def test_nothing_keeps_the_daemon_from_starting(host):
    for directory in ("/run", "/etc"):
        assert not host.file(f"{directory}/systemd/system/docker.service.d/00-bulkhead-move.conf").exists
    assert not [line for line in host.check_output("cat /proc/mounts").splitlines() if "/var/lib/bulkhead/move" in line]


def test_check_mode_predicted_the_move(name):
    predicted = changed_tasks(last("check"), name)
    assert any("existing data" in found["task"] for found in predicted), predicted


def test_the_second_run_changed_nothing(name):
    assert changed_tasks(last("idempotence"), name) == []
