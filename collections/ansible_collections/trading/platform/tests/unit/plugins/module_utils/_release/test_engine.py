# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine is asked for, and what of its answers is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
import urllib3
from ansible_collections.trading.platform.plugins.module_utils._release.engine import Docker
from ansible_collections.trading.platform.plugins.module_utils._release.records import Record, ReleaseError, Service
from ansible_collections.trading.platform.plugins.module_utils._release.slots import specs

IMAGE = "registry:5000/trading/app@sha256:" + "a" * 64
DONE = [{"status": "Pulling from trading/app"}, {"status": "Status: Downloaded newer image"}]


class Api:
    """The client of python3-docker. An image is there once a pull has ended without an error."""

    def __init__(self, *stream: Any) -> None:
        self.stream = stream
        self.here = False
        self.made: dict[str, Any] = {}

    def info(self) -> dict[str, str]:
        return {"LoggingDriver": "json-file"}

    def inspect_image(self, reference: str) -> dict[str, str]:
        if not self.here:
            raise docker.errors.ImageNotFound(f"no such image: {reference}")
        return {"Id": "sha256:1"}

    def create_container(self, **made: Any) -> None:
        self.made = made

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        return options

    def create_endpoint_config(self, **options: Any) -> dict[str, Any]:
        return options

    def create_networking_config(self, networks: dict[str, Any]) -> dict[str, Any]:
        return networks

    def start(self, _name: str) -> None:
        pass

    def pull(self, _name: str, **options: Any) -> Any:
        assert (options["tag"], options["stream"], options["decode"]) == (IMAGE.split("@")[1], True, True)
        return self._lines()

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.stream:
            if isinstance(line, Exception):
                raise line
            yield line
        self.here = not any("error" in line for line in self.stream)


def engine(monkeypatch: pytest.MonkeyPatch, api: Api) -> Docker:
    monkeypatch.setattr(docker, "APIClient", lambda **_options: api)
    return Docker()


def test_an_image_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(*DONE)
    engine(monkeypatch, api).pull(IMAGE)
    assert api.here


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        # The engine has answered 200 by then, and says it in the stream.
        ([{"status": "Pulling fs layer"}, {"error": "unauthorized: authentication required"}], "user or password"),
        ([{"error": "write /var/lib/docker/tmp/x: no space left on device"}], "is full"),
        ([{"errorDetail": {"message": "unexpected EOF"}, "error": "unexpected EOF"}], "does not answer"),
        ([docker.errors.APIError("500 Server Error: dial tcp: connection refused")], "does not answer"),
        ([DONE[0], urllib3.exceptions.ProtocolError("Connection broken: connection reset by peer")], "does not answer"),
        ([DONE[0], ValueError("no JSON")], "no JSON"),
    ],
)
def test_a_pull_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, stream: list[Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=f"cannot pull {IMAGE}: .*{says}"):
        engine(monkeypatch, Api(*stream)).pull(IMAGE)


def test_a_refusal_is_told_in_the_engine_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 500 is its own and not the registry's, and the address before them is longer than what is told."""
    error = docker.errors.APIError(f"500 Server Error for http+docker://{'x' * 300}", explanation="toomanyrequests")
    with pytest.raises(ReleaseError, match=f"^cannot pull {IMAGE}: toomanyrequests$"):
        engine(monkeypatch, Api(error)).pull(IMAGE)


def test_what_came_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(*DONE)
    monkeypatch.setattr(api, "_lines", lambda: iter(DONE))
    with pytest.raises(ReleaseError, match="not what the digest promised"):
        engine(monkeypatch, api).pull(IMAGE)


@pytest.mark.parametrize(
    ("health", "check"),
    [
        ((), None),
        (
            ("python3", "-m", "app", "healthy"),
            {
                "Test": ["CMD", "python3", "-m", "app", "healthy"],
                "Interval": 30_000_000_000,
                "Timeout": 10_000_000_000,
                "Retries": 3,
                "StartPeriod": 60_000_000_000,
            },
        ),
    ],
)
def test_a_container_is_asked_how_it_is(monkeypatch: pytest.MonkeyPatch, health: Any, check: Any) -> None:
    record = Record("v1", "00000001", (Service("worker", IMAGE, health=health),))
    api = Api()
    engine(monkeypatch, api).start(specs(record, "blue", "10.213.0.0/24"))
    assert api.made["name"] == "trading-blue-worker-1"
    assert api.made["healthcheck"] == check


class Images(Api):
    """Images by their tags; one that is removed by force goes with all of them."""

    def __init__(self, tags: dict[str, str], used: str) -> None:
        super().__init__()
        self.named, self.used = tags, used
        self.there = set(tags.values())

    def images(self, **_options: Any) -> list[dict[str, Any]]:
        return [
            {"Id": one, "RepoTags": [tag for tag, image in self.named.items() if image == one]} for one in self.there
        ]

    def containers(self, **_options: Any) -> list[dict[str, str]]:
        return [{"ImageID": self.used}]

    def inspect_image(self, reference: str) -> dict[str, str]:
        if reference not in self.there:
            raise docker.errors.ImageNotFound(f"no such image: {reference}")
        return {"Id": reference}

    def remove_image(self, what: str, **_options: Any) -> None:
        if what in self.there:
            self.there.remove(what)
            self.named = {tag: image for tag, image in self.named.items() if image != what}
        elif not self.named.pop(what, ""):
            raise docker.errors.ImageNotFound(f"no such image: {what}")


def test_a_forgotten_release_leaves_the_images_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its services share an image, one with another release, and one is what a container runs on."""
    named = {
        f"trading.platform/{name}": f"sha256:{image}"
        for name, image in {"api:v1": 1, "web:v1": 1, "worker:v1": 2, "worker:v2": 2, "old:v1": 3}.items()
    }
    api = Images(named, used="sha256:3")
    engine(monkeypatch, api).forget("v1")
    assert api.named == {"trading.platform/worker:v2": "sha256:2"}
    assert api.there == {"sha256:2", "sha256:3"}
