# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every operation has in common: what was asked for, what came out, proxies at the ready."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .client import Client, NoAnswerError
from .pause import Paused
from .proxies import Access, Proxy
from .view import Member, PatroniError

POLL = 0.05
# How long clients wait at most for the candidate. Then the proxies are resumed and the task fails.
SWITCH_TIMEOUT = 30.0


@dataclass(frozen=True)
class Options:
    """What the task asked for."""

    candidate: str | None = None
    member: str | None = None
    everyone: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    max_lag: int = 1 << 20
    allow_data_loss: bool = False
    timeout: float = 120.0
    landed: bool = False
    settle: float = 0.2
    proxies: Sequence[Proxy] = ()
    access: Access | None = None
    proxies_required: bool = True
    pause_timeout: float = 2.0
    this_host: str = ""
    postgres_port: int = 5432


@dataclass
class Result:
    changed: bool = False
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    diff: dict[str, str] = field(default_factory=dict)

    def say(self, line: str) -> None:
        self.lines.append(line)


def refuse(what: str, problems: Sequence[str]) -> None:
    if problems:
        raise PatroniError(f"{what} refused, nothing was touched: {'; '.join(problems)}")


def local_sql(options: Options, statement: str, seconds: float) -> str:
    """SQL as the operating system's postgres through the local socket; the only place that superuser is."""
    done = subprocess.run(
        [
            "psql",
            "-XAtq",
            "-h",
            "/var/run/postgresql",
            "-p",
            str(options.postgres_port),
            "-d",
            "postgres",
            "-c",
            statement,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        user="postgres",
        cwd="/",
    )
    if done.returncode:
        raise PatroniError(f"psql on this host: {done.stderr.strip()}")
    return done.stdout.strip()


def checkpoint(options: Options, leader: Member, result: Result) -> None:
    """Write out what is dirty before clients wait: the checkpoint of the shutdown then has little to do."""
    if options.this_host != leader.name:
        result.say(f"no CHECKPOINT beforehand: this host is not the leader {leader.name}, the pause may last longer")
        return
    began = time.monotonic()
    try:
        local_sql(options, "CHECKPOINT", options.timeout)
    except (PatroniError, OSError, subprocess.SubprocessError) as error:
        raise PatroniError(f"CHECKPOINT on {leader.name} failed, nothing was switched: {error}") from error
    result.say(f"CHECKPOINT on {leader.name} took {time.monotonic() - began:.2f} s")


def await_writable(client: Client, names: Sequence[str], seconds: float) -> str | None:
    """Any of these members writable, asked in turn; None when the time is up."""
    until = time.monotonic() + seconds
    while True:
        for name in names:
            if client.writable(name):
                return name
        if time.monotonic() > until:
            return None
        time.sleep(POLL)


class Call:
    """An API call under way in a thread: Patroni answers only when all is over, and the candidate is ready before."""

    def __init__(self, work: Callable[[], str]) -> None:
        self.error: PatroniError | None = None
        self.unknown = False
        self.done = False
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except NoAnswerError as error:
            self.error, self.unknown = error, True
        except PatroniError as error:
            self.error = error
        except Exception as error:
            self.error, self.unknown = PatroniError(f"{type(error).__name__}: {error}"), True
        self.done = True


def paused_proxies(client: Client, options: Options, result: Result, expected: str | None = None) -> Paused:
    """Consoles open everywhere, or a refusal. Nothing is paused yet. `expected` is who will be the primary."""
    if options.proxies and options.access is None:
        raise PatroniError("proxies were given without proxy_password")
    names = list(client.members)

    def before_resume(asked: bool) -> None:
        # When all went wrong: clients that are let on to a primary about to stop would see failures.
        if expected and asked:
            await_writable(client, [expected], 15)
            time.sleep(options.settle)
        else:
            await_writable(client, names, 10)

    paused = Paused(
        options.proxies,
        options.access,
        options.pause_timeout,
        guard_timeout=options.pause_timeout + SWITCH_TIMEOUT + 10,
        before_resume=before_resume,
    )
    unreachable = paused.prepare()
    if unreachable:
        advice = "their clients would see broken transactions"
        if options.proxies_required:
            paused.close()
            refuse("The operation is", [*unreachable, f"{advice}. Bring them back, or set proxies_required: false"])
        result.warnings.append(f"not paused, {advice}: {'; '.join(unreachable)}")
    if not options.proxies:
        result.warnings.append("no proxies were given: transactions in flight will fail, and clients must retry")
    result.say(f"proxies to pause: {', '.join(paused.targets) or 'none'}")
    return paused
