# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container engine, by python3-docker from Debian: 5.0 on Debian 12, 7.1 on Debian 13."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from . import verdicts
from .records import ReleaseError
from .slots import HARDENING, HEALTH, LABEL, TAGS, Spec
from .world import Found

NETWORK = "trading"
SECRETS = "/run/secrets"
NANO = 1_000_000_000
# Weights. While it starts, a set yields to the one that serves.
STARTING, SERVING = 256, 1024
TIMEOUT = 60
# Drivers that keep labels and a tag with each line. The `local` driver refuses both.
LABELLED = ("json-file", "journald", "syslog", "fluentd", "gelf")


class Docker:
    def __init__(self, registry_auth: Mapping[str, str] | None = None) -> None:
        # On hosts only; this module is read on the controller as well.
        try:
            import docker  # noqa: PLC0415
            import urllib3  # noqa: PLC0415
        except ImportError as error:
            raise ReleaseError("python3-docker is missing on this host: run playbooks/site.yml first") from error
        self._docker: Any = docker
        self._errors: Any = (docker.errors.DockerException, OSError)
        # A stream is read past requests, whose errors are OSErrors.
        self._stream_errors: Any = (*self._errors, urllib3.exceptions.HTTPError, ValueError)
        self._auth = dict(registry_auth) if registry_auth else None
        self._api: Any = self._call("reach the engine", lambda: docker.APIClient(version="auto", timeout=TIMEOUT))
        self._driver = self._call("ask the engine", self._api.info).get("LoggingDriver", "")

    def _call(self, what: str, work: Any) -> Any:
        try:
            return work()
        except self._errors as error:
            raise ReleaseError(f"cannot {what}: {' '.join(str(error).split())[:400]}") from error

    def subnet(self) -> str:
        try:
            found = self._api.inspect_network(NETWORK)
            return str(found["IPAM"]["Config"][0]["Subnet"])
        except (*self._errors, KeyError, IndexError) as error:
            raise ReleaseError(f"the docker network {NETWORK} is missing: run playbooks/site.yml first") from error

    def found(self) -> list[Found]:
        """All containers of ours. One that goes while we look is not there."""
        found = []
        for entry in self._call(
            "list containers", lambda: self._api.containers(all=True, filters={"label": LABEL + ".spec"})
        ):
            try:
                found.append(read_container(self._api.inspect_container(entry["Id"])))
            except self._docker.errors.NotFound:
                continue
            except self._errors as error:
                raise ReleaseError(f"cannot look at container {entry['Names']}: {error}") from error
        return found

    def images(self, references: Iterable[str]) -> dict[str, str]:
        """The ids of those that are here."""
        found = {}
        for reference in set(references):
            try:
                found[reference] = str(self._api.inspect_image(reference)["Id"])
            except self._docker.errors.NotFound:
                continue
            except self._errors as error:
                raise ReleaseError(f"cannot look at image {reference}: {error}") from error
        return found

    def tags(self) -> dict[str, str]:
        """Images kept for releases, by their local tag."""
        listed = self._call("list images", lambda: self._api.images(all=False))
        return {
            tag: str(image["Id"])
            for image in listed
            for tag in image.get("RepoTags") or ()
            if tag.startswith(f"{TAGS}/")
        }

    def pull(self, image: str) -> None:
        """By digest, so what comes is what was asked for, or an error. What is here already is not asked for again."""
        if self.images([image]):
            return
        name, _at, digest = image.rpartition("@")
        if not name:
            raise ReleaseError(f"cannot pull {image}: a bare id names no registry, and the image is not on this host")
        try:
            for line in self._api.pull(name, tag=digest, auth_config=self._auth, stream=True, decode=True):
                # By then the engine has answered 200.
                if "error" in line:
                    raise ReleaseError(verdicts.pull(image, str(line["error"])))
        except self._stream_errors as error:
            raise ReleaseError(verdicts.pull(image, str(getattr(error, "explanation", None) or error))) from error
        if not self.images([image]):
            raise ReleaseError(verdicts.pull(image, "the engine reported success, but the digest did not match"))

    def tag(self, image: str, tag: str) -> None:
        repository, _colon, name = tag.rpartition(":")
        self._call(f"tag {image}", lambda: self._api.tag(image, repository, name, force=True))

    def start(self, specs: Sequence[Spec]) -> None:
        with ThreadPoolExecutor(max_workers=max(len(specs), 1)) as pool:
            list(pool.map(self._start, specs))

    def _start(self, spec: Spec) -> None:
        """Made where it is missing, and started. The engine does not restart it before it is armed: a container that
        crashes shows its exit code, and the engine brings back no half-made set after a reboot."""
        try:
            self._api.create_container(**self._made_from(spec))
        except self._errors as error:
            if getattr(error, "status_code", None) != 409:  # noqa: PLR2004 - it is there already
                said = getattr(error, "explanation", None) or error
                raise ReleaseError(f"cannot create {spec.name}: {said}") from error
        try:
            self._api.start(spec.name)
        except self._errors as error:
            said = " ".join(str(getattr(error, "explanation", None) or error).split())
            raise ReleaseError(f"container {spec.name} cannot start: {said[:400]}", container=spec.name) from error

    def _made_from(self, spec: Spec) -> dict[str, Any]:
        api, types = self._api, self._docker.types
        logged = {"labels": ",".join(sorted(spec.labels)), "tag": f"{spec.release}/{spec.name}"}
        host = {
            **{key: HARDENING[key] for key in ("read_only", "tmpfs", "cap_drop", "security_opt")},
            "network_mode": NETWORK,
            "mounts": [
                types.Mount(f"{SECRETS}/{name}", path, type="bind", read_only=True) for name, path in spec.secrets
            ],
            "mem_limit": spec.memory,
            "nano_cpus": int(spec.cpus * NANO),
            "cpu_shares": STARTING,
            "pids_limit": spec.pids,
            "restart_policy": {"Name": "no"},
            # The engine adds its own limits to what a container of its default driver does not say.
            "log_config": types.LogConfig(type=self._driver, config=logged if self._driver in LABELLED else {}),
        }
        return {
            "image": spec.image,
            "name": spec.name,
            "command": list(spec.command) or None,
            "environment": dict(spec.env),
            "labels": spec.labels,
            "user": HARDENING["user"],
            "stop_signal": HARDENING["stop_signal"],
            "stop_timeout": spec.stop_timeout,
            "healthcheck": self._asked(spec),
            "hostname": f"{spec.service}-{spec.instance}",
            "networking_config": api.create_networking_config(
                {NETWORK: api.create_endpoint_config(ipv4_address=spec.address)}
            ),
            "host_config": api.create_host_config(**host),
        }

    def _asked(self, spec: Spec) -> Any:
        if not spec.health:
            return None
        times = {key: HEALTH[key] * NANO for key in ("interval", "timeout", "start_period")}
        return self._docker.types.Healthcheck(test=["CMD", *spec.health], retries=HEALTH["retries"], **times)

    def arm(self, name: str) -> None:
        policy = {"Name": "unless-stopped"}
        update = partial(self._api.update_container, name, restart_policy=policy, cpu_shares=SERVING)
        self._call(f"update {name}", update)

    def stop(self, names: Sequence[str]) -> None:
        """All at once, each within its own stop timeout, which the container was made with."""
        with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
            list(pool.map(self._stop, names))

    def _stop(self, name: str) -> None:
        try:
            seconds = int(self._api.inspect_container(name)["Config"].get("StopTimeout") or 10)
            self._api.stop(name, timeout=seconds)
        except self._docker.errors.NotFound:
            return
        except self._errors as error:
            raise ReleaseError(f"cannot stop {name}: {error}") from error

    def remove(self, name: str) -> None:
        try:
            self._api.remove_container(name, v=True, force=True)
        except self._docker.errors.NotFound:
            return
        except self._errors as error:
            raise ReleaseError(f"cannot remove {name}: {error}") from error

    def logs(self, name: str, lines: int) -> list[str]:
        """A container that failed is told about even where its log cannot be read."""
        try:
            text = self._api.logs(name, stdout=True, stderr=True, tail=lines)
        except self._errors as error:
            return [f"(its log cannot be read: {error})"]
        return [line.rstrip() for line in bytes(text).decode(errors="replace").splitlines()[-lines:]]

    def exists(self, name: str, path: str) -> bool:
        try:
            made = self._api.exec_create(name, ["test", "-e", path])
            self._api.exec_start(made["Id"])
            return bool(self._api.exec_inspect(made["Id"])["ExitCode"] == 0)
        except self._errors:
            return False

    def forget(self, release: str) -> None:
        """The release's tags; an image that no tag of ours keeps and no container uses goes as well."""
        tags = self.tags()
        used = {entry["ImageID"] for entry in self._call("list containers", lambda: self._api.containers(all=True))}
        gone = {tag: image for tag, image in tags.items() if tag.endswith(f":{release}")}
        kept = {image for tag, image in tags.items() if tag not in gone} | used
        for tag in gone:
            self._call(f"remove {tag}", lambda tag=tag: self._api.remove_image(tag, noprune=True))
        # After all tags: services share images, and by force one goes with all that name it.
        for image in self.images(set(gone.values()) - kept):
            self._call(f"remove image {image}", lambda image=image: self._api.remove_image(image, force=True))


def read_container(raw: Mapping[str, Any]) -> Found:
    labels, state = raw["Config"].get("Labels") or {}, raw["State"]
    return Found(
        name=str(raw["Name"]).lstrip("/"),
        release=labels.get(f"{LABEL}.release", ""),
        colour=labels.get(f"{LABEL}.colour", ""),
        spec=labels.get(f"{LABEL}.spec", ""),
        status=str(state.get("Status") or ""),
        exit_code=int(state.get("ExitCode") or 0),
        armed=raw["HostConfig"].get("RestartPolicy", {}).get("Name") == "unless-stopped",
        oom=bool(state.get("OOMKilled")),
    )
