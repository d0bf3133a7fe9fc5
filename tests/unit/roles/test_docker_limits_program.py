# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The program that tells of pressure and of filling disks: what it makes of what the kernel says, and its forecasts."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits, limits_metrics
from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits as host_limits
from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits_live
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

FILES = pathlib.Path(__file__).resolve().parents[3] / "roles" / "docker_limits" / "files"
PATH = FILES / "docker_limits_metrics.py"


def load():
    specification = importlib.util.spec_from_file_location("docker_limits_program", PATH)
    made = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = made
    specification.loader.exec_module(made)
    return made


program = load()
PRESSURE = "some avg10=12.50 avg60=3.00 avg300=0.10 total=1500000\nfull avg10=1.00 avg60=0.50 avg300=0.00 total=250000\n"
HOUR = 3600.0


@pytest.fixture
def places(tmp_path):
    slice_ = tmp_path / "cgroup" / "containers.slice"
    (slice_ / ("docker-" + "a" * 64 + ".scope")).mkdir(parents=True)
    (tmp_path / "cgroup" / "system.slice" / ("docker-" + "b" * 64 + ".scope")).mkdir(parents=True)
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu memory pids\n", encoding="ascii")
    texts = {
        "memory.pressure": PRESSURE,
        "memory.current": "1000\n",
        "memory.max": "4000\n",
        "pids.current": "7\n",
        "pids.max": "max\n",
        "memory.events": "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\n",
        "pids.events": "max 3\n",
        "cpu.stat": "usage_usec 5\nthrottled_usec 2500000\n",
    }
    for name, text in texts.items():
        (slice_ / name).write_text(text, encoding="ascii")
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text(PRESSURE, encoding="ascii")
    (tmp_path / "metrics").mkdir()
    wanted = limits_metrics.Wanted(str(tmp_path / "metrics"), "", slices=("containers.slice", "containers-batch.slice"), roots=(str(tmp_path),))
    (tmp_path / "config").write_text(limits_metrics.config(wanted), encoding="utf-8")
    return program.Places(*(str(tmp_path / name) for name in ("config", "state", "cgroup", "pressure")))


def metrics(places):
    text = (pathlib.Path(places.config).parent / "metrics" / limits_metrics.METRICS).read_text(encoding="utf-8")
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def value(found, metric, /, **labels):
    return found[f"bulkhead_limits_{metric}", tuple(sorted(labels.items()))]


def test_what_the_kernel_says_is_told(places):
    assert program.main(places, 1000.0) == 0
    found = metrics(places)
    assert value(found, "pressure_ratio", slice="containers.slice", resource="memory", kind="some", window="10") == 0.125
    assert value(found, "pressure_seconds_total", slice="containers.slice", resource="memory", kind="full") == 0.25
    assert value(found, "pressure_ratio", slice="-.slice", resource="cpu", kind="some", window="60") == 0.03
    assert value(found, "memory_bytes", slice="containers.slice") == 1000
    assert value(found, "memory_max_bytes", slice="containers.slice") == 4000
    assert value(found, "memory_events_total", slice="containers.slice", event="oom_kill") == 2
    assert value(found, "tasks", slice="containers.slice") == 7
    assert not [name for name, _labels in found if name == "bulkhead_limits_tasks_max"]
    assert value(found, "tasks_refused_total", slice="containers.slice") == 3
    assert value(found, "cpu_throttled_seconds_total", slice="containers.slice") == 2.5
    assert value(found, "containers_outside", slice="containers.slice") == 1
    assert [value(found, "controller", controller=name) for name in ("memory", "io")] == [1, 0]
    assert value(found, "threshold_ratio", name="disk_used") == 0.85
    assert value(found, "threshold_seconds", name="full") == 24 * HOUR
    (path,) = {labels[0][1] for name, labels in found if name == "bulkhead_limits_filesystem_size_bytes"}
    assert 0 < value(found, "filesystem_available_bytes", path=path) <= value(found, "filesystem_size_bytes", path=path)


def test_a_configuration_that_is_none_is_said_in_one_line(tmp_path, capsys):
    assert program.main(program.Places(config=str(tmp_path / "none")), 0.0) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_directory_that_cannot_be_written_leaves_no_part_behind(places, capsys):
    (pathlib.Path(places.config).parent / "metrics").rmdir()
    assert program.main(places, 1000.0) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_damaged_memory_is_forgotten(places):
    for text in ("{", "[]", '{"bytes /": "x"}', '{"bytes /": [[1], ["a", 2], [null, 3]]}'):
        pathlib.Path(places.state).write_text(text, encoding="utf-8")
        assert program.main(places, 1000.0) == 0
    assert isinstance(json.loads(pathlib.Path(places.state).read_text(encoding="utf-8")), dict)


