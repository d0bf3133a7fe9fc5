# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What leaves a host and what stays is decided from the manifest and from what is there, and a second look finds nothing to do."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import uninstall
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.uninstall import Config, Host, Wanted

OVERLAY = "/var/lib/docker/100000.100000/overlay2"
GUARD = "/usr/local/lib/bulkhead/mount-guard"
FILE = {"type": "regular file", "sha256": "a" * 64, "mode": "0644", "owner": "0:0"}
SECTIONS = {
    "docker_userns": {
        "ranges:dockremap": {"uid": ["100000:65536"], "gid": ["100000:65536"], "_ours": True},
        "account:dockremap": {"type": "present", "uid": ["100000:65536"], "gid": ["100000:65536"], "_ours": True},
    },
    "docker_storage": {
        f"file:{GUARD}": FILE,
        f"mount:{OVERLAY}": {"type": "mounted", "hidden": False, "root": "/", "uuid": "u1", "options": ["rw"]},
        f"fstab:{OVERLAY}": {"type": "present", "line": f"UUID=u1 {OVERLAY} xfs nodev 0 0"},
        f"mount_point:{OVERLAY}": {"immutable": True, "shadowed": []},
        "directory:/var/lib/docker": {"type": "directory", "on": "/", "mode": "0710", "owner": "0:100000"},
    },
    "docker_engine": {
        "package:docker.io": {"type": "installed", "version": "26", "held": True, "_ours": True},
        "package:runc": {"type": "installed", "version": "1", "held": True},
        "file:/etc/apt/keyrings/bulkhead-docker.asc": FILE,
        "foreign_file:/usr/lib/systemd/system/docker.service": FILE,
    },
    "docker_daemon": {
        "file:/etc/docker/daemon.json": FILE,
        "file:/etc/docker/seccomp-bulkhead.json": FILE,
        "directory:/etc/docker": {"type": "directory"},
        "directory:/var/lib/bulkhead": {"type": "directory"},
        "file:/etc/systemd/system/containers.slice": FILE,
        "unit:containers.slice": {"type": "loaded", "fragment": "/etc/systemd/system/containers.slice"},
        "unit:docker.service": {"type": "loaded", "fragment": "/usr/lib/systemd/system/docker.service", "active": "active"},
        "sysctl:net.ipv4.ip_forward": {"value": "1"},
        "firewall:iptables": {"missing": [], "_rules": ["filter chain DOCKER"]},
    },
}
BEFORE = Manifest("m", {role: Section("i", "1", "t", items) for role, items in SECTIONS.items()})
SEEN = {thing: dict(state) for items in SECTIONS.values() for thing, state in items.items()}
SEEN["unit:containers.slice"].update(active="active", enabled="static")
CONFIG = Config(
    "/etc/docker/daemon.json",
    {"icc": False, "data-root": "/var/lib/docker", "debug": True},
    {"icc": False, "data-root": "/var/lib/docker"},
    ("data-root", "icc"),
)
HOST = Host(engine=True, runs=True, config=CONFIG, holding={"/var/lib/docker": "2 volumes"}, guards=(GUARD,), files=("daemon.json",))


def planned(wanted=None, host=HOST, before=BEFORE, **seen):
    return uninstall.plan(before, {**SEEN, **seen}, host, wanted or Wanted())


def verbs(plan):
    return [(step.verb, step.name) for step in plan.steps]


def test_data_stay_and_docker_goes():
    plan = planned()
    assert plan.problems == ()
    found = verbs(plan)
    assert ("stop_docker", "docker") in found and ("start_docker", "docker") not in found
    assert ("file", GUARD) in found and ("file", "/etc/apt/keyrings/bulkhead-docker.asc") in found
    assert [step.values for step in plan.steps if step.verb == "package"] == [{"names": ["docker.io"], "purge": False}]
    assert not {verb for verb, _name in found} & {"empty", "unmount", "fstab", "bare", "purge", "image", "ranges", "account"}
    assert set(plan.kept) == {
        "ranges:dockremap",
        "account:dockremap",
        f"mount:{OVERLAY}",
        f"fstab:{OVERLAY}",
        f"mount_point:{OVERLAY}",
        "directory:/var/lib/docker",
        "package:runc",
    }
    assert {thing for section in plan.remaining.sections.values() for thing in section.items} == set(plan.kept)
    assert [step.values["config"] for step in plan.steps if step.verb == "keys"] == [{"debug": True}]
    assert any("ip_forward" in note for note in plan.notes)


