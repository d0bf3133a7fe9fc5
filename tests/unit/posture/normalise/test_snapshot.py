# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a whole look becomes: a provisioned host, one that does not answer, one that answers in part, and nonsense."""

from __future__ import annotations

import dataclasses
import json
import random
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    evaluate,
    model,
    score,
    severity,
    vocabulary,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import snapshot
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import daemon, images, swarm, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import (
    ContainerLook,
    DaemonLook,
    EngineLook,
    Policy,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import examples as container_examples
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = (*daemon.RULES, *versions.RULES, *images.RULES, *swarm.RULES)
VACUOUS = frozenset(rule.id for rule in RULES if rule.vacuous)


def subjects(
    engine: EngineLook | None = None,
    look: DaemonLook | None = None,
    facts: t.Mapping[str, t.Any] | None = None,
    policy: Policy | None = None,
) -> list[model.Subject]:
    return snapshot.subjects(
        engine or examples.engine(), look or examples.daemon(), examples.HOST_FACTS if facts is None else facts, policy or Policy()
    )[0]


def of_kind(found: t.Iterable[model.Subject], kind: str) -> list[model.Subject]:
    return [subject for subject in found if subject.kind == kind]


def judged(found: list[model.Subject]) -> dict[str, set[str]]:
    """Return the statuses of each rule."""
    statuses: dict[str, set[str]] = {}
    for finding in evaluate.judge(found, RULES):
        statuses.setdefault(finding.rule, set()).add(finding.status)
    return statuses


def failing(found: list[model.Subject]) -> set[str]:
    return {rule for rule, statuses in judged(found).items() if model.FAIL in statuses}


def test_a_provisioned_host_fails_what_somebody_has_to_decide_and_nothing_else():
    assert failing(subjects()) == {"daemon-rootless", "daemon-userland-proxy-off"}


def test_an_authorization_plugin_is_wanted_where_others_than_root_call_the_api():
    members = {**examples.HOST_FACTS, "docker_group": model.Fact(("alice",), "getent group docker")}
    assert judged(subjects(facts=members))["daemon-authorization-plugin"] == {model.FAIL}
    assert judged(subjects())["daemon-authorization-plugin"] == {model.NOT_APPLICABLE}
    unseen = {**examples.HOST_FACTS, "docker_group": model.Unknown("the group was not looked at", "getent group docker")}
    assert judged(subjects(facts=unseen))["daemon-authorization-plugin"] == {model.FAIL}


def test_a_provisioned_host_scores_at_least_95_percent_and_everything_of_it_is_known():
    findings = evaluate.judge([subject for subject in subjects() if subject.kind in (model.HOST, model.DAEMON)], RULES)
    assert score.score(findings, VACUOUS)["percent"] >= 95
    assert score.coverage(findings)["percent"] == 100.0
    assert {finding.severity for finding in findings if finding.status == model.FAIL} == {severity.LOW}


def test_what_nobody_decided_does_not_apply_and_says_so():
    findings = {finding.rule: finding for finding in evaluate.judge(subjects(), RULES)}
    for rule in ("daemon-central-logs", "engine-version-wanted", "image-from-trusted-registry", "image-not-old"):
        assert findings[rule].status == model.NOT_APPLICABLE
        assert "nobody decided" in findings[rule].reason
    assert findings["daemon-live-restore"].status == model.PASS


def test_every_subject_has_every_fact_of_its_kind():
    found = subjects(examples.swarm())
    assert {subject.kind for subject in found} == set(model.KINDS) - {model.COMPOSE_SERVICE}
    for subject in found:
        if subject.kind != model.HOST:
            assert set(subject.facts) == set(vocabulary.BY_KIND[subject.kind]), subject.name
        assert set(subject.facts) <= set(vocabulary.BY_KIND[subject.kind])
        for name, fact in subject.facts.items():
            assert isinstance(fact, (Fact, Unknown)), name
            assert fact.source, (subject.kind, name)


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (EngineLook(error="permission denied"), "the engine does not answer: permission denied"),
        (EngineLook(), "no engine answers"),
        (examples.engine(product="podman"), "podman answers, not dockerd"),
    ],
)
def test_an_engine_that_does_noanswer_passes_nothing(engine, reason):
    found = subjects(engine)
    names = {subject.kind: subject.name for subject in found}
    assert names[model.CONTAINER] == "all containers"
    for kind in (model.DAEMON, model.CONTAINER, model.IMAGE, model.NETWORK, model.VOLUME, model.SWARM):
        [subject] = of_kind(found, kind)
        findings = [finding for finding in evaluate.judge([subject], RULES) if finding.rule != "engine-answers"]
        assert {finding.status for finding in findings} <= {model.UNKNOWN}
        assert {finding.reason for finding in findings} <= {reason}
    findings = evaluate.judge(found, RULES)
    # That it is silent is known: a host of which nothing else is known is not without a fault.
    assert judged(found)["engine-answers"] == {model.FAIL}
    assert score.coverage(findings)["percent"] < 20
    assert not any(finding.status == model.PASS for finding in findings if finding.kind != model.HOST)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("containers", model.CONTAINER), ("images", model.IMAGE), ("networks", model.NETWORK), ("volumes", model.VOLUME), ("services", model.SWARM_SERVICE)],
)
def test_a_list_that_was_denied_is_a_subject_of_which_nothing_is_known(name, kind):
    engine = examples.swarm(**{name: (), "errors": {name: "denied"}})
    found = subjects(engine)
    [subject] = of_kind(found, kind)
    assert subject.name == snapshot.ALL[kind]
    assert all(isinstance(fact, Unknown) and "denied" in fact.reason for fact in subject.facts.values())
    assert model.FAIL in judged(found)["engine-answers"]


