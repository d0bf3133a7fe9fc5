# SPDX-License-Identifier: Apache-2.0
"""What a container on a provisioned host can and cannot do."""

from __future__ import annotations

import re


def status_of(docker, *options):
    text = docker.once("cat", "/proc/1/status", options=options)
    return dict(re.split(r":\s+", line, maxsplit=1) for line in text.splitlines() if re.search(r":\s+", line))


def test_root_in_a_container_is_nobody_on_the_host(host, docker):
    pid = docker.pid(docker.start("root"))
    status = host.file(f"/proc/{pid}/status").content_string
    assert re.search(r"^Uid:\s+100000\s+100000\s+100000\s+100000$", status, re.MULTILINE)
    assert re.search(r"^Gid:\s+100000\s+100000\s+100000\s+100000$", status, re.MULTILINE)
    assert host.file(f"/proc/{pid}/uid_map").content_string.split() == ["0", "100000", "65536"]


def test_files_that_a_container_makes_in_a_volume_belong_to_the_mapped_ids(host, docker, root):
    volume = docker.volume("owner")
    docker.once("sh", "-c", "echo mine > /data/root; chown 999:998 /data/root", options=["--volume", f"{volume}:/data"])
    made = host.file(f"{root}/volumes/{volume}/_data/root")
    assert (made.uid, made.gid) == (100999, 100998)


def test_a_container_cannot_touch_files_of_the_hosts_root(host, docker):
    host.check_output("install -m 0600 /dev/null /srv/secret")
    tried = docker.attempt("run", "--rm", "--volume", "/srv/secret:/secret", "lab/busybox", "cat", "/secret")
    host.check_output("rm /srv/secret")
    assert tried.rc != 0
    assert "Permission denied" in tried.stderr


def test_the_kernel_filters_system_calls_and_forbids_new_privileges(docker):
    status = status_of(docker)
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"


def test_setuid_programs_gain_nothing(docker):
    # This applet refuses to work unless it really runs as root.
    needs_root = ["/bin/busybox-suid", "su", "-c", "true", "root"]
    ours = docker.attempt("run", "--rm", "--user", "65534", "lab/busybox", *needs_root)
    without = docker.attempt("run", "--rm", "--user", "65534", "--security-opt", "no-new-privileges=false", "lab/busybox", *needs_root)
    assert "must be suid" in ours.stderr
    assert "must be suid" not in without.stderr


def test_a_forbidden_system_call_fails(docker):
    unfiltered = docker.attempt("run", "--rm", "--security-opt", "seccomp=unconfined", "lab/busybox", "unshare", "-U", "true")
    filtered = docker.attempt("run", "--rm", "lab/busybox", "unshare", "-U", "true")
    assert unfiltered.rc == 0
    assert filtered.rc != 0
    assert "Operation not permitted" in filtered.stderr


def test_two_containers_on_the_default_bridge_cannot_talk(host, docker):
    server = docker.start("server", command=["sh", "-c", "mkdir /tmp/www; echo hello > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"])
    url = f"http://{docker.address(server)}:8080/"
    # The host itself reaches it, so silence between containers is not a server that does not serve.
    ask = "import time, urllib.request as u\ntime.sleep(1)\nprint(u.urlopen(%r, timeout=5).read().decode())" % url
    assert host.check_output("python3 -c %s", ask).strip() == "hello"
    tried = docker.attempt("run", "--rm", "lab/busybox", "wget", "-q", "-T", "3", "-O", "-", url)
    assert tried.rc != 0
    assert "hello" not in tried.stdout


def test_logs_stay_under_their_limit(host, docker, root):
    # 12 MB of lines against a limit of two files of 1 MB.
    name = docker.start("logs", command=["sh", "-c", "yes 'a line that is long enough to fill a log quickly with what nobody reads' | head -c 12000000"])
    docker.call("wait", name)
    identity = docker.inspect(name)["Id"]
    used = int(host.check_output("du --summarize --bytes %s | cut -f 1", f"{root}/containers/{identity}"))
    assert used < 2.5 * 1024 * 1024
    assert docker.inspect(name)["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {"max-file": "2", "max-size": "1m"}}


def test_containers_live_in_their_slice(host, docker):
    pid = docker.pid(docker.start("slice"))
    assert "/containers.slice/docker-" in host.file(f"/proc/{pid}/cgroup").content_string


def test_containers_get_the_limits_of_open_files(docker):
    assert docker.once("sh", "-c", "ulimit -Sn; ulimit -Hn").split() == ["8192", "8192"]


def test_networks_come_from_the_pools(docker):
    name = docker.name("net")
    docker.call("network", "create", name)
    try:
        subnet = docker.inspect(name)["IPAM"]["Config"][0]["Subnet"]
    finally:
        docker.call("network", "rm", name)
    assert re.fullmatch(r"172\.1[78]\.\d+\.0/24", subnet)
