# SPDX-License-Identifier: Apache-2.0
"""What a host has to keep itself, for the tests, and how they wait for it."""

from __future__ import annotations

import json
import time

import pytest

SERVICE, TIMER = "bulkhead-docker-pull.service", "bulkhead-docker-pull.timer"
PROGRAM = "/usr/local/lib/bulkhead/docker-pull"
METRICS = "/var/lib/prometheus/node-exporter/bulkhead_pull.prom"


class Pull:
    """What keeps a host."""

    def __init__(self, host):
        self.host = host

    def run(self):
        """Run once as the timer does, and return the exit status of systemctl."""
        return self.host.run("systemctl start " + SERVICE).rc

    def shown(self, unit, *names):
        text = self.host.check_output(f"systemctl show --property {','.join(names)} {unit}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def metrics(self):
        """Return what is in the file of metrics: values by name with labels."""
        lines = self.host.check_output(f"cat {METRICS}").splitlines()
        return {name: float(number) for name, _blank, number in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def said(self, since):
        """Return what the service has told the journal since a time, in seconds."""
        self.host.check_output("journalctl --sync")
        return self.host.check_output(f"journalctl --unit {SERVICE} --output cat --no-pager --since @{since}")

    def now(self):
        """Return the host's time in whole seconds, after it has become another one."""
        time.sleep(1.1)
        return int(self.host.check_output("date +%s"))

    def drift(self):
        return json.loads(self.host.check_output("cat /var/lib/bulkhead/pull/drift.json"))["hosts"][0]

    def replace_run(self, script):
        """Let the service run a script in the place of the playbook; `restore_run` takes it away."""
        self.host.check_output("mkdir -p /root/stand-in")
        for name in ("ansible-playbook", "ansible-pull"):
            self.host.check_output("printf %s > %s; chmod 755 %s", f"#!/bin/sh\n{script}\n", f"/root/stand-in/{name}", f"/root/stand-in/{name}")
        self.host.check_output("cp -a /etc/bulkhead/docker-pull.json /root/docker-pull.json")
        self.host.check_output("sed -i 's|/usr/bin\"|/root/stand-in\"|' /etc/bulkhead/docker-pull.json")

    def restore_run(self):
        self.host.check_output("mv /root/docker-pull.json /etc/bulkhead/docker-pull.json")
        self.host.run(f"systemctl reset-failed {SERVICE}")

    def drop_in(self, unit, text):
        self.host.check_output(f"mkdir -p /run/systemd/system/{unit}.d")
        self.host.check_output("printf %s > %s && systemctl daemon-reload", text, f"/run/systemd/system/{unit}.d/lab.conf")

    def no_drop_in(self, unit):
        self.host.check_output(f"rm -rf /run/systemd/system/{unit}.d && systemctl daemon-reload")


def until(condition, seconds, what):
    """Wait for something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.5)
    pytest.fail(f"after {seconds} s: {what}")
