# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Docker of a user without privileges: who it is, what it survives, how it goes back, and what it refuses."""

from __future__ import annotations

import json
import time

import pytest
from lab_docker import refusal
from lab_runs import changed_tasks, last, module_runs, runs

DATA = "/srv/docker/shipwright"
CONFIG = "/home/shipwright/.config/docker/daemon.json"
BUDGET = 25
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


def name_of(host):
    return host.backend.get_hostname()


def fetch(host, port):
    """Ask a web server of the host, trying for a few seconds; busybox' own client does not work here."""
    deadline = time.monotonic() + 10
    while True:
        done = host.run("python3 -c %s %s", FETCH, f"http://127.0.0.1:{port}/passwd")
        if done.rc == 0 or time.monotonic() > deadline:
            return done.stdout + done.stderr
        time.sleep(0.3)


def owners(host, *programs):
    """Return the uids of the processes with these names."""
    lines = host.check_output("ps -e -o uid= -o comm=").splitlines()
    return {int(line.split()[0]) for line in lines if line.split()[1] in programs}


# Who runs what ----------------------------------------------------------------------------------------------------------


def test_no_part_of_the_engine_is_root(host, person, docker):
    docker.start("look")
    assert owners(host, "dockerd", "containerd", "rootlesskit", "slirp4netns", "containerd-shim") == {person.uid}
    info = docker.info()
    assert "name=rootless" in info["SecurityOptions"]
    assert (info["Driver"], info["DockerRootDir"]) == ("overlay2", DATA)
    # Its very first start had its configuration: nothing was ever made in the default place.
    assert not host.file("/home/shipwright/.local/share/docker").exists


def test_the_daemon_of_root_is_off_and_stays_off(host):
    for unit in ("docker.socket", "docker.service", "containerd.service"):
        assert host.run("systemctl is-active %s", unit).stdout.strip() == "inactive"
        assert host.run("systemctl is-enabled %s", unit).stdout.strip() == "disabled"
    assert not host.file("/var/run/docker.sock").exists


def test_ids_of_containers_are_the_user_and_its_range(host, person, docker):
    (uid_range,) = [line for line in host.file("/etc/subuid").content_string.splitlines() if line.startswith("shipwright:")]
    _name, start, count = uid_range.split(":")
    # prepare has given 100000 to 165535 to somebody else.
    assert (int(start), int(count)) == (165536, 65536)
    docker.start("root")
    docker.start("other", "--user", "1000")
    seen = [host.check_output("stat --format %%u /proc/%s", str(docker.pid(docker.name(label)))) for label in ("root", "other")]
    assert seen == [str(person.uid), str(int(start) + 999)]


def test_root_in_a_container_is_nobody_on_the_host(host, docker):
    mounts = ("--volume", "/etc/shadow:/shadow:ro", "--volume", "/opt:/host")
    name = docker.start("breakout", "--cap-add", "ALL", "--security-opt", "seccomp=unconfined", *mounts)
    assert "Permission denied" in docker.attempt("exec", name, "cat", "/shadow").stderr
    assert docker.attempt("exec", name, "touch", "/host/owned").rc != 0
    assert not host.file("/opt/owned").exists


def test_a_published_port_answers(host, docker):
    docker.start("web", "--publish", "8080:80", command=("httpd", "-f", "-p", "80", "-h", "/etc"))
    assert "root:x:0:0" in fetch(host, 8080)


# What it survives -------------------------------------------------------------------------------------------------------


def test_containers_came_back_after_the_host_restarted(host, docker):
    state = docker.inspect("survivor")["State"]
    assert state["Running"]
    booted = float(host.check_output("stat --format %Y /proc/1"))
    assert float(host.check_output("stat --format %%Y /proc/%s", str(state["Pid"]))) >= booted
    assert "root:x:0:0" in fetch(host, 8081)


