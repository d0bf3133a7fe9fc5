# SPDX-License-Identifier: Apache-2.0
"""What the table of exclusions says, beside what a real dockerd does when nobody asks the table."""

from __future__ import annotations

import json

import pytest
from lab_docker import refusal
from lab_runs import last, tasks

testinfra_hosts = ["ansible://testing"]

SIZE = {"storage-driver": "overlay2", "storage-opts": ["overlay2.size=1G"]}
# From a case to its data-root, its configuration, and whether a swarm is begun there first.
CASES = {
    "nothing special": ("/var/lib/docker/scratch", {}, False),
    "a quota on ext4": ("/var/lib/docker/scratch", SIZE, False),
    "a quota on XFS without pquota": ("/srv/scratch", SIZE, False),
    "layers on overlay": ("/opt/scratch", {"storage-driver": "overlay2"}, False),
    "layers in memory": ("/tmp/scratch", {"storage-driver": "overlay2"}, False),
    "live-restore in a swarm": ("/var/lib/docker/scratch-swarm", {"live-restore": True}, True),
    "labels without SELinux": ("/var/lib/docker/scratch", {"selinux-enabled": True}, False),
}
REFUSED = {
    "a quota on ext4": ("storage-opts: holds overlay2.size, but the layers lie on ext4", "only supported for backingFS XFS"),
    "a quota on XFS without pquota": ("is not mounted with pquota", "does not support Project Quota"),
    "layers on overlay": ("data-root: lies on an overlay filesystem", "driver not supported"),
    "live-restore in a swarm": ("live-restore: is true on a node of a swarm", "incompatible with swarm mode"),
}
# Runs on the host: starts a dockerd of its own for each case, which touches nothing of the host's.
DRIVER = r"""
import json, os, shutil, signal, subprocess, sys, time
SOCKET = "unix:///run/scratch/docker.sock"

def start(root, config):
    shutil.rmtree("/run/scratch", ignore_errors=True); os.makedirs("/run/scratch"); os.makedirs(root, exist_ok=True)
    with open("/run/scratch/daemon.json", "w") as handle:
        json.dump({**config, "data-root": root, "exec-root": "/run/scratch/exec", "pidfile": "/run/scratch/pid", "hosts": [SOCKET],
                   "bridge": "none", "iptables": False, "ip6tables": False, "containerd": "/run/containerd/containerd.sock"}, handle)
    log = open("/run/scratch/log", "w")
    return subprocess.Popen(["dockerd", "--config-file", "/run/scratch/daemon.json"], stdout=log, stderr=log)

def serves(daemon):
    until = time.monotonic() + 40
    while daemon.poll() is None and time.monotonic() < until:
        if client("version").returncode == 0:
            return True
        time.sleep(0.2)
    return False

def client(*words):
    return subprocess.run(["docker", "--host", SOCKET, *words], capture_output=True, text=True, timeout=30)

def stop(daemon):
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill(); daemon.wait()

def attempt(root, config, swarm):
    extra = ""
    shutil.rmtree(root, ignore_errors=True)
    if swarm:
        daemon = start(root, {})
        assert serves(daemon), open("/run/scratch/log").read()
        assert client("swarm", "init", "--autolock", "--advertise-addr", "127.0.0.1").returncode == 0
        stop(daemon)
        daemon = start(root, {})
        assert serves(daemon)
        extra = client("node", "ls").stderr
        stop(daemon)
    daemon = start(root, config)
    served = serves(daemon)
    stop(daemon)
    return {"serves": served, "log": open("/run/scratch/log").read()[-4000:], "after_a_restart": extra}

print(json.dumps({name: attempt(*case) for name, case in json.load(sys.stdin).items()}))
"""


@pytest.fixture(scope="module")
def naive(host):
    """What dockerd does with each case when it is simply started; /srv is an XFS without quotas."""
    host.check_output("mountpoint -q /srv || mount %s /srv", host.ansible.get_variables()["lab_disks"][0])
    host.check_output("printf %%s %s > /opt/driver.py; printf %%s %s > /opt/cases.json", DRIVER, json.dumps(CASES))
    return json.loads(host.check_output("python3 /opt/driver.py < /opt/cases.json"))


def asked(case):
    root, config, _swarm = CASES[case]
    own = {key: value for key, value in config.items() if key != "storage-driver"}
    return {"layout": [], "data_root": root, "userns_remap": "", "settings": {"log-driver": "local", "data-root": root, **own}}


def judge(host, case):
    return host.ansible("bulkhead.docker.docker_preflight", json.dumps(asked(case)), check=False)


def test_a_dockerd_without_special_wishes_serves_and_is_not_refused(host, naive):
    assert naive["nothing special"]["serves"], naive["nothing special"]["log"]
    assert not judge(host, "nothing special").get("failed")


@pytest.mark.parametrize("case", REFUSED)
def test_dockerd_does_not_start_and_the_preflight_refuses(host, naive, case):
    sentence, words = REFUSED[case]
    assert not naive[case]["serves"]
    assert words in naive[case]["log"]
    assert sentence in refusal(host, "bulkhead.docker.docker_preflight", **asked(case))


def test_layers_in_memory_work_and_are_told(host, naive):
    assert naive["layers in memory"]["serves"], naive["layers in memory"]["log"]
    assert "in memory" in judge(host, "layers in memory")["told"]["layers-in-memory"]


def test_dockerd_takes_labels_that_it_cannot_give_and_the_preflight_refuses(host, naive):
    assert naive["labels without SELinux"]["serves"]
    assert "could not enable SELinux" in naive["labels without SELinux"]["log"]
    assert "is true on a host without SELinux" in refusal(host, "bulkhead.docker.docker_preflight", **asked("labels without SELinux"))


def test_a_locked_swarm_does_not_come_back_by_itself_and_is_told(host, naive):
    assert "Swarm is encrypted" in naive["live-restore in a swarm"]["after_a_restart"]
    told = host.ansible("bulkhead.docker.docker_preflight", json.dumps({**asked("live-restore in a swarm"), "settings": {}}), check=False)["told"]
    assert "no reboot of it is unattended" in told["swarm-autolock"]


def test_this_host_is_known_for_what_it_is(host):
    result = judge(host, "nothing special")
    assert result["facts"]["container"] == "docker"
    assert {"container-docker", "cgroups-v2-delegation"} <= set(result["told"])
    assert result["facts"]["layers"]["type_entries"] is True
    accepted = host.ansible("bulkhead.docker.docker_preflight", json.dumps({**asked("nothing special"), "accept": ["container-docker"]}), check=False)
    assert "container-docker" not in accepted["told"]


def test_a_host_without_apparmor_is_left_alone_and_told_so(host):
    name = host.backend.get_hostname()
    assert [task for task in tasks(last("converge"), name) if task["changed"]] == []
    assert host.run("ls /etc/apparmor.d/bulkhead-default").rc != 0
    profiles = {"bulkhead-default": {"class": "everyday"}}
    told = host.ansible("bulkhead.docker.docker_apparmor_profiles", json.dumps({"profiles": profiles}), check=False)
    assert (told["changed"], told["available"]) == (False, False)
    assert "does not run AppArmor" in told["unavailable"]
    assert "AppArmor is required" in refusal(host, "bulkhead.docker.docker_apparmor_profiles", profiles=profiles, required=True)
