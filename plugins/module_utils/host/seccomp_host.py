# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What seccomp needs from a host: its machine, its libseccomp, the text of a profile, and two containers for the probe.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import io
import os
import tarfile
import typing as t
import uuid

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import Calls
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, libseccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError, DockerApi

_NAME = "bulkhead-seccomp-probe"
_LABEL = "bulkhead.seccomp-probe"
_PROGRAM = "/bulkhead-seccomp-probe"
# Seconds in which a few hundred system calls are made, on a host that is busy starting other containers.
_TIMEOUT = 20


class Run(t.NamedTuple):
    """What a container of the probe printed, and why it did not start, empty when it did."""

    output: bytes
    failure: str


class SeccompHost:
    """The host, as far as seccomp is concerned."""

    def machine(self) -> Machine:
        """Return what decides which rules count."""
        system = os.uname()
        return Machine(system.machine, system.release)

    def calls(self, names: t.Iterable[str]) -> tuple[Calls | None, str]:
        """Return what libseccomp knows of the given calls, or None and the reason why it cannot be asked."""
        return libseccomp.calls(names)

    def text(self, path: str) -> str | None:
        """Return the text of somebody's profile, or None where it cannot be read."""
        try:
            return files.read_text(os.path.realpath(path))
        except files.FileError:
            return None

    def run(self, api: DockerApi, program: bytes) -> tuple[Run, Run]:
        """Run a program in a container under the daemon's profile and in one without a filter; leave nothing behind.

        Raises:
            ApiError: the containers could not be made; that says nothing about the profile.
        """
        _sweep(api)
        image = f"{_NAME}:{uuid.uuid4().hex}"
        try:
            _import(api, image, program)
            free = _contained(api, image, ["seccomp=unconfined"])
            return _contained(api, image, []), free
        finally:
            _sweep(api)


def _import(api: DockerApi, image: str, program: bytes) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(_PROGRAM.lstrip("/"))
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    repository, _colon, tag = image.partition(":")
    said = api.ask(
        lambda client: client.import_image_from_data(
            archive.getvalue(), repository=repository, tag=tag, changes=[f"LABEL {_LABEL}=1"]
        )
    )
    if '"error"' in str(said):
        raise ApiError(f"the engine does not import the probe's image: {str(said).strip()[:300]}")


def _contained(api: DockerApi, image: str, security: list[str]) -> Run:
    def make(client: t.Any) -> str:
        # No log driver: whatever is configured may not work yet, and what is printed comes over the API.
        settings = client.create_host_config(
            network_mode="none", read_only=True, security_opt=security, log_config={"type": "none", "config": {}}
        )
        made = client.create_container(
            image,
            command=[_PROGRAM],
            name=f"{_NAME}-{uuid.uuid4().hex[:12]}",
            labels={_LABEL: "1"},
            host_config=settings,
        )
        return str(made["Id"])

    identifier = api.ask(make)
    # Before the start: what is printed while nobody listens is lost.
    stream = api.ask(lambda client: client.attach(identifier, stdout=True, stderr=False, stream=True, logs=False))
    try:
        api.ask(lambda client: client.start(identifier))
    except ApiError as error:
        explanation = getattr(error.__cause__, "explanation", None)
        if not explanation:
            # It did not refuse but was silent, which says nothing about the profile.
            raise
        return Run(b"", str(explanation))
    api.ask(lambda client: client.wait(identifier, timeout=_TIMEOUT))
    return Run(b"".join(stream), "")


def _sweep(api: DockerApi) -> None:
    """Remove what this run, or an earlier one that was killed, has made."""

    def sweep(client: t.Any) -> None:
        for container in client.containers(all=True, quiet=True, filters={"label": f"{_LABEL}=1"}):
            client.remove_container(container["Id"], force=True, v=True)
        for image in client.images(filters={"label": f"{_LABEL}=1"}):
            client.remove_image(image["Id"], force=True)

    api.ask(sweep)