def test_an_image_that_was_spared_is_no_failure_of_the_engine():
    found = subjects(examples.engine(errors={"images": "3 of 90 images in use were not asked for, to spare the engine"}))
    assert judged(found)["engine-answers"] == {model.PASS}
    assert [subject.name for subject in of_kind(found, model.IMAGE)] == ["registry.example.com/shop/web:1.4"]


def test_a_container_that_could_not_be_inspected_is_unknown():
    found = subjects(examples.engine(containers=(ContainerLook({"Id": "ab", "Name": "/db"}, error="the engine took too long"),)))
    [subject] = of_kind(found, model.CONTAINER)
    assert subject.name == "db"
    assert all(isinstance(fact, Unknown) for fact in subject.facts.values())


def test_info_that_was_denied_leaves_the_daemon_unknown():
    found = subjects(examples.engine(errors={"info": "denied"}))
    statuses = judged(of_kind(found, model.DAEMON))
    assert statuses.pop("engine-answers") == {model.FAIL}
    assert set(map(frozenset, statuses.values())) == {frozenset({model.UNKNOWN})}
    assert all(isinstance(fact, Unknown) for fact in of_kind(found, model.SWARM)[0].facts.values())


def test_context_is_rootless_only_where_the_daemon_is():
    assert snapshot.subjects(examples.engine(), examples.daemon(), {}, Policy())[1] == frozenset()
    options = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]
    rootless = examples.engine({"SecurityOptions": options})
    assert snapshot.subjects(rootless, examples.daemon(), {}, Policy())[1] == {severity.ROOTLESS}


def test_what_the_host_knows_counts_before_what_the_engine_tells():
    [host] = of_kind(subjects(facts={"containerd_version": Fact("1.7.28", "containerd --version")}), model.HOST)
    assert host.value("containerd_version") == "1.7.28"
    [host] = of_kind(subjects(facts={"containerd_version": Unknown("denied")}), model.HOST)
    assert host.value("containerd_version") == "v2.3.6"
    assert host.value("engine_version") == "29.9.0"
    assert host.value("cgroup_version") == 2


def test_what_the_policy_says_is_mended_is_added_to_what_the_changelog_says():
    facts = {"package_backports": Fact({"runc": ("CVE-1",)}, "changelogs")}
    [host] = of_kind(subjects(facts=facts, policy=Policy(mended={"runc": ("CVE-2",), "engine": ("CVE-3",)})), model.HOST)
    assert host.value("package_backports") == {"runc": ("CVE-1", "CVE-2"), "engine": ("CVE-3",)}
    [host] = of_kind(subjects(facts={}, policy=Policy(mended={"engine": ("CVE-3",)})), model.HOST)
    assert host.value("package_backports") == {"engine": ("CVE-3",)}


def test_groups_of_the_sockets_decide_about_the_groups_of_containers():
    facts = {"files": Fact({"/run/docker.sock": FileFacts("socket", 0o660, 0, 998, "root", "docker"), "/etc": FileFacts("directory", gid=0)}, "stat")}
    look = container_examples.look(host__GroupAdd=["998", "0", "audio"])
    [container] = of_kind(subjects(examples.engine(containers=(look,)), facts=facts), model.CONTAINER)
    assert container.value("api_socket_groups") == ("998",)
    [container] = of_kind(subjects(examples.engine(containers=(look,)), facts={}), model.CONTAINER)
    assert isinstance(container.facts["api_socket_groups"], Unknown)


