# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every rule is seen to fail and to pass, says what it asks for in known words, and never passes what nobody looked at."""

from __future__ import annotations

import importlib
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    attack_paths,
    evaluate,
    model,
    registry,
    severity,
    vocabulary,
    waivers,
)
from ansible_collections.bulkhead.docker.tests.unit.posture import base, cis

HERE = pathlib.Path(__file__).parent
ROLES = HERE.parents[2] / "roles"
SUBJECTS = sorted(path.stem for path in (HERE / "subjects").glob("*.py") if path.stem != "__init__")
CASES: dict[str, dict[str, t.Any]] = {}
FILE_OF: dict[str, str] = {}
for _name in SUBJECTS:
    _module = importlib.import_module(f"ansible_collections.bulkhead.docker.tests.unit.posture.subjects.{_name}")
    for _rule, _case in _module.CASES.items():
        assert _rule not in CASES, f"{_rule} has cases in {FILE_OF[_rule]} and in {_name}"
        CASES[_rule] = _case
        FILE_OF[_rule] = _name

EXTRA_RULES = (*attack_paths.RULES, *waivers.RULES)
BY_RULE_AND_KIND = [(rule, kind) for rule in registry.RULES for kind in rule.applies_to]


def named(value: t.Any) -> str:
    return value.id if isinstance(value, model.Rule) else str(value)


def subjects_of(rule: model.Rule, outcome: str) -> list[model.Subject]:
    case = CASES[rule.id]
    found = []
    for different in case[outcome]:
        facts = dict(different)
        kind = facts.pop("kind", case.get("kind", model.CONTAINER if model.CONTAINER in rule.applies_to else rule.applies_to[0]))
        assert kind in rule.applies_to, f"{rule.id} is never asked of a {kind}"
        unknown = set(facts) - set(vocabulary.BY_KIND[kind])
        assert not unknown, f"cases of {rule.id} name facts that a {kind} does not have: {sorted(unknown)}"
        found.append(base.subject(kind, **facts))
    return found


class Asked(model.Subject):
    """A subject that writes down which facts are asked for."""

    __slots__ = ("asked",)

    def __init__(self, subject: model.Subject) -> None:
        super().__init__(subject.kind, subject.name, _Recorder(subject.facts), subject.identity, subject.file, subject.line)
        self.asked = self.facts.asked  # type: ignore[attr-defined]


class _Recorder(dict):  # type: ignore[type-arg]
    def __init__(self, facts: t.Mapping[str, t.Any]) -> None:
        super().__init__(facts)
        self.asked: set[str] = set()

    def get(self, name: str, default: t.Any = None) -> t.Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> t.Any:
        self.asked.add(name)
        return super().__getitem__(name)


def test_every_rule_has_cases_and_every_case_a_rule():
    assert set(CASES) == {rule.id for rule in registry.RULES}


@pytest.mark.parametrize("rule", registry.RULES, ids=named)
def test_a_rule_is_seen_to_fail_and_to_pass(rule):
    for outcome, status in (("fails", model.FAIL), ("passes", model.PASS)):
        subjects = subjects_of(rule, outcome)
        assert subjects, f"{rule.id} has no subject that {outcome}"
        for number, subject in enumerate(subjects):
            found = evaluate.outcome_of(rule, subject)
            assert found.status == status, f"{rule.id}, {outcome}[{number}]: {found}"
            assert found.evidence, f"{rule.id}, {outcome}[{number}] rests on nothing"
            for piece in found.evidence:
                assert piece.source and piece.observed, piece
            assert found.reach in (*severity.REACHES, "")


@pytest.mark.parametrize(("rule", "kind"), BY_RULE_AND_KIND, ids=named)
def test_the_good_subject_fails_nothing(rule, kind):
    found = evaluate.outcome_of(rule, base.subject(kind))
    assert found.status in (model.PASS, model.NOT_APPLICABLE), found
    assert found.status == model.PASS or found.reason


@pytest.mark.parametrize(("rule", "kind"), BY_RULE_AND_KIND, ids=named)
def test_nothing_is_passed_that_nobody_looked_at(rule, kind):
    reason = "nobody looked"
    blind = model.Subject(kind, "web", {name: model.Unknown(reason, "nowhere") for name in vocabulary.BY_KIND[kind]})
    for subject in (blind, model.Subject(kind, "web", {})):
        found = evaluate.outcome_of(rule, subject)
        assert found.status == model.UNKNOWN, found
        assert found.reason
    assert evaluate.outcome_of(rule, blind).reason == reason