def test_units_stop_before_their_files_go_and_docker_before_its_packages():
    order = [verb for verb, _name in verbs(planned())]
    assert order.index("disable") < order.index("file")
    assert order.index("stop_docker") < order.index("package") < order.index("file")
    assert order[-1] == "state"


def after(plan):
    """What is there when the plan has been carried out."""
    gone = {"type": "absent"}
    seen = {thing: dict(gone) for thing in SEEN}
    seen.update({thing: dict(SEEN[thing]) for thing in plan.kept if thing in SEEN})
    for thing in plan.kept:
        if thing.startswith("package:"):
            seen[thing]["held"] = False
    return seen


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(packages="keep"), Wanted(data="unmount"), Wanted(data="remove", packages="all")])
def test_a_second_run_has_nothing_to_do(wanted):
    first = planned(wanted)
    stays = wanted.packages == "keep"
    config = next((step.values["config"] for step in first.steps if step.verb == "keys"), {})
    seen = after(first)
    if not stays:
        seen["file:/etc/docker/daemon.json"] = {"type": "absent"} if not config else dict(FILE)
    host = dataclasses.replace(
        HOST,
        engine=stays,
        runs=stays,
        config=dataclasses.replace(CONFIG, now=config, managed=("data-root",) if stays else ()),
        files=("daemon.json",) if stays else (),
        holding={} if wanted.data == "remove" else HOST.holding,
    )
    if wanted.data == "unmount":
        for kind in ("mount", "fstab"):
            seen[f"{kind}:{OVERLAY}"] = {"type": "absent"}
    second = uninstall.plan(first.remaining, seen, host, wanted)
    assert verbs(second) == []
    assert second.remaining == first.remaining
    assert set(second.kept) == set(first.kept)


def test_a_file_of_somebody_stays_and_is_named():
    plan = planned(**{f"file:{GUARD}": {**FILE, "sha256": "b" * 64}, "file:/etc/systemd/system/containers.slice": {**FILE, "type": "symbolic link"}})
    assert ("file", GUARD) not in verbs(plan)
    assert "somebody else's" in plan.kept[f"file:{GUARD}"]
    assert ("disable", "containers.slice") not in verbs(plan)


def test_a_file_below_a_place_of_others_is_not_removed():
    plan = planned(host=dataclasses.replace(HOST, exposed=(GUARD,)))
    assert ("file", GUARD) not in verbs(plan)
    assert "by hand" in plan.kept[f"file:{GUARD}"]


def test_where_docker_stays_it_keeps_its_places_and_its_guards():
    plan = planned(Wanted(packages="keep"))
    found = verbs(plan)
    assert ("start_docker", "docker") in found and ("stop_docker", "docker") not in found
    assert ("file", GUARD) not in found and f"file:{GUARD}" in plan.kept
    keys = next(step for step in plan.steps if step.verb == "keys")
    assert keys.values == {"config": {"data-root": "/var/lib/docker", "debug": True}, "stayed": ["data-root"]}
    assert not any(verb in ("firewall", "state") for verb, _name in found)
    assert ("unhold", "docker.io") in found
    # A later run that takes Docker away has to know of them.
    assert "firewall:iptables" in plan.kept


def test_a_key_with_another_value_is_somebodys():
    config = dataclasses.replace(
        CONFIG,
        now={"icc": True, "log-opts": {"max-size": "1m", "tag": "x"}},
        good={"icc": False, "log-opts": {"max-size": "1m"}},
        managed=("icc", "log-opts.max-size"),
    )
    assert uninstall.without_ours(config, False) == (
        {"icc": True, "log-opts": {"tag": "x"}},
        {"icc": "has another value than was written, so it is somebody else's now"},
    )


def test_containers_are_only_stopped_when_asked():
    host = dataclasses.replace(HOST, containers=("web",))
    plan = planned(host=host)
    assert plan.steps == () and plan.remaining == BEFORE
    assert "web" in str(plan.problems[0])
    assert verbs(planned(Wanted(stop_containers=True), host=host))[0] == ("stop_containers", "docker")


def test_docker_never_goes_on_without_its_data():
    plan = planned(Wanted(data="unmount", packages="keep"))
    assert plan.steps == () and "without its data" in str(plan.problems[0])


def test_filesystems_are_put_away_with_everything_on_them():
    plan = planned(Wanted(data="unmount"))
    found = verbs(plan)
    assert [verb for verb, name in found if name == OVERLAY] == ["unmount", "fstab", "bare"]
    assert not {"empty", "purge"} & {verb for verb, _name in found}
    assert "u1" in plan.kept[f"mount:{OVERLAY}"] and "UUID=u1" in plan.kept[f"mount:{OVERLAY}"]


