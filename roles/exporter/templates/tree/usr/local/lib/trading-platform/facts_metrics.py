#!/usr/bin/python3 -I
"""What only root can see of this host, for Prometheus. Managed by Ansible (role exporter); standard library only.

Run by trading-facts-metrics.timer: when certificates end, whether a reboot is due, when site.yml last went well, files
that somebody changed since, containers. Written to the node exporter's directory in one move.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Sample = tuple[str, Mapping[str, str], float]
DOCKER = "/run/docker.sock"
HELP = {
    "trading_facts_timestamp_seconds": "When this was looked at.",
    "trading_facts_ok": "0 where a part could not be looked at; the journal says why.",
    "trading_certificate_ends_timestamp_seconds": "When a certificate of the internal CA ends.",
    "trading_reboot_required": "1 where an update waits for a reboot.",
    "trading_site_last_run_timestamp_seconds": "When site.yml last ended well for this host.",
    "trading_drift_files": "Files that differ from what was landed, or are gone.",
    "trading_container_restarts": "How often the engine started the container again.",
    "trading_container_running": "1 while it runs.",
    "trading_container_unhealthy": "1 while its own check fails.",
}


class Engine(http.client.HTTPConnection):
    """Docker's API, on its socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(DOCKER)

    def ask(self, path: str) -> Any:
        self.request("GET", path)
        answer = self.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"docker answers {answer.status} to {path}")
        return json.loads(body)


def warn(text: str) -> None:
    """To the journal, which keeps nothing of this unit below notice: <4> is a warning."""
    sys.stderr.write(f"<4>{text}\n")


def certificates(directory: Path) -> Iterator[Sample]:
    for path in sorted(directory.glob("*/cert.pem")):
        said = subprocess.run(
            ["openssl", "x509", "-noout", "-enddate", "-in", str(path)], capture_output=True, text=True, check=True
        )
        ends = ssl.cert_time_to_seconds(said.stdout.partition("=")[2].strip())
        yield "trading_certificate_ends_timestamp_seconds", {"name": path.parent.name}, ends


def reboot(flag: Path) -> Iterator[Sample]:
    yield "trading_reboot_required", {}, flag.exists()


def last_site(stamp: Path) -> Iterator[Sample]:
    if stamp.exists():
        yield "trading_site_last_run_timestamp_seconds", {}, stamp.stat().st_mtime


def drift(manifests: Path) -> Iterator[Sample]:
    """Against what the sets' manifests say; programs that write their own files are none of these sets."""

    def same(path: Path, landed: str) -> bool:
        return path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == landed

    changed = []
    for manifest in sorted(manifests.glob("*.json")):
        sums = json.loads(manifest.read_text(encoding="utf-8")).get("sums", {})
        changed += [name for name, landed in sums.items() if not same(Path(name), landed)]
    if changed:
        warn(f"not as landed: {' '.join(changed)}")
    yield "trading_drift_files", {}, len(changed)


def containers() -> Iterator[Sample]:
    if not Path(DOCKER).exists():
        return
    engine = Engine("localhost")
    for one in engine.ask("/containers/json?all=1"):
        seen = engine.ask(f"/containers/{one['Id']}/json")
        marks = {"name": seen["Name"].lstrip("/")}
        state = seen["State"]
        yield "trading_container_restarts", marks, seen["RestartCount"]
        yield "trading_container_running", marks, state["Running"]
        yield "trading_container_unhealthy", marks, state.get("Health", {}).get("Status") == "unhealthy"


def exposition(found: Iterable[Sample]) -> str:
    """Prometheus' text, the samples of a metric together."""
    families: dict[str, list[str]] = {}
    for name, marks, value in found:
        labels = ",".join(f"{label}={json.dumps(text)}" for label, text in marks.items())
        families.setdefault(name, []).append(
            f"{name}{{{labels}}} {float(value)}" if labels else f"{name} {float(value)}"
        )
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in its)
        for name, its in families.items()
    )


def gathered(parts: Mapping[str, Callable[[], Iterator[Sample]]], now: float) -> Iterator[Sample]:
    """A part that fails is told of, and the others are there all the same."""
    well = True
    for name, part in parts.items():
        try:
            yield from list(part())
        except (OSError, ValueError, KeyError, subprocess.SubprocessError, http.client.HTTPException) as problem:
            well = False
            warn(f"{name}: {problem}")
    yield "trading_facts_ok", {}, well
    yield "trading_facts_timestamp_seconds", {}, now


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path("/var/lib/prometheus/node-exporter"))
    parser.add_argument("--pki", type=Path, default=Path("/etc/trading-platform/pki"))
    args = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Sample]]] = {
        "certificates": lambda: certificates(args.pki),
        "reboot": lambda: reboot(Path("/run/reboot-required")),
        "site": lambda: last_site(Path("/var/lib/trading-platform/site.done")),
        "drift": lambda: drift(Path("/var/lib/trading-platform/config_tree")),
        "containers": containers,
    }
    text = exposition(gathered(parts, time.time()))
    target = args.directory / "trading_facts.prom"
    new = target.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)
    new.replace(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
