# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known
from ansible_collections.bulkhead.docker.plugins.module_utils.host import packages

DPKG = (
    "containerd\tinstalled\thold\t1.6.20~ds1-1+deb12u2\n"
    "docker.io\tconfig-files\tdeinstall\t20.10.5\n"
    "docker-ce\tinstalled\tinstall\t5:29.0.1-1~debian.12~bookworm\n"
    "runc\tnot-installed\tunknown\t\n"
)
POLICY = """\
containerd:
  Installed: 1.6.20~ds1-1+deb12u2
  Candidate: 1.6.20~ds1-1+deb12u3
  Version table:
     1.6.20~ds1-1+deb12u3 500
        500 http://mirror.example/security bookworm-security/main amd64 Packages
 *** 1.6.20~ds1-1+deb12u2 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
docker.io:
  Installed: (none)
  Candidate: 20.10.24+dfsg1-1+deb12u1+b6
  Package pin: 20.10.24+dfsg1-1+deb12u1+b6
  Version table:
     20.10.24+dfsg1-1+deb12u1+b6 1001
        500 http://mirror.example/debian bookworm/main amd64 Packages
docker-ce:
  Installed: 5:29.0.1-1~debian.12~bookworm
  Candidate: 5:29.0.1-1~debian.12~bookworm
  Version table:
 *** 5:29.0.1-1~debian.12~bookworm 100
        100 /var/lib/dpkg/status
docker-engine:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


@pytest.fixture
def apt(tools):
    tools.answer("dpkg-query --show", DPKG, rc=1)
    tools.answer("apt-cache policy", POLICY)
    return tools


@pytest.mark.usefixtures("apt")
def test_known():
    assert packages.known(["containerd", "docker.io", "docker-ce", "docker-engine", "runc", "unheard-of"]) == {
        "containerd": Known("1.6.20~ds1-1+deb12u2", "1.6.20~ds1-1+deb12u3", ("1.6.20~ds1-1+deb12u3", "1.6.20~ds1-1+deb12u2"), True),
        "docker.io": Known("", "20.10.24+dfsg1-1+deb12u1+b6", ("20.10.24+dfsg1-1+deb12u1+b6",)),
        "docker-ce": Known(*["5:29.0.1-1~debian.12~bookworm"] * 2, ("5:29.0.1-1~debian.12~bookworm",)),
    }


def test_both_tools_are_asked_for_all_packages_at_once(apt):
    packages.known(["containerd", "runc"])
    assert len(apt.ran) == 2
    assert all(line.endswith(" containerd runc") for line in apt.ran)


FORBIDS = "exit 101\n"


def test_no_service_is_started_and_the_hosts_own_policy_comes_back(tmp_path, monkeypatch):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", str(policy))
    with packages.nothing_started():
        assert policy.read_text().endswith(FORBIDS)
    assert not policy.exists()
    policy.write_text("the host's own\n")
    with packages.nothing_started():
        assert policy.read_text().endswith(FORBIDS)
    assert policy.read_text() == "the host's own\n"


def test_the_policy_of_a_run_that_was_killed_is_not_taken_for_the_hosts_own(tmp_path, monkeypatch):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", str(policy))
    policy.write_text("the host's own\n")
    killed = packages.nothing_started()
    killed.__enter__()
    with packages.nothing_started():
        assert policy.read_text().endswith(FORBIDS)
    assert policy.read_text() == "the host's own\n"


HOLDER = "import fcntl, sys; held = open(sys.argv[1], 'a'); fcntl.lockf(held, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """dpkg's lock, held by another process until its input ends."""
    path = tmp_path / "lock-frontend"
    path.touch()
    monkeypatch.setattr(packages, "_LOCKS", (str(tmp_path / "none"), str(path)))
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        yield holder
        holder.stdin.close()


def test_what_somebody_is_installing_is_waited_for(apt, lock, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            apt.answer("dpkg-query --show", DPKG)

    apt.answer("dpkg-query --show", DPKG.replace("containerd\tinstalled", "containerd\tunpacked"))
    monkeypatch.setattr(packages.time, "sleep", sleep)
    assert packages.known(["containerd"])["containerd"].state == "installed"
    assert len(waited) == 2


def test_what_nobody_is_installing_any_more_is_not_waited_for(apt, lock, monkeypatch):
    def sleep(_seconds):
        lock.stdin.close()
        lock.wait()

    apt.answer("dpkg-query --show", DPKG.replace("containerd\tinstalled", "containerd\thalf-installed"))
    monkeypatch.setattr(packages.time, "sleep", sleep)
    assert packages.known(["containerd"])["containerd"].state == "half-installed"


@pytest.mark.usefixtures("lock")
def test_what_is_whole_is_not_waited_for(apt, monkeypatch):
    monkeypatch.setattr(packages.time, "sleep", pytest.fail)
    assert packages.known(["containerd"])["containerd"].state == "installed"
    assert len(apt.ran) == 2