def test_data_that_are_given_up_go_from_the_inside_out():
    plan = planned(Wanted(data="remove"))
    order = [verb for verb, _name in verbs(plan)]
    assert next(step for step in plan.steps if step.verb == "empty").values == {"uuid": "u1", "all": True}
    assert order.index("stop_docker") < order.index("empty") < order.index("unmount") < order.index("fstab") < order.index("bare") < order.index("purge")
    assert {"ranges", "account"} <= set(order)
    assert next(step for step in plan.steps if step.verb == "package").values["purge"] is True
    assert set(plan.kept) == {"package:runc"}


@pytest.mark.parametrize(
    "packages, foreign, purges",
    [
        ("docker.io", {"/var/lib/docker": ["backup.tar"]}, False),
        ("docker.io", {"/srv/docker": [], "/var/lib/docker": ["overlay2", "volumes"]}, False),
        ("docker.io", {"/srv/docker": ["backup.tar"], "/var/lib/docker": []}, True),
        ("docker.io", {"/var/lib/docker": ["nuke-graph-directory.sh"]}, True),
        ("docker-ce", {"/var/lib/docker": ["backup.tar"]}, True),
    ],
)
def test_a_purge_takes_nothing_along_that_is_not_dockers(packages, foreign, purges):
    state = {"type": "installed", "version": "26", "_ours": True}
    before = Manifest("m", {"docker_engine": Section("i", "1", "t", {f"package:{packages}": state})})
    plan = uninstall.plan(before, {f"package:{packages}": state}, Host(engine=True, foreign=foreign), Wanted(data="remove"))
    assert next(step for step in plan.steps if step.verb == "package").values == {"names": [packages], "purge": purges}
    assert bool([note for note in plan.notes if "would take along" in note]) is not purges


@pytest.mark.parametrize("change", [{"uuid": "u2"}, {"hidden": True}, {"root": "/other"}])
@pytest.mark.parametrize("data, holding", [("unmount", HOST.holding), ("remove", {})])
def test_another_filesystem_is_never_touched(change, data, holding):
    plan = planned(Wanted(data=data), dataclasses.replace(HOST, holding=holding), **{f"mount:{OVERLAY}": {**SEEN[f"mount:{OVERLAY}"], **change}})
    assert not [step for step in plan.steps if step.name == OVERLAY]
    assert "another filesystem" in plan.kept[f"mount:{OVERLAY}"]


def test_another_filesystem_among_the_data_is_refused_before_any_of_them_goes():
    plan = planned(Wanted(data="remove"), **{f"mount:{OVERLAY}": {**SEEN[f"mount:{OVERLAY}"], "uuid": "u2"}})
    assert plan.steps == () and plan.remaining == BEFORE
    assert "lies among the data, and another filesystem is mounted there" in str(plan.problems[0])


def test_data_behind_a_link_are_known_and_not_said_to_be_gone():
    host = dataclasses.replace(HOST, links={"/var/lib/docker": "/srv/docker"})
    plan = planned(Wanted(data="remove"), host=host)
    assert plan.steps == () and plan.remaining == BEFORE
    assert "is a symbolic link to /srv/docker, which holds 2 volumes" in str(plan.problems[0])
    assert "directory:/var/lib/docker" in planned(host=host).kept


def test_a_line_of_fstab_that_somebody_changed_stays():
    plan = planned(Wanted(data="unmount"), **{f"fstab:{OVERLAY}": {"type": "present", "line": f"UUID=u1 {OVERLAY} xfs ro 0 0"}})
    assert ("fstab", OVERLAY) not in verbs(plan)
    assert plan.kept[f"fstab:{OVERLAY}"] == "somebody has changed the line"


def test_nothing_is_removed_that_others_need_or_have_mounted():
    assert "portainer" in str(planned(host=dataclasses.replace(HOST, dependents=("portainer",))).problems[0])
    assert "/var/lib/docker/x" in str(planned(Wanted(data="remove"), dataclasses.replace(HOST, mounted=("/var/lib/docker/x",))).problems[0])


def test_ids_that_were_there_before_stay():
    sections = {**SECTIONS, "docker_userns": {thing: {k: v for k, v in state.items() if k != "_ours"} for thing, state in SECTIONS["docker_userns"].items()}}
    before = Manifest("m", {role: Section("i", "1", "t", items) for role, items in sections.items()})
    plan = planned(Wanted(data="remove"), before=before)
    assert not {"ranges", "account"} & {verb for verb, _name in verbs(plan)}
    assert "not known to come" in plan.kept["ranges:dockremap"]


