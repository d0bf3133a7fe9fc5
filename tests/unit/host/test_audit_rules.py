# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Rules of audit on a host that does not exist: an auditctl and a kernel that do what they are told, or not."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit_rules, commands, systemd
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text, audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.audit_watch import DATA_ROOT, SOCKET, Watched

OTHERS = "-w /etc/shadow -p wa -k identity"
NAIVE = "-w /var/lib/docker -p rwxa -k docker"


class Kernel:
    """What is loaded, and an auditctl that changes it."""

    def __init__(self):
        self.rules = [OTHERS, NAIVE]
        self.enabled = 1
        self.ran = []
        self.answers = True
        self.deaf = False
        self.installed = {"auditctl", "augenrules"}
        self.started = []
        self.failed = False

    def run(self, arguments, timeout=60, check=True, stdin=None):
        self.ran.append(" ".join(arguments[:2]))
        if arguments[0] == "augenrules":
            return commands.CommandResult(0, "", "")
        if not self.answers:
            return commands.CommandResult(255, "", "Error sending status request (Operation not permitted)\n")
        if arguments[1] == "-s":
            return commands.CommandResult(0, f"enabled {self.enabled}\nfailure 1\npid 0\n", "")
        if arguments[1] == "-l":
            return commands.CommandResult(0, "\n".join(self.rules) or "No rules", "")
        assert self.enabled != 2, "locked rules are left alone"
        if arguments[1] == "-D":
            assert arguments[2] == "-k", "rules of others are never flushed"
            self.rules = [rule for rule in self.rules if f"-k {arguments[3]}" not in rule and f"key={arguments[3]}" not in rule]
        else:
            self._load(arguments[2])
        return commands.CommandResult(0, "", "")

    def _load(self, path):
        assert pathlib.Path(path).stat().st_mode & 0o777 == 0o640
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            if line.startswith("-a") and not self.deaf:
                simple = " auid" not in line and line.replace(" -F path=", " -F dir=").split(" -F ")
                fields = dict(field.split("=", 1) for field in simple[1:]) if simple else {}
                listed = f"-w {fields['dir']} -p {fields['perm']} -k {fields['key']}" if simple else line.replace("auid!=unset", "auid!=-1")
                assert listed not in self.rules, "Rule exists"
                self.rules.append(listed)


class Host:
    """A tree with what of Docker there is."""

    def __init__(self, top):
        self.top = top
        self.where = audit_rules.Places(str(top / "docker"), str(top / "docker/100000.100000"), (str(top / "run/docker.sock"),))
        for path in ("docker/100000.100000/containers", "etc", "run/containerd", "sbin"):
            (top / path).mkdir(parents=True)
        (top / "sbin/runc").touch()
        (top / "bin").symlink_to("sbin")
        for name in ("run/docker.sock", "run/containerd/containerd.sock"):
            (top / name).touch()

    def watched(self):
        return (
            Watched("audit-data-root", "it", (DATA_ROOT, f"{DATA_ROOT}/containers", f"{DATA_ROOT}/swarm"), "1.1.5"),
            Watched("audit-etc-docker", "it", (f"{self.top}/etc",), "1.1.6", recursive=True),
            Watched("audit-docker-socket", "it", (SOCKET,), "1.1.9"),
            Watched("audit-containerd-socket", "it", (f"{self.top}/run/containerd/containerd.sock",), "1.1.8"),
            Watched("audit-runc", "it", (f"{self.top}/bin/runc", f"{self.top}/sbin/runc", f"{self.top}/lib/runc"), "1.1.18"),
        )

    def rules_file(self):
        path = pathlib.Path(audit_rules.RULES_FILE)
        return path.read_text(encoding="utf-8") if path.exists() else None

    def converge(self, **options):
        plan = audit_rules.make(self.where, **options)
        return plan, audit_rules.carry_out(plan)


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel()
    monkeypatch.setattr(commands, "run", kernel.run)
    monkeypatch.setattr(commands, "find", lambda name: f"/sbin/{name}" if name in kernel.installed else None)
    monkeypatch.setattr(systemd, "start", kernel.started.append)
    monkeypatch.setattr(systemd, "has_failed", lambda _unit: kernel.failed)
    return kernel


