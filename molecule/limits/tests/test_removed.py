# SPDX-License-Identifier: Apache-2.0
"""Everything goes, also that which needs systemd to forget it, and comes back. Runs after the other files, by its name."""

from __future__ import annotations

import json

MODULE = "bulkhead.docker.docker_limits"


def test_absent_leaves_nothing_and_changes_nothing_twice(host, shown):
    kept = host.check_output("find /etc/systemd/system -name '40-bulkhead-limits.conf' -o -name 'containers-*.slice' | sort").splitlines()
    assert len(kept) >= 6
    program = "/usr/local/lib/bulkhead/docker-limits-metrics /etc/bulkhead/docker-limits.json /etc/systemd/system/bulkhead-docker-limits.*"
    host.check_output(f"tar -cf /root/limits.tar {' '.join(kept)} {program}")
    predicted = host.ansible(MODULE, json.dumps({"state": "absent"}), check=True)
    done = host.ansible(MODULE, json.dumps({"state": "absent"}), check=False)
    try:
        assert predicted["changed"] and predicted["changed_files"] == done["changed_files"]
        assert not host.ansible(MODULE, json.dumps({"state": "absent"}), check=False)["changed"]
        assert host.run("find /etc/systemd/system -name '40-bulkhead-limits.conf' | grep .").rc != 0
        assert shown("containers.slice", "MemoryMax", "FragmentPath") == {"MemoryMax": "infinity", "FragmentPath": "/etc/systemd/system/containers.slice"}
        assert not host.file("/var/lib/prometheus/node-exporter/bulkhead_limits.prom").exists
        assert shown("bulkhead-docker-limits.timer", "LoadState")["LoadState"] == "not-found"
    finally:
        host.check_output("tar -xf /root/limits.tar -C / && systemctl daemon-reload && systemctl enable --now bulkhead-docker-limits.timer")
