# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies that wait: paused on entry, resumed on the way out whatever happens, by a second process if need be."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType

from .proxies import Access, Console, Proxy, ProxyError, pause_all, resume_all
from .view import PatroniError, known

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Target = tuple[Proxy, str]
ACCESS = "the access to the proxies"


class StoppedError(BaseException):
    """A signal asked this process to end. No handler of ordinary errors may swallow it."""


def _raise(number: int, _frame: FrameType | None) -> None:
    raise StoppedError(f"{signal.Signals(number).name} came")


DONE, ASKED, UNASKED = b".", b"a", b"u"


def guard(resume: Callable[[bool], object], seconds: float) -> tuple[int, int]:
    """Fork a process that resumes when this one dies, by kill -9 too, or is not done within `seconds`.

    Closing a console does not resume. The guard sees this process's death at once: the pipe between them closes.
    Through it comes also whether a change of the primary has been asked for; then the old one must not be resumed on.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        return child, writing
    # From here on in the child. It may neither return nor raise.
    try:
        # A session of its own: what ends the ssh session's processes does not end this one.
        os.setsid()
        for caught in SIGNALS:
            signal.signal(caught, signal.SIG_IGN)
        # The controller waits until nobody holds the module's output any more.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        for number in range(3, 1024):
            if number != reading:
                with contextlib.suppress(OSError):
                    os.close(number)
        asked, until = False, time.monotonic() + seconds
        while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]:
            said = os.read(reading, 1)
            if said == DONE:
                os._exit(0)
            if not said:
                break
            asked = said == ASKED
        resume(asked)
    finally:
        os._exit(0)


class Paused:
    """Context: open everything beforehand (`prepare`), pause on entry, resume at the end."""

    def __init__(
        self,
        proxies: Sequence[Proxy],
        access: Access | None,
        pause_timeout: float = 2.0,
        guard_timeout: float = 60.0,
        before_resume: Callable[[bool], object] = lambda asked: None,
    ) -> None:
        self._proxies = proxies
        self._access = access
        self._pause_timeout = pause_timeout
        self._guard_timeout = guard_timeout
        self._before_resume = before_resume
        self._targets: list[Target] = []
        self._consoles: list[Console] = []
        self._child: tuple[int, int] | None = None
        self._asked = False
        self._handlers: dict[int, object] = {}
        self.began: float | None = None
        self.pause_s: float | None = None
        self.resumed: float | None = None

    def prepare(self) -> list[str]:
        """Log in everywhere and see what there is to pause. Returns the proxies that cannot be reached."""
        unreachable: list[str] = []
        for proxy in self._proxies:
            try:
                first = self._console(proxy).open()
            except ProxyError as error:
                unreachable.append(str(error))
                continue
            names = first.databases()
            self._targets += [(proxy, name) for name in names]
            self._consoles += [first] + [self._console(proxy).open() for _name in names[1:]] if names else []
        return unreachable

    def _console(self, proxy: Proxy) -> Console:
        return Console(proxy, known(self._access, ACCESS))

    @property
    def targets(self) -> list[str]:
        return [f"{database} on {proxy.name}" for proxy, database in self._targets]

    def close(self) -> None:
        for console in self._consoles:
            console.close()

    def _look_again(self) -> None:
        """Minutes may have passed since the first look, and pgbouncer takes the PAUSE of what is paused already.

        Whoever pauses it then resumes it, so another run's pause would end with this one's.
        """
        consoles = {proxy: console for (proxy, _name), console in zip(self._targets, self._consoles, strict=True)}
        try:
            for console in consoles.values():
                console.databases()
        except ProxyError:
            self.close()
            raise

    def __enter__(self) -> Paused:
        self._look_again()
        if self._targets:
            self._child = guard(self._rescue, self._guard_timeout)
        self._handlers = {number: signal.signal(number, _raise) for number in SIGNALS}
        self.began = time.monotonic()
        try:
            late = pause_all(self._targets, self._consoles, self._pause_timeout)
            if late:
                raise ProxyError(self._late(late))
        except StoppedError as error:
            self._leave(calm=False)
            raise PatroniError(f"{error} while pausing: all proxies are resumed, nothing was switched") from error
        except BaseException:
            self._leave(calm=False)
            raise
        self.pause_s = time.monotonic() - self.began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._leave(calm=kind is None)
        if isinstance(error, StoppedError):
            raise PatroniError(
                f"{error} while proxies were paused: they are resumed, and what was asked of Patroni goes on. "
                "Look at the cluster (state: info) before the next step"
            ) from error

    def ask(self, asked: bool) -> None:
        """From now on the primary changes, or after all it does not."""
        self._asked = asked
        if self._child:
            os.write(self._child[1], ASKED if asked else UNASKED)

    def resume(self) -> None:
        """The planned end of the pause; leaving the context does nothing more then."""
        self._leave(calm=True)

    def _late(self, late: list[str]) -> str:
        holders: list[str] = []
        for proxy in {proxy for proxy, _target in self._targets}:
            console = self._console(proxy)
            with contextlib.suppress(ProxyError):
                holders += console.holders()
            console.close()
        return (
            f"PAUSE did not finish within {self._pause_timeout:g} s ({', '.join(late)}), so all proxies were resumed "
            f"and nothing was switched. It waits for {'; '.join(holders[:5]) or 'transactions that are still open'}. "
            "Let them end or cancel them (pg_stat_activity, pg_cancel_backend), then run again"
        )

    def _rescue(self, asked: bool) -> None:
        access = known(self._access, ACCESS)
        self._before_resume(asked)
        resume_all(self._targets, access, seconds=120)

    def _leave(self, calm: bool) -> None:
        if self.resumed is not None:
            return
        # Nothing may come between: a second Ctrl-C is not heard until the proxies are resumed.
        for caught in SIGNALS:
            signal.signal(caught, signal.SIG_IGN)
        failures: list[str] = []
        try:
            if self._targets:
                access = known(self._access, ACCESS)
                if not calm:
                    self._before_resume(self._asked)
                failures = resume_all(self._targets, access, self._consoles)
        finally:
            self.resumed = time.monotonic()
            self._dismiss(tell=not failures)
            self.close()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
        if failures:
            raise ProxyError(
                f"STILL PAUSED, clients wait: {'; '.join(failures)}. A process on this host keeps trying for 120 s. "
                "Log in to that pgbouncer's admin console and say RESUME, or restart pgbouncer there"
            )

    def _dismiss(self, tell: bool) -> None:
        if self._child is None:
            return
        child, pipe = self._child
        self._child = None
        if tell:
            with contextlib.suppress(OSError):
                os.write(pipe, DONE)
        os.close(pipe)
        if tell:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