def test_containers_survive_the_end_of_the_last_session(host, person, docker):
    pid = docker.pid(docker.start("logout"))
    # The usual way: a user whose systemd lives only as long as a session.
    host.check_output("id landlubber 2>/dev/null || useradd --create-home landlubber")
    other = host.user("landlubber").uid
    start = "systemd-run --user --quiet --unit=work sleep 1000 && sleep 0.5 && pgrep -u landlubber sleep"
    host.check_output(
        "systemd-run --quiet --wait --property=PAMName=login --property=User=landlubber --setenv=XDG_RUNTIME_DIR=/run/user/%s /bin/sh -c %s",
        str(other), start,
    )
    host.check_output("systemd-run --quiet --wait --property=PAMName=login --property=User=%s true", person.name)
    deadline = time.monotonic() + 20
    while host.run("pgrep -u landlubber").rc == 0 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert host.run("pgrep -u landlubber").rc == 1, "without lingering everything of the user ends"
    assert docker.pid(docker.name("logout")) == pid != 0


def test_it_does_not_start_without_its_filesystem(host, person, docker):
    script = """
        set -e
        mount --bind /srv /mnt
        umount /srv
        trap 'mountpoint -q /srv || mount --bind /mnt /srv; umount /mnt' EXIT
        {systemctl} start docker.service && exit 9
        {systemctl} show --property AssertResult --value docker.service
        ls -A /srv
    """
    prefix = f"setpriv --reuid={person.uid} --regid={person.gid} --init-groups env XDG_RUNTIME_DIR={person.runtime} systemctl --user"
    person.systemctl("stop", "docker.service")
    try:
        done = host.run("sh -c %s", script.format(systemctl=prefix))
        assert (done.rc, done.stdout.split()) == (0, ["no"]), done
    finally:
        assert person.systemctl("start", "docker.service").rc == 0, person.journal()


# The transaction --------------------------------------------------------------------------------------------------------


@pytest.fixture
def configure(host, person):
    """Runs the module with the user's own settings and some more, and ends with its own."""

    def configured():
        # A reloadable key that goes is written as its default until the next start.
        return {key: value for key, value in json.loads(host.file(CONFIG).content_string).items() if value != []}

    own = configured()

    def run(**more):
        person.systemctl("reset-failed", "docker.service")
        arguments = {"settings": {**own, **more}, "rootless_user": person.name}
        return host.ansible("bulkhead.docker.docker_daemon_config", json.dumps(arguments), check=False)

    yield run
    if configured() != own:
        run()
    assert configured() == own


def test_a_key_that_can_be_reloaded_restarts_nothing(docker, configure):
    name = docker.start("reload")
    pid = docker.pid(name)
    result = configure(labels=["deck=upper"])
    assert (result["action"], result["changed"]) == ("reload", True), result
    assert docker.info()["Labels"] == ["deck=upper"]
    assert docker.pid(name) == pid
    assert configure(labels=["deck=upper"])["action"] == "none"


def test_a_configuration_with_which_it_does_not_start_is_taken_back(host, person, docker, configure):
    docker.start("rollback", "--restart", "unless-stopped")
    before = host.file(CONFIG)
    # Every check passes, but a file is in the way of the directory.
    person.check("touch", f"{person.runtime}/in-the-way")
    result = configure(pidfile=f"{person.runtime}/in-the-way/docker.pid")
    assert "in-the-way" in result["msg"] and "restored" in result["msg"] and "serves again" in result["msg"], result["msg"]
    after = host.file(CONFIG)
    assert (after.content_string, after.uid, after.mode) == (before.content_string, person.uid, before.mode)
    docker.wait_until_serving()


def test_live_restore_by_hand_loses_containers_and_is_mended(host, person, docker, configure):
    own = json.loads(host.file(CONFIG).content_string)
    person.check("python3", "-c", f"open({CONFIG!r}, 'w').write({json.dumps({**own, 'live-restore': True})!r})")
    assert person.systemctl("restart", "docker.service").rc == 0
    name = docker.start("live")
    assert docker.info()["LiveRestoreEnabled"]
    assert person.systemctl("restart", "docker.service").rc == 0
    docker.wait_until_serving()
    assert not docker.inspect(name)["State"]["Running"]
    assert configure()["action"] in ("reload", "restart")
    assert docker.info()["LiveRestoreEnabled"] is False


