# SPDX-License-Identifier: Apache-2.0
"""What the timer tells is true, it may do nothing else, and the rules of alerts work on it."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

import pytest

FILE = "/var/lib/prometheus/node-exporter/bulkhead_limits.prom"
SERVICE = "bulkhead-docker-limits.service"
ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "docker_limits" / "files"
ALERTS = pathlib.Path(__file__).resolve().parents[1] / "files"


@pytest.fixture
def metrics(host):
    """Run the service as the timer does, and return its metrics: values by name with labels."""

    def ask():
        host.check_output(f"systemctl start {SERVICE}")
        lines = host.check_output(f"cat {FILE}").splitlines()
        return {key: float(value) for key, _blank, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    return ask


def test_filesystems_are_told_of_as_they_are(host, metrics):
    root = "/var/lib/docker/100000.100000"
    before = metrics()
    told = {match[1] for key in before if (match := re.fullmatch(r'bulkhead_limits_filesystem_size_bytes\{path="(.*)"\}', key))}
    assert {f"{root}/overlay2", f"{root}/volumes"} <= told
    assert not [path for path in told if path.endswith("/merged")]
    free = f'bulkhead_limits_filesystem_available_bytes{{path="{root}/volumes"}}'
    host.check_output(f"dd if=/dev/zero of={root}/volumes/fill bs=1M count=200 conv=fsync")
    try:
        after = metrics()
    finally:
        host.check_output(f"rm {root}/volumes/fill")
    assert 190 * 1024**2 < before[free] - after[free] < 260 * 1024**2


def test_controllers_and_pressure_are_told_as_the_kernel_has_them(host, metrics, controllers):
    found = metrics()
    for controller in ("cpu", "memory", "pids", "io"):
        assert found[f'bulkhead_limits_controller{{controller="{controller}"}}'] == (controller in controllers)
    if host.file("/proc/pressure/cpu").exists:
        assert 0 <= found['bulkhead_limits_pressure_ratio{slice="-.slice",resource="cpu",kind="some",window="60"}'] <= 1
    assert found['bulkhead_limits_threshold_ratio{name="disk_used"}'] == 0.85


def test_the_timer_starts_it(host, shown):
    timer = shown("bulkhead-docker-limits.timer", "ActiveState", "NextElapseUSecMonotonic")
    assert timer["ActiveState"] == "active" and timer["NextElapseUSecMonotonic"] not in ("", "infinity")
    assert shown(SERVICE, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}


def test_it_may_write_its_metrics_and_its_memory_only(host):
    assert host.file(FILE).mode == 0o644
    assert host.file("/var/lib/bulkhead-limits").mode == 0o700
    properties = [
        line.strip()
        for line in host.file(f"/etc/systemd/system/{SERVICE}").content_string.splitlines()
        if re.match(r"(NoNew|Capab|Protect|ReadWrite|Private|Restrict|System|MemoryDeny)", line)
    ]
    assert len(properties) >= 8
    options = [word for line in properties for word in ("--property", line)]
    script = "touch /etc/escaped /usr/local/escaped; ls /etc/escaped"
    escape = host.run("systemd-run --wait --pipe --quiet" + " %s" * len(options) + " /bin/sh -c %s", *options, script)
    assert escape.rc != 0 and not host.file("/etc/escaped").exists


@pytest.fixture(scope="module")
def promtool(host):
    """Prometheus's own judge, from Debian's package of it or of its server, unpacked and not installed."""
    if not host.file("/tmp/prometheus/usr/bin/promtool").exists:
        host.check_output("apt-get update -qq; cd /tmp; apt-get download -qq promtool || apt-get download -qq prometheus")
        host.check_output("for file in /tmp/prom*.deb; do dpkg-deb -x $file /tmp/prometheus; done")
    return "/tmp/prometheus/usr/bin/promtool"


def copied(host, directory, *paths):
    """Copy files of the controller to the host by Docker's client, and return where they are."""
    name = host.ansible.get_variables()["ansible_host"]
    host.check_output(f"mkdir -p {directory}")
    for path in paths:
        command = [shutil.which("docker") or "docker", "exec", "-i", name, "sh", "-c", f"cat >{directory}/{path.name}"]
        subprocess.run(command, input=path.read_bytes(), check=True)


def test_prometheus_accepts_the_rules_the_metrics_and_alerts_as_it_should(host, promtool):
    copied(host, "/tmp/rules", ROLE / "docker_limits_alerts.yml", ALERTS / "alert_tests.yml")
    assert "12 rules found" in host.check_output(f"{promtool} check rules /tmp/rules/docker_limits_alerts.yml")
    done = host.run(f"cd /tmp/rules && {promtool} test rules alert_tests.yml")
    assert done.rc == 0, done.stdout + done.stderr
    said = host.run(f"{promtool} check metrics <{FILE}")
    assert said.rc in (0, 3) and "error" not in said.stderr.lower(), said.stderr
