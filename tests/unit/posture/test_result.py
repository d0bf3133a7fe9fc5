# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    checks,
    evaluate,
    model,
    result,
    severity,
    waivers,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    Evidence,
    Fact,
    Rule,
    Subject,
    Unknown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.plain import printable


def rule(name="a-rule", check=None, **more):
    values = {
        "id": name,
        "title": "It is so",
        "why": "Otherwise it is not.",
        "applies_to": (model.CONTAINER,),
        "check": check or checks.is_value("privileged", False),
        "attacker": severity.FROM_CONTAINER,
        "reach": severity.HOST_ROOT,
        "remedy": "Make it so.",
        "blast": severity.RECREATE,
        **more,
    }
    return Rule(**values)


def subject(name="web", identity=None, **facts):
    known = {key: value if isinstance(value, (Fact, Unknown)) else Fact(value, f"source of {key}") for key, value in facts.items()}
    return Subject(model.CONTAINER, name, known, identity or {})


RULES = (rule(), rule("items", checks.no_items("cap_add", lambda name: name == "SYS_ADMIN", "none"), reach=severity.HOST_PART))
GOOD = subject("good", privileged=False, cap_add=())
BAD = subject("bad", privileged=True, cap_add=("SYS_ADMIN",))
BLIND = subject("blind", privileged=Unknown("nobody looked"), cap_add=())


def conclude(*subjects, **options):
    return result.conclude(subjects, rules=RULES, **options)


def test_all_of_it():
    found = conclude(GOOD, BAD, BLIND, host="h")
    assert [(item["subject"], item["rule"], item["status"]) for item in found["findings"]] == [
        ("bad", "a-rule", "fail"),
        ("bad", "items", "fail"),
        ("blind", "a-rule", "unknown"),
    ]
    assert {item["host"] for item in found["findings"]} == {"h"}
    assert found["score"]["counts"] == {"pass": 3, "fail": 2, "unknown": 1, "not-applicable": 0}
    assert found["coverage"]["unknown"] == [{"reason": "nobody looked", "count": 1}]
    assert (found["waived"], found["subjects"], found["stopped"]) == (0, {"container": 3}, [])


def test_what_is_returned_decides_nothing():
    few = conclude(GOOD, BAD, BLIND, include=("pass",), fail_on="critical")
    assert {item["status"] for item in few["findings"]} == {"pass"}
    assert few["score"] == conclude(GOOD, BAD, BLIND)["score"]
    assert len(few["stopped"]) == 1


def test_attack_paths_are_no_part_of_the_score():
    leaky = subject("leaky", privileged=True, cap_add=(), pid_mode="host", capabilities=frozenset({"SYS_PTRACE"}), uid=0, uid_mapped=False)
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths

    judged = evaluate.judge([leaky], RULES)
    paths = attack_paths.find([leaky], judged)
    found = conclude(leaky)
    assert len(found["findings"]) == sum(1 for item in judged if item.status in result.DEFAULT_INCLUDE) + len(paths)
    assert sum(found["score"]["counts"].values()) == len(judged)


def accepted(**more):
    found, problems = waivers.parse([{"rule": "a-rule", "owner": "o", "reason": "r", "expires": "2027-01-31", **more}], {"a-rule"})
    assert problems == []
    return found


def test_waivers():
    found = conclude(BAD, waivers=accepted(), today=datetime.date(2027, 1, 31), fail_on="critical")
    assert (found["waived"], found["stopped"]) == (1, [])
    late = conclude(BAD, waivers=accepted(), today=datetime.date(2027, 2, 1), fail_on="critical")
    assert late["waived"] == 0 and len(late["stopped"]) == 1
    with pytest.raises(ValueError, match="without the day"):
        conclude(BAD, waivers=accepted())


def test_sentences_are_in_order_and_fit_for_a_terminal():
    sentences = conclude(subject("a\x1b[2J", privileged=True, cap_add=("SYS_ADMIN",)), fail_on="low")["stopped"]
    assert sentences == [
        "[critical] a-rule, container a\\x1b[2J: found yes, expected no. Make it so.",
        "[high] items, container a\\x1b[2J: found SYS_ADMIN, expected none. Make it so.",
    ]


def test_a_message_has_an_end():
    one = result.message(["x."])
    assert one == "1 failure is at least as bad as fail_on allows, the worst first:\nx."
    many = result.message([f"{number}." for number in range(100)]).splitlines()
    assert (len(many), many[-1]) == (22, "... and 80 more in findings.")


def test_findings_come_back_from_what_was_returned():
    judged = evaluate.judge([GOOD, BAD, BLIND], RULES, "h")
    assert result.from_dicts([finding.as_dict() for finding in judged]) == judged
    waived = judged[0]._replace(waiver={"owner": "a"}, evidence=(Evidence("s", "o", "e", "f", 3),))
    assert result.from_dicts([waived.as_dict()]) == [waived]


@pytest.mark.parametrize("line", [-1, "5", None, 1.5, [1]])
def test_odd_values_of_findings(line):
    odd = {"rule": "r", "severity": "low", "status": "fail", "line": line, "evidence": ["x", {"observed": 5}], "cis_1_8": "5.1", "waiver": "x"}
    (found,) = result.from_dicts([odd])
    assert (found.line, found.evidence, found.cis_1_8, found.waiver, found.subject) == (0, (Evidence("", "5"),), (), None, "")


def test_every_rule_can_be_waived():
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths, registry

    assert set(registry.BY_ID) <= result.RULE_IDS
    assert {rule.id for rule in attack_paths.RULES} <= result.RULE_IDS


# What is known in part (evaluate.outcome_of).


def outcome(partly):
    fact = Unknown("depends on ${X}", "file", None if partly is None else Fact(partly, "file", "c.yml", 3))
    return evaluate.outcome_of(RULES[1], subject(cap_add=fact))


def test_a_failure_in_the_known_part_is_a_failure():
    found = outcome(("CHOWN", "SYS_ADMIN"))
    assert (found.status, found.evidence[0].observed, found.evidence[0].line) == (model.FAIL, "SYS_ADMIN", 3)


@pytest.mark.parametrize("partly", [None, (), ("CHOWN",)])
def test_the_rest_is_unknown_never_a_pass(partly):
    assert outcome(partly)[:1] + outcome(partly)[2:3] == (model.UNKNOWN, "depends on ${X}")


def test_another_unknown_fact_stays_one():
    both = rule(check=lambda item: checks.failed(item.fact("privileged"), "no") if item.value("cap_add") else checks.passed(item.fact("privileged"), "no"))
    facts = {"cap_add": Unknown("a", "", Fact(("X",), "")), "privileged": Unknown("b")}
    assert evaluate.outcome_of(both, subject(**facts)).reason == "a"


# Lines of single items (checks.evidence).


class Placed(str):
    file, line = "c.yml", 9


def test_evidence_has_the_line_of_the_item():
    assert checks.evidence(Fact((Placed("a"), "b"), "s", "c.yml", 3), "none")[3:] == ("c.yml", 9)
    assert checks.evidence(Fact(("a",), "s", "c.yml", 3), "none")[3:] == ("c.yml", 3)
    assert checks.evidence(Fact((), "s", "c.yml", 3), "none")[3:] == ("c.yml", 3)
    assert checks.evidence(Fact("x", "s"), "none", (Placed("a"),))[3:] == ("", 0)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a b", "a b"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb", "a\\x0ab"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("\u20ac", "\u20ac"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


def test_printable_is_bounded():
    assert printable("x" * 5000) == "x" * 1999 + "\u2026"
