# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What other validators say wrongly of daemons, images and swarms, each by name: false passes, and false failures too."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model, score, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import snapshot
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import daemon, images, swarm, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy
from ansible_collections.bulkhead.docker.tests.unit.posture import base
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples

RULES = {rule.id: rule for module in (daemon, images, swarm, versions) for rule in module.RULES}


def looked(rule: str, engine: EngineLook | None = None, look: DaemonLook | None = None, policy: Policy | None = None, name: str = "") -> model.Finding:
    """Return what a rule says of a whole look: of the only subject that it is asked of, or of the one with a name."""
    found, context = snapshot.subjects(engine or examples.engine(), look or examples.daemon(), examples.HOST_FACTS, policy or Policy())
    findings = [finding for finding in evaluate.judge(found, [RULES[rule]], "h1", context) if not name or finding.subject == name]
    [finding] = findings
    return finding


def status(rule: str, kind: str = model.DAEMON, **different: t.Any) -> str:
    return evaluate.outcome_of(RULES[rule], base.subject(kind, **different)).status


# 2.8, in docker-bench 2.7: listeners of flags are never seen, and lines of the file are searched for words.


def test_tcp_flag_is_seen():
    look = examples.daemon(flags={"host": ["fd://", "tcp://0.0.0.0:2375"]})
    finding = looked("daemon-api-tls", look=look)
    assert (finding.status, finding.severity) == (model.FAIL, severity.CRITICAL)


def test_tcp_of_a_list_with_line_breaks_is_seen():
    look = examples.daemon({"hosts": ["unix:///run/docker.sock", "tcp://0.0.0.0:2375"]}, flags={})
    assert "\n" in look.config_text
    assert looked("daemon-api-tls", look=look).status == model.FAIL


def test_tcp_in_log_opts_is_no_listener():
    look = examples.daemon({"log-driver": "syslog", "log-opts": {"syslog-address": "tcp://logs.example.com:514"}})
    assert looked("daemon-api-tls", examples.engine({"LoggingDriver": "syslog"}), look).status == model.PASS


def test_tlsverify_in_the_file_is_seen():
    tls = {"tlsverify": True, "tlscacert": "/etc/docker/ca.pem", "tlscert": "/etc/docker/cert.pem", "tlskey": "/etc/docker/key.pem"}
    look = examples.daemon({"hosts": ["tcp://10.0.0.1:2376"], **tls}, flags={})
    assert looked("daemon-api-tls", look=look).status == model.PASS


def test_a_socket_of_systemd_is_seen():
    # ListenStream= of docker.socket: neither the file nor the flags name the address.
    assert looked("daemon-api-tls", look=examples.daemon(listening=("[::]:2375",))).status == model.FAIL


def test_tls_that_does_not_verify_is_no_tls():
    look = examples.daemon({"hosts": ["tcp://10.0.0.1:2376"], "tlsverify": False}, flags={})
    assert looked("daemon-api-tls", look=look).status == model.FAIL


def test_the_daemons_own_warning_is_seen():
    warning = "[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption."
    assert looked("daemon-api-tls", examples.engine({"Warnings": [warning]})).status == model.FAIL


# 2.11, in docker-bench 2.10: the word that must not be there is empty, so whatever stands in the file passes.


def test_cgroup_parent_of_the_file_is_seen():
    assert looked("daemon-cgroup-parent", look=examples.daemon({"cgroup-parent": "system.slice"})).status == model.FAIL
    assert looked("daemon-cgroup-parent").status == model.PASS


# 2.14, in docker-bench 2.13: every driver but json-file counts as central.


@pytest.mark.parametrize("driver", ["none", "local", "json-file"])
def test_central_logging_is_not_only_not_json_file(driver):
    engine, look = examples.engine({"LoggingDriver": driver}), examples.daemon({"log-driver": driver, "log-opts": {}})
    assert looked("daemon-central-logs", engine, look, Policy(log_drivers=("fluentd",))).status == model.FAIL
    undecided = looked("daemon-central-logs", engine, look)
    assert undecided.status == (model.FAIL if driver == "none" else model.NOT_APPLICABLE)


# 2.15 and 2.10, in docker-bench 2.14 and 2.9: the name of the flag is enough, whatever its value is.