def test_an_image_is_used_by_its_id_and_by_its_name_only_where_the_id_is_in_no_list():
    newer = examples.put(examples.IMAGE, Id="sha256:" + "99" * 32)
    older = examples.put(examples.IMAGE, RepoTags=[], RepoDigests=[])
    found = {subject.identity["id"]: subject.value("used") for subject in of_kind(subjects(examples.engine(images=(newer, older))), model.IMAGE)}
    assert found == {newer["Id"]: False, older["Id"]: True}
    # With containerd's store the id of a container's image can be that of another manifest.
    [only] = of_kind(subjects(examples.engine(images=(newer,), containers=(container_examples.look(),))), model.IMAGE)
    assert only.value("used") is True


def test_plugins_that_anything_names_are_used():
    look = examples.daemon(flags={"authorization-plugin": ["opa"]})
    [host] = of_kind(subjects(look=look), model.HOST)
    assert host.value("authorization_plugins") == ("opa",)
    [host] = of_kind(subjects(EngineLook(error="x"), DaemonLook(config_error="denied")), model.HOST)
    assert isinstance(host.facts["authorization_plugins"], Unknown)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("\ud800<script>\x1b[31m"))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=12)


GARBAGE: tuple[t.Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, "", "x", "\ud800<script>\x1b[31m", "y" * 100_000),
    *([], {}, [[]], {"": {}}, [None, 1, "x"], {"Name": 5}),
)
ODD_FLAGS = {"log-level": ["x"], "icc": ["maybe"], "default-ulimit": [""], "network-diagnostic-port": ["-"], "log-opt": ["x"]}


def mutilated(answer: t.Any, chance: random.Random) -> t.Any:
    """Return an answer in which some values are anything, and some are missing."""
    if chance.random() < 0.06:
        return chance.choice(GARBAGE)
    if isinstance(answer, dict):
        return {name: mutilated(value, chance) for name, value in answer.items() if chance.random() > 0.04}
    if isinstance(answer, (list, tuple)):
        return [mutilated(item, chance) for item in answer]
    return answer


def _rows(answer: t.Any) -> tuple[t.Any, ...]:
    # What the collector never lets through is a row that is no object.
    return tuple(row for row in answer if isinstance(row, dict)) if isinstance(answer, list) else ()


def _object(answer: t.Any) -> dict[str, t.Any]:
    return answer if isinstance(answer, dict) else {}


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_whatever_the_engine_answers_every_rule_has_an_outcome(seed):
    chance = random.Random(seed)
    whole = examples.swarm()
    engine = dataclasses.replace(
        whole,
        info=_object(mutilated(whole.info, chance)),
        version=_object(mutilated(whole.version, chance)),
        images=_rows(mutilated(list(whole.images), chance)),
        networks=_rows(mutilated(list(whole.networks), chance)),
        volumes=_rows(mutilated(list(whole.volumes), chance)),
        swarm=chance.choice([None, _object(mutilated(whole.swarm, chance))]),
        nodes=_rows(mutilated(list(whole.nodes), chance)),
        services=_rows(mutilated(list(whole.services), chance)),
        containers=(ContainerLook(_object(mutilated(whole.containers[0].inspect, chance))),),
    )
    config = _object(mutilated(examples.CONFIG, chance))
    listening = chance.choice([None, (), ("0.0.0.0:2375",), ("x", "[::]", ":", "[::1]:7946")])
    flags = chance.choice([{"host": ["fd://"]}, ODD_FLAGS])
    text = chance.choice(["", "{", '{"icc": false}', "[" * 400, json.dumps(config)])
    look = DaemonLook(config=config, config_text=text, listening=listening, flags=flags, swarm_state=_object(mutilated({"ListenAddr": "x"}, chance)))
    found, _context = snapshot.subjects(engine, look, {}, Policy(trusted_registries=("registry.example.com",), image_max_age_days=9))
    for finding in evaluate.judge(found, RULES):
        assert finding.status in model.STATUSES
        assert finding.status not in (model.UNKNOWN, model.NOT_APPLICABLE) or finding.reason


@given(JSON.filter(lambda value: isinstance(value, dict)))
@settings(max_examples=150, deadline=None)
def test_an_answer_of_another_shape_altogether_is_unknown(answer):
    engine = EngineLook(
        product="docker",
        info=answer,
        version=answer,
        images=(answer,),
        networks=(answer,),
        volumes=(answer,),
        swarm=answer,
        nodes=(answer,),
        services=(answer, {"Spec": answer}, {"Spec": {"TaskTemplate": {"ContainerSpec": answer}}}),
    )
    found, _context = snapshot.subjects(engine, DaemonLook(config=answer), {}, Policy())
    evaluate.judge(found, RULES)