def test_it_runs_on_this_machine_with_nothing_but_python(places, tmp_path):
    text = PATH.read_text(encoding="utf-8").replace(f'"{program.CONFIG}"', repr(places.config)).replace(f'"{program.STATE}"', repr(places.state))
    (tmp_path / "program").write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "program")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert metrics(places)


MOUNTS = r"""
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:17 / /var/lib/docker/100000.100000/overlay2 rw - xfs /dev/sdb1 rw
22 20 8:18 / /var/lib/docker/100000.100000/volumes rw - xfs /dev/sdb2 rw
23 21 0:50 / /var/lib/docker/100000.100000/overlay2/abc/merged rw - overlay overlay rw
24 20 8:33 / /srv/my\040data rw - ext4 /dev/sdc1 rw
25 24 8:33 /sub /srv/my\040data/again rw - ext4 /dev/sdc1 rw
26 20 0:4 net:[1] /run/docker/netns/x rw - nsfs nsfs rw
"""


def test_each_filesystem_is_told_of_once_and_overlays_are_none():
    base = "/var/lib/docker/100000.100000"
    assert program.filesystems(MOUNTS, ["/var/lib/docker", "/var/lib/containerd"]) == ["/", f"{base}/overlay2", f"{base}/volumes"]
    assert program.filesystems(MOUNTS, ["/srv/my data/x"]) == ["/srv/my data"]
    assert program.filesystems(MOUNTS, ["/run/docker"]) == ["/"]
    assert program.filesystems("nonsense - \n", ["/"]) == []


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs"])
def test_a_volume_on_another_machine_that_may_be_away_is_not_waited_for(kind):
    base = "/var/lib/docker/volumes"
    mounts = "25 1 254:1 / / rw - xfs /dev/vda1 rw\n"
    mounts += f"26 25 0:52 / {base}/far/_data rw - {kind} far:/x rw\n27 25 254:2 / {base}/near/_data rw - ext4 /dev/vdb rw\n"
    assert program.filesystems(mounts, ["/var/lib/docker"]) == ["/", f"{base}/near/_data"]


def filling(rate, hours=2.0, step=300.0):
    return [(at * step, rate * at * step) for at in range(int(hours * HOUR / step) + 1)]


def test_a_steady_filling_is_foretold_to_the_second():
    assert program.forecast(filling(10), 36000) == pytest.approx(3600)
    assert program.forecast(filling(0), 36000) is None
    assert program.forecast(filling(-5), 36000) is None
    assert program.forecast(filling(10), 0) == 0
    # Too little is known, or it is years away.
    assert program.forecast(filling(10, hours=0.4), 36000) is None
    assert program.forecast(filling(0.001), 1e9) is None


def test_a_disk_that_was_cleaned_and_fills_again_is_warned_of():
    cleaned = [(at, used if at < HOUR else used - 30000) for at, used in filling(10)]
    assert program.forecast(cleaned, 36000) == pytest.approx(3600, rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e15)), max_size=50), st.floats(-1, 1e15))
def test_a_forecast_is_a_time_to_come_or_none(samples, free):
    found = program.forecast(sorted(samples), free)
    assert found is None or 0 <= found <= program._FARTHEST


@given(st.lists(st.floats(0, 1e6), max_size=200))
def test_the_memory_does_not_grow_without_end(times):
    samples = []
    for now in sorted(times):
        samples = program.remember(samples, now, 1.0)
        assert len(samples) <= program._LONGEST / program._BETWEEN + 1
        assert samples == sorted(samples)


@given(st.text(), st.text())
def test_nothing_that_the_kernel_could_say_ends_it(pressure, mounts):
    rows = {}
    program.of_pressure(rows, 'a"\\\n', "cpu", pressure)
    list(text_string_to_metric_families(program.render(rows)))
    program.filesystems(mounts, ["/"])


def test_what_the_program_and_the_role_both_know_is_the_same():
    assert (program.CONFIG, program.METRICS) == (limits_metrics.CONFIG, limits_metrics.METRICS)
    assert f"/var/lib/{limits_metrics.STATE}/usage.json" == program.STATE
    for name in ("a.slice", "a-b-c.slice"):
        assert program.place(limits_live.CGROUPS, name) == limits_live.place(name)
    assert program._SCOPE.pattern == host_limits._SCOPE.pattern
    assert limits.SYSTEM == "system.slice"


def test_rules_of_alerts_ask_for_metrics_and_thresholds_that_there_are():
    rules = yaml.safe_load((FILES / "docker_limits_alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    text = " ".join(rule["expr"] for rule in rules)
    metrics_asked = set(program.re.findall(r"bulkhead_limits_(\w+)", text))
    assert metrics_asked <= set(program._HELP)
    asked = set(program.re.findall(r'threshold_ratio\{name="(\w+)"', text))
    assert asked | {"full_within_hours"} == set(limits_metrics.THRESHOLDS)
    page = (FILES.parents[2] / "docs" / "roles" / "docker_limits.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in page] == []