@pytest.fixture
def host(tmp_path, monkeypatch, own_files, kernel):
    host = Host(tmp_path)
    monkeypatch.setattr(audit_rules, "RULES_FILE", str(tmp_path / "audit/50.rules"))
    monkeypatch.setattr(audit_rules, "TMPFILES_FILE", str(tmp_path / "tmpfiles/audit.conf"))
    monkeypatch.setattr(audit_rules, "_MADE_AT_BOOT", (str(tmp_path / "run/containerd"),))
    monkeypatch.setattr(audit_watch, "WATCHED", host.watched())
    return host


def test_what_the_host_has_is_watched_where_it_really_lies(host, kernel):
    plan, after = host.converge()
    top = host.top
    assert {rule.path for rule in plan.wanted} == {
        f"{top}/docker",
        f"{top}/docker/100000.100000",
        f"{top}/docker/100000.100000/containers",
        f"{top}/etc",
        f"{top}/run/docker.sock",
        f"{top}/run/containerd/containerd.sock",
        f"{top}/sbin/runc",
    }
    assert after.rules == plan.wanted == audit_text.ours("\n".join(kernel.rules))
    # One rule for people at the data-root holds the effective root below it as well.
    assert [rule.path for rule in plan.wanted if rule.conditions] == [f"{top}/docker"]


def test_a_second_run_changes_nothing_and_asks_only(host, kernel):
    host.converge()
    kernel.ran.clear()
    plan, after = host.converge()
    assert (plan.changes, plan.as_diff(), after.rules) == (False, [], plan.wanted)
    assert set(kernel.ran) == {"auditctl -s", "auditctl -l"}


def test_a_plan_changes_nothing_and_predicts_what_a_run_does(host, kernel):
    plan = audit_rules.make(host.where)
    assert plan.changes
    assert kernel.rules == [OTHERS, NAIVE]
    assert host.rules_file() is None
    assert plan.predicted() == audit_rules.carry_out(plan)


def test_rules_of_others_stay_loaded_and_stale_ones_of_ours_go(host, kernel):
    kernel.rules.append("-w /opt/old -p wa -k bulkhead-docker")
    plan, _after = host.converge()
    assert [str(rule) for rule in plan.remove] == ["/opt/old wa"]
    assert OTHERS in kernel.rules and NAIVE in kernel.rules
    assert not [rule for rule in kernel.rules if "/opt/old" in rule]


def test_a_rule_that_somebody_took_out_of_the_kernel_comes_back(host, kernel):
    host.converge()
    kernel.rules = [rule for rule in kernel.rules if "runc" not in rule]
    plan, after = host.converge()
    assert [str(rule) for rule in plan.add] == [f"{host.top}/sbin/runc wa"]
    assert plan.files == ()
    assert after.rules == plan.wanted


def test_what_is_gone_from_the_host_goes_from_the_rules(host, kernel):
    host.converge()
    (host.top / "sbin/runc").unlink()
    plan, _after = host.converge()
    assert [str(rule) for rule in plan.remove] == [f"{host.top}/sbin/runc wa"]
    assert "runc" not in host.rules_file()


def test_absent_takes_everything_away_and_nothing_else(host, kernel):
    host.converge()
    plan, after = host.converge(present=False)
    assert plan.changes
    assert (host.rules_file(), os.path.exists(audit_rules.TMPFILES_FILE)) == (None, False)
    assert (kernel.rules, after.rules) == ([OTHERS, NAIVE], frozenset())
    assert not host.converge(present=False)[0].changes


def test_locked_rules_are_written_for_the_next_boot(host, kernel):
    kernel.enabled = 2
    plan, after = host.converge()
    assert plan.changes and not plan.loads
    assert "runc" in host.rules_file()
    assert "next boot" in audit_rules.not_loaded(plan, after)
    assert not host.converge()[0].changes, "a second run has nothing to do before the reboot"