def test_a_link_of_the_user_leads_root_nowhere(host, person, configure):
    directory = "/home/shipwright/.config/docker"
    person.check("mv", directory, directory + ".kept")
    person.check("ln", "-s", "/etc/cron.d", directory)
    try:
        result = configure(debug=True)
        assert "cannot be written" in result["msg"], result
        assert not host.file("/etc/cron.d/daemon.json").exists
        # The usual way, a task of root, would have written a file that cron reads.
        host.check_output("python3 -c %s", f"open({CONFIG!r}, 'w').close()")
        assert host.file("/etc/cron.d/daemon.json").exists
    finally:
        host.check_output("rm -f /etc/cron.d/daemon.json")
        person.check("rm", directory)
        person.check("mv", directory + ".kept", directory)


# Refusals ---------------------------------------------------------------------------------------------------------------

ASKED = {
    "userns-remap": "dockremap",
    "live-restore": True,
    "cgroup-parent": "containers.slice",
    "hosts": ["tcp://127.0.0.1:2375"],
    "storage-opts": ["overlay2.size=1G"],
    "bridge": "br0",
    "containerd": "/run/containerd/containerd.sock",
    "metrics-addr": "127.0.0.1:9323",
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1000000, "Hard": 1000000}},
}


def test_everything_that_cannot_be_is_told_at_once_and_nothing_is_written(host, person):
    before = host.file(CONFIG)
    message = refusal(host, "bulkhead.docker.docker_daemon_config", settings=ASKED, rootless_user=person.name)
    assert [key for key in ASKED if f" {key}" not in message] == []
    assert "nothing was written" in message
    after = host.file(CONFIG)
    assert (after.content_string, after.mtime) == (before.content_string, before.mtime)


def test_preflight_refuses_what_the_host_cannot_be(host):
    host.check_output("mkdir -p /var/lib/docker/volumes/old/_data /srv/roots && sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024")
    asked = {"user": "shipwright", "home": "/home/other", "data_root": "/srv/roots", "mount_point": "/opt", "lowest_port": 80}
    message = refusal(
        host, "bulkhead.docker.docker_preflight", layout=[{"name": "overlay2"}, {"name": "volumes"}], userns_remap="", data_root="/srv/roots", rootless=asked
    )
    host.check_output("rm -r /var/lib/docker/volumes /srv/roots && sysctl -q -w net.ipv4.ip_unprivileged_port_start=0")
    for where in (
        "docker_storage_layout: overlay2",
        "docker_storage_layout: volumes",
        "docker_rootless_home",
        "docker_rootless_mount_point",
        "docker_rootless_lowest_port",
        "cgroup.controllers",
        "belongs to uid 0",
        "1 volume",
    ):
        assert where in message, message


def test_a_low_port_is_what_the_host_allows(host, docker):
    host.check_output("sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024")
    try:
        done = docker.attempt("run", "--rm", "--publish", "81:80", "lab/busybox", "true")
        assert done.rc != 0 and "81" in done.stderr
    finally:
        host.check_output("sysctl -q -w net.ipv4.ip_unprivileged_port_start=0")


# The runs ---------------------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_also_after_the_host_restarted(host):
    again = runs("idempotence")
    assert len(again) >= 2, "the sequence runs it once more after a restart of the host"
    assert [task["task"] for run in again for task in changed_tasks(run, name_of(host))] == []
    executed = module_runs(last("idempotence"), name_of(host))
    assert 0 < len(executed) <= BUDGET, [run["module"] for run in executed]


def test_check_mode_predicted_every_change(host):
    predicted, done = last("check"), last("converge")
    assert predicted.check
    roles = [{task["role"] for task in changed_tasks(run, name_of(host))} for run in (predicted, done)]
    assert roles[0] == roles[1] != set()
