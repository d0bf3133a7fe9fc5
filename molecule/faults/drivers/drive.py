# SPDX-License-Identifier: Apache-2.0
"""Breaks the lab's hosts, does while they are broken what a phase does, then what the next run does, and notes what was seen.

Usage: drive.py DIRECTORY first|later. Each cell is a line of DIRECTORY/{first,later}.jsonl, which the tests judge. FAULT_CELLS, a pattern
of `fault / phase`, chooses some, and FAULT_HOSTS the hosts, by blanks; what was noted before stays then, and is not tried again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t

import fault_cells
from fault_cells import FAULTS, KEEP, RESTORE, SETUP, Ends, Fault
from fault_matrix import AUDIT, BOOT, CHANGE, CHECK, FIRST, HEALED, MEND, PHASES, REFUSED, RESTART, SECOND
from judge import unhealthy
from lab_driver import Json, Lab, read_reports

PREFIX = "bulkhead-lab-faults-"
HERE = pathlib.Path(__file__).resolve().parent
PROVISION, DRIFT, JUDGE = "bulkhead.docker.provision", "bulkhead.docker.drift", "bulkhead.docker.audit"
PLAYBOOKS = {FIRST: PROVISION, SECOND: PROVISION, CHANGE: str(HERE / "configure.yml"), CHECK: DRIFT, MEND: DRIFT, AUDIT: JUDGE}
#: A change that needs a restart.
SETTINGS = {"raw-logs": True}
CHOSEN = re.compile(os.environ.get("FAULT_CELLS") or ".")
HOSTS = tuple((os.environ.get("FAULT_HOSTS") or " ".join(fault_cells.HOSTS)).split())


@dataclasses.dataclass(frozen=True)
class Try:
    """A cell that is to be tried."""

    name: str
    phase: str
    fault: Fault
    ends: Ends

    @property
    def inject(self) -> str:
        return self.fault.inject if self.ends.inject is None else self.ends.inject

    @property
    def lift(self) -> str:
        return self.fault.lift if self.ends.lift is None and self.ends.inject is None else self.ends.lift or ""

    @property
    def goes_on(self) -> bool:
        """Whether the next run is a mend with the fault still there."""
        mended = self.fault.phases.get(MEND)
        return self.phase == CHECK and mended is not None and mended.outcome == HEALED and mended in (Ends(HEALED), Ends(HEALED, lift=""))

    @property
    def key(self) -> tuple[t.Any, ...]:
        """What has to be the same for cells that are tried at once on different hosts."""
        # One host that fails ends mending for all of its batch.
        fails = (self.ends.cut or self.ends.outcome) if self.phase == MEND else ""
        return (PHASES.index(self.phase), fails, self.ends.cut == "connection", self.ends.twice, self.ends.variables)


class Driver:
    """Tries cells on the hosts and remembers how each host was when it was in order."""

    def __init__(self, lab: Lab, noted: pathlib.Path, disks: dict[str, list[str]]) -> None:
        self.lab = lab
        self.noted = noted
        self.disks = disks
        self.base: dict[str, Json] = {}
        self.judged: dict[str, set[str]] = {}

    # Hosts -----------------------------------------------------------------------------------------------------------

    def on(self, host: str, script: str, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        disk, spare = self.disks[host]
        prelude = f"set -a\nDISK={disk}\nSPARE={spare}\n[ ! -e /opt/faults/env ] || . /opt/faults/env\nset +e\n"
        return self.lab.on(host, prelude + ("set -e\n" if check else "") + script, check, timeout)

    def each(self, hosts: t.Collection[str], work: t.Callable[[str], t.Any]) -> dict[str, t.Any]:
        with concurrent.futures.ThreadPoolExecutor(len(HOSTS)) as pool:
            return dict(zip(hosts, pool.map(work, hosts)))

    def look(self, hosts: t.Collection[str]) -> dict[str, Json]:
        program = (HERE / "look.py").read_text(encoding="utf-8")

        def one(host: str) -> Json:
            done = subprocess.run(
                ["docker", "exec", "--interactive", PREFIX + host, "python3", "-"], input=program, capture_output=True, text=True, timeout=240, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{host}: {done.stderr}")
            return t.cast("Json", json.loads(done.stdout))

        return self.each(hosts, one)

    # What a phase does -----------------------------------------------------------------------------------------------

    def act(self, phase: str, deal: dict[str, Try]) -> dict[str, Json]:
        if phase == RESTART:
            return self.each(deal, self._restart)
        if phase == BOOT:
            return self.each(deal, self._boot)
        tried = next(iter(deal.values()))
        variables = {name: json.loads(value) for name, value in tried.ends.variables}
        if phase == MEND and tried.ends.outcome == REFUSED:
            return {host: told[host] for host, told in self.each(deal, lambda host: self._play(phase, [host], tried, variables)).items()}
        return self._play(phase, list(deal), tried, variables)

    def _play(self, phase: str, hosts: list[str], tried: Try, variables: Json) -> dict[str, Json]:
        if phase == CHANGE:
            variables = {**variables, "docker_daemon_settings": SETTINGS}
        if phase == MEND:
            variables = {**variables, "docker_drift_mend": "all", "docker_drift_serial": "100%"}
        if phase == AUDIT:
            variables = {**variables, "docker_audit_formats": ["json"], "docker_audit_fail_on": "never"}
        runs = [self._begin(phase, hosts, variables) for _time in range(2 if tried.ends.twice else 1)]
        if tried.ends.cut == "connection":
            self._cut(runs[0][0], hosts)
        told: dict[str, Json] = {host: {"refused": False, "said": []} for host in hosts}
        for process, reports, _said in runs:
            process.wait(timeout=1800)
            if tried.ends.cut == "connection":
                return {host: {"refused": process.returncode == -signal.SIGKILL, "said": ["the connection was cut"]} for host in hosts}
            for host, one in self._told(phase, hosts, reports).items():
                told[host]["refused"] = told[host]["refused"] or one["refused"]
                told[host]["said"] += one["said"]
        return told

    def _begin(self, phase: str, hosts: list[str], variables: Json) -> tuple[subprocess.Popen[str], pathlib.Path, pathlib.Path]:
        directory = {"docker_audit_directory": str(self.lab.directory / f"audit-{time.monotonic_ns()}")} if phase == AUDIT else {}
        self._audit = directory.get("docker_audit_directory", "")
        return self.lab.start(PLAYBOOKS[phase], hosts, **variables, **directory)

    def _cut(self, process: subprocess.Popen[str], hosts: list[str]) -> None:
        waiting = set(hosts)
        deadline = time.monotonic() + 1200
        while waiting and process.poll() is None and time.monotonic() < deadline:
            waiting = {host for host in waiting if self.lab.on(host, "test -e /run/lab-moment", check=False).returncode}
        os.killpg(process.pid, signal.SIGKILL)

    def _told(self, phase: str, hosts: list[str], reports: pathlib.Path) -> dict[str, Json]:
        """Return whether each host was refused, and what was said of it."""
        records = [json.loads(line) for path in reports.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
        drift = read_reports(reports)
        found = {}
        for host in hosts:
            mine = [record for record in records if record.get("host") == host and record["type"] == "task"]
            failed = [record for record in mine if (record["failed"] or record["unreachable"]) and not record["ignored"]]
            said = [*(record["said"] for record in failed), *(warning for record in mine for warning in record["warned"])]
            refused = bool(failed)
            if phase in (CHECK, MEND):
                report = drift.get(host) or {}
                refused = refused or report.get("verdict") not in ("clean", "mended")
                said += [entry["what"] for entry in report.get("differences") or () if entry["standing"] != "mended"]
                said += [json.dumps(entry) for entry in report.get("unknown") or ()]
            if phase == AUDIT:
                new = self._findings(host) - self.judged.get(host, set())
                refused = refused or bool(new)
                said += sorted(new)
            found[host] = {"refused": refused, "said": said}
        return found

    def _findings(self, host: str) -> set[str]:
        """Return what the audit does not call good, each as one text."""
        for path in pathlib.Path(self._audit).glob("*.json"):
            for report in json.loads(path.read_text(encoding="utf-8")).get("reports", []):
                if report.get("name") == host:
                    said: list[t.Any] = [[report.get("state"), report.get("problem")], *report.get("coverage", {}).get("unknown", [])]
                    bad = [finding for finding in report.get("findings", []) if finding.get("status") != "pass"]
                    said += [[finding.get(key) for key in ("rule", "status", "reason", "subject")] for finding in bad]
                    return {json.dumps(one) for one in said}
        return set()

    def _restart(self, host: str) -> Json:
        done = self.on(
            host,
            "cursor=$(journalctl --quiet --lines=0 --show-cursor | sed -n 's/^-- cursor: //p')\n"
            "timeout 60 systemctl restart docker.service; status=$?\n"
            "[ $status = 0 ] && timeout 8 docker info >/dev/null; status=$((status + $?))\n"
            "journalctl --sync; journalctl --quiet --output=cat --after-cursor=\"$cursor\" --unit=docker --unit=containerd; exit $status",
            check=False,
        )
        return {"refused": done.returncode != 0, "said": (done.stdout + done.stderr).splitlines()}

    def _boot(self, host: str) -> Json:
        subprocess.run(["docker", "restart", PREFIX + host], capture_output=True, check=True, timeout=120)
        for _attempt in range(60):
            up = subprocess.run(["docker", "exec", PREFIX + host, "systemctl", "is-system-running", "--wait"], capture_output=True, text=True, check=False)
            if up.stdout.strip() in ("running", "degraded"):
                break
            time.sleep(1)
        done = self.on(
            host,
            "systemctl start docker.service; timeout 8 docker info >/dev/null; status=$?; "
            "journalctl --sync; journalctl --quiet --output=cat --boot --unit=docker --unit=containerd; exit $status",
            check=False,
        )
        return {"refused": done.returncode != 0, "said": (done.stdout + done.stderr).splitlines()}

    # Cells -----------------------------------------------------------------------------------------------------------

    def round(self, phase: str, deal: dict[str, Try], heal: t.Callable[[t.Collection[str]], dict[str, list[str]]]) -> None:
        """Try a cell on each of some hosts at once."""
        began = time.monotonic()
        before = {host: {**self.base[host], "invocation": look["invocation"]} for host, look in self.look(deal).items()}
        self.each(deal, lambda host: self.on(host, "rm -f /run/lab-moment; systemctl reset-failed docker.service 2>/dev/null || :\n" + deal[host].inject))
        told = self.act(phase, deal)
        during = self.look(deal)
        self.each({host for host, tried in deal.items() if not tried.goes_on}, lambda host: self.on(host, deal[host].lift, check=False))
        mended = heal(deal)
        after = self.look(deal)
        for host, tried in deal.items():
            seen = {
                "fault": tried.name, "host": host, "cut": bool(tried.ends.cut), "heals": tried.ends.heals, "before": before[host], "after": after[host],
                "seconds": round(time.monotonic() - began, 1),
            }
            lasts = bool(tried.lift) or phase in (CHECK, AUDIT)
            self._note({**seen, **told[host], "phase": phase, "lasts": lasts, "said": "\n".join(told[host]["said"]), "during": during[host]})
            if tried.goes_on:
                # What came next was a mend under the same fault, so it is a cell of its own.
                self._note({**seen, "phase": MEND, "lasts": False, "refused": bool(mended[host]), "said": "\n".join(mended[host]), "during": after[host]})
            if phase == FIRST:
                continue
            left = unhealthy(self.base[host], after[host])
            if left:
                self._restore(host)

    def _note(self, seen: Json) -> None:
        with self.noted.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(seen) + "\n")
        print(f"{seen['fault']} / {seen['phase']} on {seen['host']}: {'refused' if seen['refused'] else 'done'} {seen['seconds']} s", flush=True)

    def _restore(self, host: str) -> None:
        """Make a host whole again by hand, so that the next cell means something."""
        self.on(host, RESTORE, check=False)
        self.mend([host])
        left = unhealthy(self.base[host], self.look([host])[host])
        print(f"{host} was made whole by hand; left: {left}", flush=True)

    def mend(self, hosts: t.Collection[str]) -> dict[str, list[str]]:
        """Do what the next run does, and return what failed on which host."""
        healthy = Try("", MEND, Fault({}), Ends(""))
        told = self._play(MEND, list(hosts), healthy, {})
        if len(hosts) > 1 and any(one["refused"] for one in told.values()):
            # One host that fails ends mending for all of its batch.
            told = {host: one[host] for host, one in self.each(hosts, lambda host: self._play(MEND, [host], healthy, {})).items()}
        return {host: one["said"] if one["refused"] else [] for host, one in told.items()}

    def first(self, tries: list[Try]) -> None:
        """Refusals leave hosts blank, so that others can be tried on them; what heals makes them hosts."""
        refused = [tried for tried in tries if tried.ends.outcome == REFUSED]
        healed = [tried for tried in tries if tried.ends.outcome != REFUSED]
        self.base = self.look(HOSTS)
        for deal in rounds(refused):
            self.round(FIRST, deal, lambda hosts: {})
        if len(healed) > len(HOSTS):
            raise RuntimeError(f"a host is provisioned for the first time only once, and there are {len(healed)} cells for {len(HOSTS)} hosts")
        # A run that is ended takes its whole fleet along, so each host has its own.
        self.each(HOSTS[: len(healed)], lambda host: self.round(FIRST, {host: healed[HOSTS.index(host)]}, self._provision))

    def _provision(self, hosts: t.Collection[str]) -> dict[str, list[str]]:
        self.lab.play(PROVISION, hosts)
        self.each(hosts, lambda host: self.on(host, SETUP))
        self.each(hosts, self._remember)
        return {}

    def _remember(self, host: str) -> None:
        program = (HERE / "look.py").read_text(encoding="utf-8")
        subprocess.run(["docker", "exec", "--interactive", PREFIX + host, "python3", "-", "note"], input=program, text=True, check=True)

    def later(self, tries: list[Try]) -> None:
        unready = [host for host in HOSTS if self.lab.on(host, "test -e /opt/faults/places.json", check=False).returncode]
        self.each(unready, lambda host: self.on(host, SETUP))
        self.each(unready, self._remember)
        self.mend(HOSTS)
        self.each(HOSTS, lambda host: self.on(host, KEEP))
        self.base = self.look(HOSTS)
        if any(tried.phase == AUDIT for tried in tries):
            healthy = Try("", AUDIT, Fault({}), Ends(""))
            self._play(AUDIT, list(HOSTS), healthy, {})
            self.judged = {host: self._findings(host) for host in HOSTS}
        together = {tried.name for tried in tries if tried.goes_on}
        # What costs least comes first, so that what is wrong shows early.
        for phase in sorted(PHASES, key=(CHECK, RESTART, AUDIT, CHANGE, MEND, BOOT, SECOND, FIRST).index):
            mine = sorted((tried for tried in tries if tried.phase == phase and not (phase == MEND and tried.name in together)), key=lambda tried: tried.key)
            for deal in rounds(mine):
                self.round(phase, deal, self.mend)


def rounds(tries: list[Try]) -> t.Iterator[dict[str, Try]]:
    """Deal cells to hosts: those at once that one run can try."""
    waiting = list(tries)
    turn = 0
    while waiting:
        dealt: dict[str, Try] = {}
        for place in range(len(HOSTS)):
            host = HOSTS[(turn + place) % len(HOSTS)]
            keys = {taken.key for taken in dealt.values()}
            fits = [tried for tried in waiting if host in tried.fault.hosts and (not keys or tried.key in keys)]
            # What only this host can show goes first.
            fits.sort(key=lambda tried: len(tried.fault.hosts))
            if fits:
                waiting.remove(fits[0])
                dealt[host] = fits[0]
        turn += 1
        yield dealt


def main() -> None:
    directory, part = pathlib.Path(sys.argv[1]), sys.argv[2]
    runs = directory / f"{part}-{time.time_ns()}"
    runs.mkdir(parents=True)
    noted = directory / f"{part}.jsonl"
    if "FAULT_CELLS" not in os.environ:
        noted.unlink(missing_ok=True)
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    done = {(told["fault"], told["phase"]) for told in map(json.loads, lines)}
    inventory = json.loads((pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.json").read_text(encoding="utf-8"))
    disks = {host: inventory["all"]["hosts"][host]["lab_disks"] for host in HOSTS}
    tries = [Try(name, phase, fault, ends) for name, fault in FAULTS.items() for phase, ends in fault.phases.items() if CHOSEN.search(f"{name} / {phase}")]
    tries = [tried for tried in tries if (tried.name, tried.phase) not in done]
    driver = Driver(Lab(runs, PREFIX, apart=True), noted, disks)
    began = time.monotonic()
    if part == "first":
        driver.first([tried for tried in tries if tried.phase == FIRST])
    else:
        driver.later([tried for tried in tries if tried.phase != FIRST])
    print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
