# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What other validators of containers pass although it is not so, each by name: none of it passes here."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths, evaluate, model, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import inspect
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import (
    escapes,
    images,
    isolation,
    limits,
    mounts,
    workload_network,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount, Port
from ansible_collections.bulkhead.docker.tests.unit.posture import base
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import examples

RULES = {rule.id: rule for module in (isolation, escapes, mounts, workload_network, limits) for rule in module.RULES}


def status(rule: str, kind: str = model.CONTAINER, **different: t.Any) -> str:
    return evaluate.outcome_of(RULES[rule], base.subject(kind, **different)).status


def inspected(rule: str, engine: inspect.EngineFacts = examples.ENGINE, **different: t.Any) -> model.Outcome:
    """Return what a rule says of a container as the API shows it; names say where something differs, as in host__Privileged."""
    return evaluate.outcome_of(RULES[rule], inspect.subject(examples.look(**different), engine))


@pytest.mark.parametrize("user", ["0:0", "root:root", "00", "0", "root", "", "+0", "0:1000", "-0"])
def test_0_colon_0_is_root(user):
    # docker-bench 4.1 compares the text with 0 and root.
    stopped = {"running": False, "config__User": user}
    engine = examples.engine(userns_remap=False)
    assert inspected("container-runs-as-user", engine, **stopped).status == model.FAIL


def test_a_process_that_became_root_is_root():
    # What is declared says 1000, what runs is 0.
    kernel = examples.process(status={"Uid": "0\t0\t0\t0"}, uid_map=((0, 0, 4294967295),))
    look = examples.look(config__User="1000", process=kernel)
    found = evaluate.outcome_of(RULES["container-runs-as-user"], inspect.subject(look, examples.engine(userns_remap=False)))
    assert found.status == model.FAIL


@pytest.mark.parametrize("address", ["::", "[::]", "0:0:0:0:0:0:0:0", "", "0.0.0.0"])
def test_ipv6_wildcard_is_seen(address):
    # docker-bench 5.14 splits on colons and looks for 0.0.0.0.
    assert status("ports-bound-to-an-address", ports=(Port(address, 8443, 443),)) == model.FAIL


def test_a_privileged_port_on_ipv6_is_seen():
    # docker-bench 5.8 passes [::]:22.
    assert status("ports-not-privileged", ports=(Port("::", 22, 2222),)) == model.FAIL


def test_cpu_quota_counts():
    # docker-bench 5.12 knows shares only, and so fails what has a quota or processors of its own.
    for different in ({"host__CpuQuota": 50000}, {"host__NanoCpus": 10**9}, {"host__CpusetCpus": "0-1"}, {"host__CpuShares": 512}):
        assert inspected("cpu-limited", running=False, **different).status == model.PASS, different
    assert inspected("cpu-limited", running=False).status == model.FAIL
    assert inspected("cpu-limited", running=False, host__CpuShares=1024).status == model.FAIL


def test_a_quota_that_the_kernel_does_not_have_is_none():
    look = examples.look(host__NanoCpus=10**9, process=examples.process(limits={"cpu.max": "max 100000"}))
    assert evaluate.outcome_of(RULES["cpu-limited"], inspect.subject(look, examples.ENGINE)).status == model.FAIL


def test_pid_mode_of_a_privileged_container():
    # docker-bench 5.16 asks for the word host only.
    web = base.subject(model.CONTAINER, pid_mode="container:agent")
    agent = model.Subject(model.CONTAINER, "agent", base.subject(model.CONTAINER, privileged=True).facts)
    judged = evaluate.judge([web, agent], list(RULES.values()), "h1")
    assert [finding.status for finding in judged if finding.subject == "web" and finding.rule == "pid-namespace-own"] == [model.FAIL]
    [path] = attack_paths.find([web, agent], judged, "h1")
    assert (path.subject, path.severity) == ("web", severity.CRITICAL)
    assert path.reason == "web -> agent -> root on the host"


@pytest.mark.parametrize("option", ["no-new-privileges:false", "no-new-privileges=false", "no-new-privileges=0"])
def test_no_new_privileges_false_is_no_pass(option):
    # docker-bench 5.26 looks for the name in the text.
    assert inspected("no-new-privileges", running=False, host__SecurityOpt=[option]).status == model.FAIL


@pytest.mark.parametrize("option", ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true", "no-new-privileges=1"])
def test_no_new_privileges_is_read_as_the_engine_reads_it(option):
    assert inspected("no-new-privileges", running=False, host__SecurityOpt=[option]).status == model.PASS


def test_the_last_no_new_privileges_counts():
    options = ["no-new-privileges:true", "no-new-privileges:false"]
    assert inspected("no-new-privileges", running=False, host__SecurityOpt=options).status == model.FAIL


def test_a_container_older_than_the_daemons_no_new_privileges_is_no_pass():
    # docker-bench 5.26 passes all containers as soon as the daemon has the default.
    engine = examples.engine(no_new_privileges=True)
    look = examples.look(host__SecurityOpt=None, process=examples.process(status={"NoNewPrivs": "0"}))
    subject = inspect.subject(look, engine)
    assert evaluate.outcome_of(RULES["no-new-privileges"], subject).status == model.FAIL
    assert evaluate.outcome_of(RULES["container-is-current"], subject).status == model.FAIL
    stopped = inspected("no-new-privileges", engine, running=False, host__SecurityOpt=None)
    assert stopped.status == model.UNKNOWN and "created after" in stopped.reason


def test_root_bind_read_only_is_sensitive():
    # docker-bench 5.6 looks at eight writable directories.
    mount = Mount("bind", "/", "/host", True, "rslave", "/")
    assert status("mounts-no-sensitive-directories", mounts=(mount,)) == model.FAIL
    assert status("api-socket-not-mounted", mounts=(mount,)) == model.FAIL


@pytest.mark.parametrize("path", ["/etc/cron.d", "/proc/sys", "/home", "/root", "/var", "/run"])
def test_directories_beside_the_eight_are_sensitive(path):
    assert status("mounts-no-sensitive-directories", mounts=(Mount("bind", path, "/x", host_path=path),)) == model.FAIL


def test_a_volume_at_usr_is_no_host_directory():
    # docker-bench 5.6 looks at the target too.
    assert status("mounts-no-sensitive-directories", mounts=(Mount("volume", "data", "/usr"),)) == model.PASS


def test_a_volume_that_is_a_host_directory_is_seen():
    # The API shows the directory of the volume, not what is mounted there.
    places = {"/e": examples.place("/etc")}
    mount = {"Type": "volume", "Name": "hostetc", "Source": "/var/lib/docker/volumes/hostetc/_data", "Destination": "/e", "RW": True, "Propagation": ""}
    assert inspected("mounts-no-sensitive-directories", top__Mounts=[mount], places=places).status == model.FAIL


@pytest.mark.parametrize("path", ["/var/run", "/run", "/", "/run/containerd/containerd.sock", "/run/containerd", "/run/user/1000", "/run/podman/podman.sock"])
def test_the_api_socket_under_another_name_is_seen(path):
    # docker-bench 5.32 looks for docker.sock in the text.
    assert status("api-socket-not-mounted", mounts=(Mount("bind", path, "/x", True, host_path=path),)) == model.FAIL


@pytest.mark.parametrize(
    "path",
    ["/proc/self/../self/fd/7/../../..", "/tmp/../proc/self/fd/7/../..", "/proc/1/root/proc/self/fd/8", "/proc/self/task/7/fd/8/..", "/dev/../dev/fd/9/.."],
)
def test_a_working_directory_that_passes_through_a_descriptor_is_seen(path):
    # The kernel is in the host's directory before it goes up; the whole path comes to something harmless.
    assert inspected("working-directory-in-the-image", config__WorkingDir=path).status == model.FAIL
    assert images.leads_to_descriptors(path)


@pytest.mark.parametrize("path", ["/proc/self", "/srv/../proc/selfish/fd/3", "/fd/../proc", "/" + "a/" * 5000, "../" * 5000, ""])
def test_other_working_directories_are_none(path):
    assert not images.leads_to_descriptors(path)


@pytest.mark.parametrize(
    "path", ["/proc/1/root", "/proc/self/root/", "/proc/1/root/run", "/proc/self/root/proc/1/root/run/docker.sock", "/proc/1/task/1/root/var/run"]
)
def test_a_way_round_by_proc_leads_to_the_same_place(path):
    mount = Mount("bind", path, "/x", host_path=path)
    assert status("api-socket-not-mounted", mounts=(mount,)) == model.FAIL


@pytest.mark.parametrize("path", ["/proc/1", "/proc/self/cwd", "/proc/1/root", "/proc/4711/environ"])
def test_a_process_of_the_host_is_no_ordinary_directory(path):
    mount = Mount("bind", path, "/x", read_only=True, host_path=path)
    failed = {rule for rule in ("mounts-no-kernel-interfaces", "mounts-no-sensitive-directories") if status(rule, mounts=(mount,)) == model.FAIL}
    assert failed, path


@pytest.mark.parametrize("path", ["/run/user/1000", "/run/user", "/run/user/1000/podman"])
def test_a_directory_of_a_user_counts_as_a_socket_where_nobody_looked_only(path):
    unseen = {"Type": "bind", "Source": path, "Destination": "/x", "RW": True, "Propagation": "rprivate"}
    seen = examples.place(path, sockets=("/run/user/1000/podman/podman.sock",))
    assert inspected("api-socket-not-mounted", top__Mounts=[unseen], places={}).status == model.FAIL
    assert inspected("api-socket-not-mounted", top__Mounts=[unseen], places={"/x": seen}).status == model.FAIL
    # It fails as a directory all the same: the user's systemd and keys are there.
    assert inspected("api-socket-not-mounted", top__Mounts=[unseen], places={"/x": examples.place(path)}).status == model.PASS
    assert inspected("mounts-no-sensitive-directories", top__Mounts=[unseen], places={"/x": examples.place(path)}).status == model.FAIL


def test_a_socket_behind_a_link_is_seen():
    mount = Mount("bind", "/srv/innocent", "/x", host_path="/run", sockets=("/run/docker.sock",))
    assert status("api-socket-not-mounted", mounts=(mount,)) == model.FAIL


def test_use_api_socket_is_seen_in_the_list_that_binds_do_not_show():
    # CVE-2026-6406: whoever reads Binds only does not see it.
    mounts_list = [{"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/var/run/docker.sock"}]
    assert inspected("api-socket-not-handed-over", host__Mounts=mounts_list, host__Binds=None).status == model.FAIL


def test_dropped_capabilities_count():
    # docker-bench 5.4 looks at what is added only, so the whole default set passes.
    assert inspected("capabilities-restricted", running=False).status == model.FAIL
    assert inspected("capability-net-raw-dropped", running=False).status == model.FAIL
    assert inspected("capability-net-raw-dropped", running=False, host__CapDrop=["CAP_NET_RAW"]).status == model.PASS
    assert inspected("capabilities-restricted", running=False, host__CapDrop=["all"]).status == model.PASS


def test_a_single_dangerous_capability_is_seen():
    # risk-sentinel 5.4 fails only where nearly all are there.
    assert inspected("capabilities-none-beyond-default", running=False, host__CapAdd=["sys_admin"]).status == model.FAIL
    assert inspected("capability-sys-admin-not-held", running=False, host__CapAdd=["CAP_SYS_ADMIN"]).status == model.FAIL


def test_seccomp_unconfined_by_the_daemon_is_no_pass():
    # docker-bench 5.22 reads the container's own options only.
    engine = examples.engine(seccomp="unconfined", seccomp_opens=None)
    assert inspected("seccomp-filter-on", engine, running=False).status == model.FAIL


def test_seccomp_off_in_the_kernel_is_no_pass():
    # A profile that says nothing switches the filter off; the options still show a profile.
    look = examples.look(host__SecurityOpt=["seccomp={}"], process=examples.process(status={"Seccomp": "0"}))
    assert evaluate.outcome_of(RULES["seccomp-filter-on"], inspect.subject(look, examples.ENGINE)).status == model.FAIL


def test_a_privileged_container_has_no_seccomp():
    assert inspected("seccomp-filter-on", running=False, host__Privileged=True).status == model.FAIL


def test_a_profile_that_allows_everything_is_no_filter():
    profile = '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}'
    found = inspected("seccomp-profile-closes-dangerous-calls", running=False, host__SecurityOpt=[f"seccomp={profile}"])
    assert found.status == model.FAIL
    assert "mount" in found.evidence[0].observed


def test_label_disable_is_no_label():
    # docker-bench 5.3 passes on any security option; the engine itself adds label=disable to privileged containers.
    engine = examples.engine(selinux=True, apparmor=False)
    found = inspected("selinux-type-confines", engine, running=False, host__SecurityOpt=["label=disable"])
    assert found.status == model.FAIL


def test_label_type_spc_t_is_no_label():
    engine = examples.engine(selinux=True, apparmor=False)
    assert inspected("selinux-type-confines", engine, running=False, host__SecurityOpt=["label=type:spc_t"]).status == model.FAIL


def test_apparmor_and_selinux_are_asked_where_they_are():
    # docker-bench 5.2 fails every host with SELinux, 5.3 every host with AppArmor.
    neither = examples.engine(selinux=False, apparmor=False)
    for rule in ("apparmor-profile-set", "apparmor-profile-enforced", "selinux-type-confines"):
        found = inspected(rule, neither, running=False)
        assert found.status == model.NOT_APPLICABLE and found.reason


def test_systempaths_unconfined_is_seen():
    # It stands in no list of options: only the empty lists show it.
    for rule in ("system-paths-masked", "system-paths-read-only"):
        assert inspected(rule, running=False, host__MaskedPaths=[], host__ReadonlyPaths=[]).status == model.FAIL


def test_paths_of_a_privileged_container_are_not_masked():
    # null stands for the default in a request, and for none in a privileged container.
    for rule in ("system-paths-masked", "system-paths-read-only"):
        found = inspected(rule, running=False, host__MaskedPaths=None, host__ReadonlyPaths=None, host__Privileged=True)
        assert found.status == model.FAIL


def test_paths_that_an_answer_does_not_hold_are_unknown():
    for rule in ("system-paths-masked", "system-paths-read-only"):
        assert inspected(rule, running=False, host__MaskedPaths=None, host__ReadonlyPaths=None).status == model.UNKNOWN


def test_a_custom_list_of_masked_paths_is_compared_path_by_path():
    found = inspected("system-paths-masked", running=False, host__MaskedPaths=["/proc/acpi"])
    assert found.status == model.FAIL and "/proc/kcore" in found.evidence[0].observed


def test_device_rules_are_devices():
    # docker-bench 5.18 looks at Devices only.
    found = inspected("device-rules-none", running=False, host__DeviceCgroupRules=["b 8:* rwm"])
    assert (found.status, found.reach) == (model.FAIL, severity.HOST_ROOT)


def test_device_requests_are_devices():
    requests = [{"Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=all"], "Capabilities": None}]
    assert inspected("device-requests-none", running=False, host__DeviceRequests=requests).status == model.FAIL


def test_a_working_directory_below_a_descriptor_is_seen():
    assert inspected("working-directory-in-the-image", config__WorkingDir="/proc/self/fd/8").status == model.FAIL


def test_always_is_no_bounded_restart():
    policy = {"Name": "always", "MaximumRetryCount": 3}
    assert inspected("restarts-end", running=False, host__RestartPolicy=policy).status == model.FAIL


def test_a_user_namespace_that_is_shared_without_asking_is_seen():
    # docker-bench 5.31 looks for the word host only.
    assert inspected("user-namespace-own", examples.engine(userns_remap=False), running=False).status == model.FAIL


def test_a_container_without_ps_is_unknown_and_no_pass():
    # docker-bench 5.7 passes where it cannot run ps.
    look = examples.look(process=examples.process(programs=None))
    assert evaluate.outcome_of(RULES["no-ssh-daemon"], inspect.subject(look, examples.ENGINE)).status == model.UNKNOWN


def test_sshd_is_found_without_running_anything():
    look = examples.look(process=examples.process(programs=frozenset({"web", "sshd"})))
    assert evaluate.outcome_of(RULES["no-ssh-daemon"], inspect.subject(look, examples.ENGINE)).status == model.FAIL


def test_a_process_that_could_not_be_read_is_no_pass():
    look = examples.look(process=examples.process(error="permission denied"), host__SecurityOpt=None)
    subject = inspect.subject(look, examples.ENGINE)
    for rule in ("no-new-privileges", "seccomp-filter-on", "apparmor-profile-set", "system-paths-masked", "system-paths-read-only", "cgroups-read-only"):
        found = evaluate.outcome_of(RULES[rule], subject)
        assert (found.status, found.reason) == (model.UNKNOWN, "permission denied"), rule