@pytest.mark.parametrize(("rule", "kind"), BY_RULE_AND_KIND, ids=named)
def test_a_rule_asks_only_for_facts_of_the_vocabulary(rule, kind):
    subjects = [base.subject(kind), *(subject for outcome in ("fails", "passes") for subject in subjects_of(rule, outcome) if subject.kind == kind)]
    asked: set[str] = set()
    for subject in subjects:
        recording = Asked(subject)
        evaluate.outcome_of(rule, recording)
        asked |= recording.asked
    assert asked, f"{rule.id} asks for nothing, so it cannot fail"
    assert not asked - set(vocabulary.BY_KIND[kind])


def test_the_good_subjects_have_every_fact_and_no_other():
    assert set(base.GOOD) == set(model.KINDS)
    for kind, facts in base.GOOD.items():
        assert set(facts) == set(vocabulary.BY_KIND[kind]), kind


@pytest.mark.parametrize("rule", (*registry.RULES, *EXTRA_RULES), ids=named)
def test_a_rule_is_written_as_reports_show_it(rule):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.id)
    assert rule.attacker in severity.ATTACKERS and rule.reach in severity.REACHES and rule.blast in severity.BLASTS
    assert set(rule.tempered_by) <= set(severity.CONTEXTS)
    assert rule.title and rule.title[-1] not in ".!?" and rule.title[0].isupper()
    assert rule.why.endswith(".") and rule.remedy.endswith((".", "..."))
    assert max(len(text) for text in (rule.title, rule.why, rule.remedy)) < 400
    for text in (rule.title, rule.why, rule.remedy, *rule.references):
        assert text.isprintable() and text.isascii(), text
    assert set(rule.applies_to) <= set(model.KINDS)
    assert len(set(rule.applies_to)) == len(rule.applies_to)


def test_no_two_rules_have_one_id_or_title():
    rules = (*registry.RULES, *EXTRA_RULES)
    assert len({rule.id for rule in rules}) == len(rules)
    assert len({rule.title for rule in rules}) == len(rules)
    assert len(registry.BY_ID) == len(registry.RULES)


@pytest.mark.parametrize("rule", [rule for rule in registry.RULES if rule.variable], ids=named)
def test_the_variable_that_mends_a_rule_exists(rule):
    variable = re.match(r"docker_[a-z]+_[a-z_]+", rule.variable)
    assert variable, rule.variable
    assert variable[0] in _variables(), f"no role has {rule.variable}"


def _variables() -> set[str]:
    found: set[str] = set()
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= set(spec.get("options") or {})
    for path in ROLES.glob("*/defaults/main.yml"):
        found |= set(yaml.safe_load(path.read_text()) or {})
    return found


def test_every_recommendation_that_a_program_can_judge_is_asked_for():
    asked = {number for rule in (*registry.RULES, *EXTRA_RULES) for number in rule.cis_1_8}
    assert not asked - set(cis.ALL)
    missing = [number for number in cis.AUTOMATABLE if number not in asked and number not in cis.NOT_ASKED]
    assert not missing
    assert not [number for number in cis.NOT_ASKED if number in asked], "asked for, and said not to be"
    assert all(cis.NOT_ASKED.values())


def test_the_benchmark_has_as_many_recommendations_as_we_count():
    assert len(cis.ALL) == 118
    assert len(cis.AUTOMATABLE) == 112
    assert set(cis.NOT_ASKED) <= set(cis.AUTOMATABLE)


def test_numbers_of_section_5_are_the_same_in_both_releases():
    for rule in registry.RULES:
        ours = [number for number in rule.cis_1_8 if number.startswith("5.")]
        assert [number for number in rule.cis_1_6 if number.startswith("5.")] == ours, rule.id


def test_severities_are_those_that_follow_from_attacker_and_reach():
    privileged = registry.BY_ID["container-not-privileged"]
    [finding] = evaluate.judge([base.subject(model.CONTAINER, privileged=True)], [privileged], "h1")
    assert finding.severity == severity.CRITICAL
    [tempered] = evaluate.judge([base.subject(model.CONTAINER, privileged=True)], [privileged], "h1", (severity.ROOTLESS,))
    assert tempered.severity == severity.HIGH
