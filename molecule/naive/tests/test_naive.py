# SPDX-License-Identifier: Apache-2.0
"""Each test shows a trap that a usual set-up falls into, and where our module can be asked on the spot, that it does not."""

from __future__ import annotations

import json
import re

import pytest
from lab_docker import Docker, mounted, refusal

OVERLAY2 = "/var/lib/docker/overlay2"
VOLUMES = "/var/lib/docker/volumes"


def bring_up(host):
    host.check_output("mountpoint -q %s || mount %s", OVERLAY2, OVERLAY2)
    host.check_output("mountpoint -q %s || mount %s", VOLUMES, VOLUMES)
    host.check_output("systemctl reset-failed docker.service docker.socket; systemctl start docker.service")


def configure(host, config):
    host.check_output("mkdir -p /etc/docker && printf %s > /etc/docker/daemon.json", json.dumps(config))


@pytest.fixture
def docker(host, request):
    """The engine with its own defaults."""
    host.check_output("rm -f /etc/docker/daemon.json; systemctl stop docker.socket docker.service")
    bring_up(host)
    engine = Docker(host, request.node.originalname.replace("_", "-")[:40])
    engine.wait_until_serving()
    yield engine
    host.check_output("rm -f /etc/docker/daemon.json; systemctl stop docker.socket docker.service")
    bring_up(host)
    engine.wait_until_serving()
    engine.close()


def restart(host):
    host.check_output("systemctl reset-failed docker.service docker.socket")
    return host.run("systemctl restart docker.service")


def test_a_restart_loses_the_filesystem_of_the_layers(host, docker):
    assert mounted(host, OVERLAY2)
    restart(host)
    docker.wait_until_serving()
    assert not mounted(host, OVERLAY2), "dockerd runs on the root filesystem although RequiresMountsFor names the mount"
    assert mounted(host, VOLUMES)


def test_userns_remap_bypasses_filesystems_at_the_usual_places(host, docker):
    host.check_output("id dockremap || useradd --system dockremap")
    host.check_output("echo dockremap:300000:65536 > /etc/subuid; echo dockremap:300000:65536 > /etc/subgid")
    configure(host, {"userns-remap": "dockremap"})
    assert restart(host).rc == 0
    docker.wait_until_serving()
    docker.volume("bypassed")
    path = f"/var/lib/docker/300000.300000/volumes/{docker.name('bypassed')}/_data"
    assert host.check_output("stat --format %%d %s", path) == host.check_output("stat --format %d /var/lib/docker")
    assert host.check_output("stat --format %%d %s", path) != host.check_output("stat --format %%d %s", VOLUMES)


def test_lost_and_found_is_taken_for_a_volume(docker):
    assert "lost+found" in docker.call("volume", "ls", "--quiet").split()


def test_a_missing_filesystem_is_not_missed(host, docker):
    docker.volume("data")
    host.check_output("systemctl stop docker.socket docker.service")
    host.check_output("umount %s", VOLUMES)
    # As after a boot without the disk and a mount unit that was never made.
    host.check_output("mv /etc/systemd/system/docker.service.d/mounts.conf /root/ && systemctl daemon-reload")
    try:
        assert host.run("systemctl start docker.service").rc == 0
        docker.wait_until_serving()
        assert docker.name("data") not in docker.call("volume", "ls", "--quiet").split()
        docker.call("volume", "create", "on-the-root-filesystem")
        assert host.file(f"{VOLUMES}/on-the-root-filesystem/_data").is_directory
    finally:
        docker.call("volume", "rm", "--force", "on-the-root-filesystem")
        host.check_output("systemctl stop docker.socket docker.service")
        host.check_output("mv /root/mounts.conf /etc/systemd/system/docker.service.d/ && systemctl daemon-reload")


def test_an_empty_seccomp_profile_switches_the_filter_off(host, docker):
    host.check_output("echo '{}' > /etc/docker/empty.json")
    configure(host, {"seccomp-profile": "/etc/docker/empty.json"})
    assert restart(host).rc == 0
    bring_up(host)
    docker.wait_until_serving()
    host.check_output("mountpoint -q %s || mount %s", OVERLAY2, OVERLAY2)
    assert re.search(r"^Seccomp:\s+0$", docker.once("cat", "/proc/1/status"), re.MULTILINE)
    assert "seccomp" in refusal(host, "bulkhead.docker.docker_daemon_config", settings={}, seccomp_profile="{}")


def test_logs_grow_without_end(host, docker):
    name = docker.start("logs", command=["sh", "-c", "yes 'a line that is long enough to fill a log quickly with what nobody reads' | head -c 12000000"])
    docker.call("wait", name)
    identity = docker.inspect(name)["Id"]
    assert int(host.check_output("stat --format %%s %s", f"/var/lib/docker/containers/{identity}/{identity}-json.log")) > 12000000


def test_containers_on_the_default_bridge_reach_each_other(docker):
    server = docker.start("server", command=["sh", "-c", "mkdir /tmp/www; echo hello > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"])
    assert docker.once("sh", "-c", f"for i in 1 2 3 4 5; do wget -q -T 3 -O - http://{docker.address(server)}:8080/ && break; sleep 1; done") == "hello"


def test_root_in_a_container_is_root_on_the_host(host, docker):
    pid = docker.pid(docker.start("root"))
    assert re.search(r"^Uid:\s+0\s", host.file(f"/proc/{pid}/status").content_string, re.MULTILINE)


def test_setuid_programs_gain_root(docker):
    tried = docker.attempt("run", "--rm", "--user", "65534", "lab/busybox", "/bin/busybox-suid", "su", "-c", "true", "root")
    assert "must be suid" not in tried.stderr


def test_the_engines_own_check_lets_a_typing_error_take_the_host_down(host, docker):
    config = {"log-driver": "json-file", "log-opts": {"max-sise": "10m"}}
    configure(host, config)
    assert host.run("dockerd --validate --host fd://").rc == 0
    assert restart(host).rc != 0
    assert docker.attempt("info").rc != 0
    host.check_output("rm /etc/docker/daemon.json; systemctl stop docker.socket docker.service")
    bring_up(host)
    docker.wait_until_serving()
    message = refusal(host, "bulkhead.docker.docker_daemon_config", settings=config)
    assert "max-sise" in message
    assert not host.file("/etc/docker/daemon.json").exists
    assert docker.attempt("info").rc == 0


def test_systemctl_reload_succeeds_although_the_daemon_refused(host, docker):
    configure(host, {"labels": ["a=1"]})
    assert restart(host).rc == 0
    bring_up(host)
    docker.wait_until_serving()
    configure(host, {"labels": ["a=2"], "log-levle": "debug"})
    assert host.run("systemctl reload docker.service").rc == 0
    assert docker.info()["Labels"] == ["a=1"]