def test_a_kernel_that_does_not_answer_gets_nothing_and_the_file_is_written(host, kernel):
    kernel.answers = False
    plan, after = host.converge()
    assert "Operation not permitted" in audit_rules.not_loaded(plan, after)
    assert plan.changes and not (plan.add or plan.remove)
    assert "runc" in host.rules_file()
    assert not host.converge()[0].changes


def test_a_kernel_that_does_not_keep_what_it_was_given_is_an_error(host, kernel):
    kernel.deaf = True
    with pytest.raises(audit_rules.AuditError, match=r"it lacks .*/sbin/runc wa"):
        host.converge()


def test_auditd_is_started_where_the_audit_is_off_unless_it_has_failed_before(host, kernel):
    kernel.enabled = 0
    plan, after = host.converge()
    assert (plan.starts, kernel.started) == (True, ["auditd.service"])
    assert "audit=0" in audit_rules.not_recording(after)
    kernel.failed = True
    plan, after = host.converge()
    assert (plan.changes, kernel.started) == (False, ["auditd.service"])
    assert "audit=0" in audit_rules.not_recording(after)


def test_a_rule_of_somebody_else_that_silences_ours_is_said(host, kernel):
    kernel.rules.append("-a never,task")
    _plan, after = host.converge()
    assert "never,task" in audit_rules.not_recording(after)


def test_the_directory_of_the_socket_is_there_when_rules_are_loaded_at_boot(host):
    host.converge()
    top = host.top
    status = (top / "run/containerd").stat()
    text = pathlib.Path(audit_rules.TMPFILES_FILE).read_text(encoding="utf-8")
    assert text.splitlines()[-1] == f"d {top}/run/containerd {status.st_mode & 0o7777:04o} {status.st_uid} {status.st_gid} -"


def test_what_no_rule_can_hold_is_left_out_with_the_reason(host, monkeypatch):
    odd = host.top / "my etc"
    odd.mkdir()
    monkeypatch.setattr(audit_watch, "WATCHED", (Watched("a", "it", (str(odd), f"{host.top}/etc"), "1"),))
    plan, _after = host.converge(people=False)
    assert list(plan.skipped) == [str(odd)]
    assert [rule.path for rule in plan.wanted] == [f"{host.top}/etc"]


def test_a_socket_below_a_directory_of_a_session_is_not_watched():
    assert "boot" in audit_rules._unwatchable("/run/user/1000/docker.sock")
    assert audit_rules._unwatchable("/run/docker.sock") == ""
    assert audit_rules._unwatchable("/run/containerd/containerd.sock") == ""


def test_without_the_tool_the_files_are_planned_and_the_kernel_is_unknown(host, kernel):
    kernel.installed = set()
    plan = audit_rules.make(host.where)
    assert (plan.tool_missing, plan.loads) == (True, False)
    assert plan.files
    assert kernel.ran == []


def test_places_of_the_daemon_come_from_its_file_and_its_unit(monkeypatch, tmp_path):
    config = tmp_path / "daemon.json"
    monkeypatch.setattr(audit_rules, "CONFIG_FILE", str(config))
    monkeypatch.setattr(audit_rules.Daemon, "unit", lambda _self: type("Unit", (), {"flags": {"host": ["fd://", "unix:///run/second.sock"]}}))
    assert audit_rules.places() == audit_rules.Places("/var/lib/docker", "/var/lib/docker", ("/run/second.sock",))
    config.write_text('{"data-root": "/srv/docker", "hosts": ["unix:///run/first.sock", "tcp://127.0.0.1:2376"]}', encoding="utf-8")
    assert audit_rules.places() == audit_rules.Places("/srv/docker", "/srv/docker", ("/run/first.sock", "/run/second.sock"))
    assert audit_rules.places("/data", "/run/x.sock") == audit_rules.Places("/data", "/data", ("/run/x.sock",))
    config.write_text("{", encoding="utf-8")
    assert audit_rules.places().data_root == "/var/lib/docker"


def test_places_that_are_no_paths_are_refused():
    assert [problem.where for problem in audit_rules.problems(audit_rules.Places("docker", "docker", ("run/docker.sock",)))] == ["data_root", "socket"]
    assert audit_rules.problems(audit_rules.Places("/d", "/d", ("/s",))) == []