@pytest.mark.parametrize("source", ["UUID=u1", "/var/lib/bulkhead/loop/data-root.img"])
@pytest.mark.parametrize("foreign", [["backup.tar"], []])
def test_what_is_not_dockers_stays_on_a_filesystem_of_the_data_root(source, foreign):
    root = "/var/lib/docker"
    items = {
        f"mount:{root}": {**SEEN[f"mount:{OVERLAY}"]},
        f"fstab:{root}": {"type": "present", "line": f"{source} {root} xfs rw 0 0"},
        f"directory:{root}": {"type": "directory", "on": root},
    }
    host = Host(engine=True, runs=True, holding={root: "2 volumes"}, foreign={root: foreign})
    plan = uninstall.plan(Manifest("m", {"docker_storage": Section("i", "1", "t", items)}), items, host, Wanted(data="remove"))
    assert next(step for step in plan.steps if step.verb == "empty").values["all"] is False
    assert (("image", source) in verbs(plan)) is (source.startswith("/") and not foreign)
    assert bool([note for note in plan.notes if source in note]) is bool(foreign)


def test_images_of_filesystems_go_with_the_data():
    line = f"/var/lib/bulkhead/loop/overlay2.img {OVERLAY} xfs loop 0 0"
    sections = {**SECTIONS, "docker_storage": {**SECTIONS["docker_storage"], f"fstab:{OVERLAY}": {"type": "present", "line": line}}}
    before = Manifest("m", {role: Section("i", "1", "t", items) for role, items in sections.items()})
    plan = planned(Wanted(data="remove"), before=before, **{f"fstab:{OVERLAY}": {"type": "present", "line": line}})
    assert ("image", "/var/lib/bulkhead/loop/overlay2.img") in verbs(plan)


def test_data_outside_of_a_layout_are_remembered_for_a_later_run():
    before = Manifest("m", {"docker_daemon": Section("i", "1", "t", {"file:/etc/docker/daemon.json": FILE})})
    first = uninstall.plan(before, SEEN, dataclasses.replace(HOST, holding={"/srv/docker": "1 volume"}), Wanted())
    assert uninstall.data_directories(first.remaining) == ("/srv/docker",)


def test_a_filesystem_that_dockerd_has_unmounted_is_mounted_again():
    lost = {f"mount:{OVERLAY}": {"type": "absent"}}
    assert ("mount", OVERLAY) in verbs(planned(**lost))
    order = [verb for verb, name in verbs(planned(Wanted(data="remove"), **lost)) if name == OVERLAY]
    assert order == ["mount", "empty", "unmount", "fstab", "bare"]
    assert ("mount", OVERLAY) not in verbs(planned(Wanted(data="unmount"), **lost))
    # dockerd does so when it stops here, too.
    assert next(step for step in planned().steps if step.verb == "stop_docker").values["mounted"] == [OVERLAY]


@pytest.mark.parametrize(
    "leaves, orphans, wanted, stops",
    [
        (["docker.io"], (), Wanted(), False),
        (["docker.io"], ("containerd",), Wanted(), True),
        (["docker-ce", "containerd.io"], (), Wanted(), True),
        ([], (), Wanted(data="remove"), True),
        (["docker.io"], (), Wanted(data="remove"), False),
    ],
)
def test_containerd_goes_on_where_only_docker_goes(leaves, orphans, wanted, stops):
    items = {f"package:{name}": {"type": "installed", "version": "1", "_ours": name in leaves} for name in leaves or ["docker.io"]}
    before = Manifest("m", {"docker_engine": Section("i", "1", "t", items)})
    host = Host(engine=True, runs=True, orphans=orphans, holding={"/var/lib/docker": "2 volumes"})
    plan = uninstall.plan(before, items, host, wanted)
    assert next(step for step in plan.steps if step.verb == "stop_docker").values["containerd"] is stops


def test_a_filesystem_without_its_line_is_not_mounted():
    seen = {f"mount:{OVERLAY}": {"type": "absent"}, f"fstab:{OVERLAY}": {"type": "present", "line": "LABEL=x /y xfs rw"}}
    plan = planned(Wanted(data="remove"), **seen)
    assert not {"mount", "empty"} & {verb for verb, _name in verbs(plan)}
    assert "stays" in plan.kept[f"mount:{OVERLAY}"]
    # Nor do the ids go that own what is on it.
    assert not {"ranges", "account"} & {verb for verb, _name in verbs(plan)}
    assert OVERLAY in plan.kept["ranges:dockremap"] and OVERLAY in plan.kept["account:dockremap"]