def test_no_new_privileges_equals_false():
    look = examples.daemon(without=("no-new-privileges",), flags={"no-new-privileges": ["false"]})
    engine = examples.engine({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns"]})
    assert looked("daemon-no-new-privileges", engine, look).status == model.FAIL


def test_userns_remap_that_is_empty():
    look = examples.daemon(without=("userns-remap",), flags={"userns-remap": [""]})
    engine = examples.engine({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns", "name=no-new-privileges"]})
    assert looked("daemon-user-namespaces", engine, look).status == model.FAIL


# 2.3: the branch for the file returns before the flags are read; debug is not asked for at all.


def test_log_level_of_the_flag_is_seen():
    assert looked("daemon-log-level", look=examples.daemon(flags={"log-level": ["warn"]})).status == model.FAIL
    assert looked("daemon-log-level", look=examples.daemon({"log-level": "fatal"})).status == model.FAIL


def test_debug_is_no_level_of_info():
    assert looked("daemon-log-level", examples.engine({"Debug": True}), examples.daemon({"debug": True, "log-level": "info"})).status == model.FAIL


# 2.18, in docker-bench 2.17: it looks for profile=default, and engines have said profile=builtin since 23.0.


def test_builtin_seccomp_passes():
    assert looked("daemon-seccomp").status == model.PASS
    old = ["name=apparmor", "name=seccomp,profile=default"]
    assert looked("daemon-seccomp", examples.engine({"SecurityOptions": old, "ServerVersion": "20.10.24"})).status == model.PASS


@pytest.mark.parametrize("profile", [{}, {"syscalls": []}, {"defaultAction": "SCMP_ACT_ALLOW"}, {"defaultAction": "SCMP_ACT_LOG", "syscalls": []}])
def test_a_profile_that_closes_nothing_is_none(profile):
    options = ["name=apparmor", "name=seccomp,profile=/etc/docker/seccomp.json"]
    look = examples.daemon({"seccomp-profile": "/etc/docker/seccomp.json"}, seccomp_profile=profile)
    finding = looked("daemon-seccomp", examples.engine({"SecurityOptions": options}), look)
    assert (finding.status, finding.severity) == (model.FAIL, severity.HIGH)


def test_a_profile_that_cannot_be_read_is_unknown():
    options = ["name=apparmor", "name=seccomp,profile=/etc/docker/seccomp.json"]
    look = examples.daemon({"seccomp-profile": "/etc/docker/seccomp.json"})
    assert looked("daemon-seccomp", examples.engine({"SecurityOptions": options}), look).status == model.UNKNOWN


# Without jq, text is cut at commas: a label decides over icc; and icc:false is not found where the file is on one line.


def test_a_label_does_not_decide_over_icc():
    networks = [examples.put(network) for network in examples.NETWORKS]
    networks[0]["Options"]["com.docker.network.bridge.enable_icc"] = "true"
    look = examples.daemon({"icc": True, "labels": ["icc=false-positive"]})
    assert looked("daemon-icc-off", examples.engine({"Labels": ["icc=false-positive"]}, networks=tuple(networks)), look).status == model.FAIL
    assert looked("daemon-icc-off").status == model.PASS


# 2.5: the networks of loopback that the engine always has are reported.


def test_loopback_is_no_insecure_registry():
    assert looked("daemon-no-insecure-registries").status == model.PASS


# 2.9, 2.13 with jq: lists and objects are compared with texts.


def test_lists_and_objects_are_read_as_such():
    assert looked("daemon-default-ulimits", look=examples.daemon({"default-ulimits": {}})).status == model.FAIL
    assert looked("daemon-default-ulimits").status == model.PASS
    # A list of nothing is no plugin; who may call the API decides whether one is wanted.
    look = examples.daemon({"authorization-plugins": []}, flags={"host": ["tcp://10.0.0.1:2376"]})
    assert looked("daemon-authorization-plugin", look=look).status == model.FAIL


# 2.13: /info names plugins that a reload has dropped.


def test_a_plugin_of_a_flag_is_lost_at_a_reload():
    engine = examples.engine({"Plugins": {"Authorization": ["opa"]}})
    look = examples.daemon(flags={"host": ["fd://"], "authorization-plugin": ["opa"]})
    assert looked("daemon-authorization-plugin", engine, look).status == model.FAIL
    finding = looked("daemon-authorization-survives-reload", engine, look)
    assert (finding.status, finding.severity) == (model.FAIL, severity.HIGH)
    named = examples.daemon({"authorization-plugins": ["opa"]})
    assert looked("daemon-authorization-plugin", engine, named).status == model.PASS
    assert looked("daemon-authorization-survives-reload", engine, named).status == model.PASS


# 2.6, 2.7, 2.12, 4.5: what no release can fail any more is a free point elsewhere.


def test_vacuous_rules_count_for_nothing():
    vacuous = {rule.id for rule in RULES.values() if rule.vacuous}
    assert vacuous == {"daemon-storage-driver-not-aufs", "daemon-storage-driver-not-devicemapper", "daemon-base-size-untouched", "image-has-digest"}
    findings = evaluate.judge([base.subject(model.DAEMON), base.subject(model.IMAGE)], [RULES[name] for name in vacuous])
    assert {finding.status for finding in findings} == {model.PASS}
    assert score.score(findings, vacuous)["percent"] is None


# 2.16: a node of a swarm is said to pass although live-restore is off.


def test_live_restore_does_not_apply_in_a_swarm():
    look = examples.daemon({"live-restore": False})
    assert looked("daemon-live-restore", examples.swarm(), look).status == model.NOT_APPLICABLE
    assert looked("daemon-live-restore", examples.engine({"LiveRestoreEnabled": False}), look).status == model.FAIL


# What dockerd --validate accepts.


@pytest.mark.parametrize(
    "config",
    [
        {"security": {"no-new-privileges": True, "icc": False}},
        {"http-proxy": "http://proxy:3128"},
        {"storage-driver": "bogus"},
        {"log-driver": "bogus"},
        {"features": {"bogus": True}},
        {"default-runtime": "missing"},
        {"icc": False, "iptables": False},
        {"hosts": ["10.0.0.1"]},
    ],
)
def test_what_the_daemon_accepts_and_ignores_is_a_problem(config):
    assert looked("daemon-config-sound", look=examples.daemon(config, flags={})).status == model.FAIL


def test_a_key_that_stands_twice_is_a_problem():
    look = examples.daemon(config_text='{"icc": false, "icc": true}')
    assert looked("daemon-config-sound", look=look).status == model.FAIL


def test_runc_that_is_another_program_is_seen():
    engine = examples.engine({"Runtimes": {"runc": {"path": "/evil"}, "io.containerd.runc.v2": {"path": "runc"}}})
    finding = looked("daemon-runc-is-runc", engine)
    assert (finding.status, finding.severity) == (model.FAIL, severity.HIGH)


def test_a_change_that_waits_for_a_restart_is_seen():
    engine = examples.engine({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"]})
    assert looked("daemon-runs-its-file", engine).status == model.FAIL


@pytest.mark.parametrize(
    "engine",
    [
        examples.engine({"Warnings": ["WARNING: DOCKER_INSECURE_NO_IPTABLES_RAW is set"]}),
        examples.engine(),
    ],
)
def test_opt_outs_of_the_firewall_are_seen(engine):
    look = examples.daemon(None if engine.info["Warnings"] else {"allow-direct-routing": True})
    assert looked("daemon-no-direct-routing", engine, look).status == model.FAIL


def test_direct_routing_is_no_question_before_28():
    assert status("daemon-no-direct-routing", server_version="26.1.5+dfsg1") == model.NOT_APPLICABLE


# 1.2.2 is a remark elsewhere: releases with known holes pass.


def test_releases_with_known_holes_fail():
    version = examples.put(examples.VERSION, Version="29.5.0")
    assert looked("engine-without-known-holes", examples.engine(version=version)).status == model.FAIL


def test_every_runtime_is_looked_at_not_only_the_default():
    different = {"runc_versions": {"/usr/bin/runc": "1.3.6", "/opt/old/runc": "1.1.11"}}
    assert status("runc-without-known-holes", model.HOST, **different) == model.FAIL
    assert status("runc-without-known-holes", model.HOST, runc_versions={"/usr/bin/crun": "1.14"}) == model.NOT_APPLICABLE
    assert status("runc-without-known-holes", model.HOST, runc_versions={"/usr/bin/runc": ""}) == model.UNKNOWN


def test_an_old_release_whose_changelog_nobody_read_is_unknown():
    unread = model.Unknown("the changelog could not be read")
    assert status("runc-without-known-holes", model.HOST, runc_versions={"/usr/bin/runc": "1.1.5+ds1"}, package_backports=unread) == model.UNKNOWN
    assert status("runc-without-known-holes", model.HOST, package_backports=unread) == model.PASS


def test_a_release_candidate_before_the_fix_has_the_hole():
    for version, expected in (("1.4.0-rc.2", model.FAIL), ("1.4.0~rc2", model.FAIL), ("1.5.0-rc.3", model.PASS), ("1.3.6-0ubuntu1", model.PASS)):
        assert status("runc-without-known-holes", model.HOST, runc_versions={"/usr/bin/runc": version}) == expected, version


def test_a_hole_in_authorization_needs_a_plugin():
    different = {"engine_version": "28.5.2"}
    assert status("engine-authorization-without-known-holes", model.HOST, authorization_plugins=(), **different) == model.NOT_APPLICABLE
    assert status("engine-authorization-without-known-holes", model.HOST, **different) == model.FAIL


# 4.7 and 4.9.


def test_copy_of_a_script_is_no_update():
    assert status("image-updates-with-installation", model.IMAGE, history=("COPY update.sh /usr/local/bin/ # buildkit",)) == model.PASS


def test_the_root_filesystem_of_a_base_image_is_no_add():
    assert status("image-copies-files", model.IMAGE) == model.PASS


def test_what_is_fetched_is_worse_than_what_could_be_copied():
    rule = RULES["image-copies-files"]
    for history, reach in ((("ADD https://example.com/x /x",), severity.CONTAINER_ROOT), (("ADD x /x",), severity.HYGIENE)):
        assert evaluate.outcome_of(rule, base.subject(model.IMAGE, history=history)).reach == reach


# 5.1 and section 7.


def test_swarm_needs_somebody_who_wants_it():
    assert looked("swarm-wanted", examples.swarm()).status == model.NOT_APPLICABLE
    assert looked("swarm-wanted", examples.swarm(), policy=Policy(swarm_expected=False)).status == model.FAIL
    assert looked("swarm-wanted", examples.swarm(), policy=Policy(swarm_expected=True)).status == model.PASS
    assert looked("swarm-wanted", examples.engine()).status == model.PASS


def test_leader_count():
    # There is only ever one leader: what counts is who can manage.
    nodes = tuple({"ID": str(number), "ManagerStatus": {"Leader": number == 0, "Reachability": "reachable"}} for number in range(8))
    assert looked("swarm-number-of-managers", examples.swarm(nodes=nodes)).status == model.FAIL
    assert looked("swarm-number-of-managers", examples.swarm()).status == model.PASS


def test_a_worker_is_not_asked_for_what_managers_know():
    worker = examples.engine({"Swarm": {**examples.SWARM_INFO, "ControlAvailable": False, "Managers": 0, "Nodes": 0}})
    for rule in ("swarm-number-of-managers", "swarm-autolock"):
        assert looked(rule, worker).status == model.NOT_APPLICABLE


def test_ingress_is_no_overlay_to_encrypt():
    assert looked("network-overlay-encrypted", examples.swarm(), name="ingress").status == model.NOT_APPLICABLE
    assert looked("network-overlay-encrypted", examples.swarm(), name="shop_back").status == model.PASS


def test_autolock_is_read_without_the_key():
    engine = examples.swarm()
    assert looked("swarm-autolock", engine).status == model.PASS
    assert "SWMKEY" not in repr(engine)
    off = examples.put(examples.SWARM, Spec__EncryptionConfig={"AutoLockManagers": False})
    assert looked("swarm-autolock", examples.swarm(swarm=off)).status == model.FAIL


def test_certificates_of_any_short_life_pass():
    # docker-bench 7.7 knows no other than two days.
    for hours, expected in ((48, model.PASS), (720, model.PASS), (24 * 365, model.FAIL)):
        answer = examples.put(examples.SWARM, Spec__CAConfig={"NodeCertExpiry": hours * 3600 * 10**9})
        assert looked("swarm-certificates-expire", examples.swarm(swarm=answer)).status == expected


def test_one_secret_does_not_excuse_secrets_in_plain_text():
    # docker-bench 7.4 is content with one secret of the swarm.
    service = examples.put(examples.SERVICE, Spec__TaskTemplate__ContainerSpec__Env=["DB_PASSWORD=<secret>"])
    assert looked("swarm-secrets-used", examples.swarm(services=(service,))).status == model.FAIL


# A daemon that does not answer is elsewhere no failure, and what does not apply counts as a pass.


def test_an_engine_that_does_not_answer_passes_nothing():
    found, _context = snapshot.subjects(EngineLook(error="connection refused"), DaemonLook(), {}, Policy())
    findings = evaluate.judge(found, list(RULES.values()))
    assert model.PASS not in {finding.status for finding in findings if finding.kind != model.HOST}
    assert score.coverage(findings)["percent"] < 100


def test_podman_is_not_dockerd():
    finding = looked("daemon-user-namespaces", examples.engine(product="podman"))
    assert (finding.status, finding.reason) == (model.UNKNOWN, "podman answers, not dockerd")
