# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: A live line for each host on a terminal, plain lines elsewhere
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - On a terminal, shows one line for each host at work with its step, how long it has been at it, and how much of
    the play is left by the durations of the last successful run. Results that changed or failed, or were skipped for
    a reason other than C(when), are printed above and stay.
  - Hosts that wait for others fold into one line; more hosts than fit fold to those longest at their step and a count.
  - Without a terminal, or where E(CI) is set or E(TERM) is V(dumb), prints a line for each task with its counts, and
    details for changed and failed hosts only. A task that takes long is reported as still running now and then.
  - With C(-v) and more, results are printed as P(ansible.builtin.default#callback) prints them. Its options
    work here too.
  - Estimates need a run of the same playbook on the same inventory with the same limit and tags that ended
    without a failure. They are made for the linear strategy; under strategy free they are rough.
  - To have the ordinary output instead, set E(ANSIBLE_STDOUT_CALLBACK=default).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  mode:
    description:
      - V(auto) draws on a terminal and prints plain lines elsewhere.
      - V(live) draws on a terminal even where E(CI) is set.
      - V(plain) never draws.
    type: str
    choices: [auto, live, plain]
    default: auto
    env:
      - name: ANSIBLE_PROGRESS
    ini:
      - section: callback_progress
        key: mode
  cache_dir:
    description:
      - Directory of the durations. A relative one starts where C(ansible.cfg) is, or at the working directory.
      - Where it cannot be read or written there are no estimates, and nothing is said about it.
    type: str
    default: .cache/progress
    env:
      - name: ANSIBLE_PROGRESS_CACHE_DIR
    ini:
      - section: callback_progress
        key: cache_dir
  slowest:
    description:
      - Print the run's wall time and that many of its slowest tasks at the end. C(-v) prints five where this is V(0).
    type: int
    default: 0
    env:
      - name: ANSIBLE_PROGRESS_SLOWEST
    ini:
      - section: callback_progress
        key: slowest
requirements:
  - set as stdout in configuration
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  stdout_callback = trading.platform.progress

plain lines on a terminal: |
  ANSIBLE_PROGRESS=plain ansible-playbook site.yml -i staging
"""

import atexit
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - Ansible's own name for it
from ansible import context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc
from ansible_collections.trading.platform.plugins.module_utils._progress import estimate, layout, store, text
from ansible_collections.trading.platform.plugins.module_utils._progress.live import Heartbeat, Screen, Stream
from ansible_collections.trading.platform.plugins.module_utils._progress.run import Run, Tally

_PROMPTING = frozenset(("pause", "ansible.builtin.pause", "ansible.legacy.pause"))
_ASSERTING = frozenset(("assert", "ansible.builtin.assert", "ansible.legacy.assert"))
_HEARTBEAT_SECONDS = 5.0
# What makes two runs of a playbook take different time, as far as the command line tells.
_RUN_OPTIONS = ("subset", "tags", "skip_tags", "check", "start_at_task")


class CallbackModule(DefaultCallback):  # type: ignore[misc]  # ansible-core has no types
    """The default callback, quieter: what changed or failed is printed, the rest is in the live block or a line."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "trading.platform.progress"

    def __init__(self) -> None:
        super().__init__()
        self._run = Run()
        self._cache: Path | None = None
        self._screen: Screen | None = None
        self._heartbeat: Heartbeat | None = None
        self._streams: tuple[Any, Any] | None = None
        self._running = False

    # -- the run ---------------------------------------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: Any) -> None:
        inventories = [os.path.realpath(source) for source in context.CLIARGS.get("inventory") or C.DEFAULT_HOST_LIST]
        options = {name: context.CLIARGS.get(name) for name in _RUN_OPTIONS}
        key = estimate.run_key(os.path.realpath(playbook._file_name), inventories, options)
        root = Path(C.CONFIG_FILE).parent if C.CONFIG_FILE else Path.cwd()
        self._cache = root / Path(self.get_option("cache_dir")).expanduser() / f"{key}.json"
        history: estimate.History = {}
        with suppress(OSError):
            history = estimate.parse(store.load(self._cache))
        self._run = Run(history=history, play_total=len(playbook.get_plays()), started=time.monotonic())
        self._begin()
        super().v2_playbook_on_start(playbook)

    def _begin(self) -> None:
        if self._running:
            return
        self._running = True
        self._run.started = self._run.started or time.monotonic()
        atexit.register(self._stopped_early)
        if self._live_wanted():
            self._screen = Screen(sys.stdout, self._display._lock, self._paint)
            self._streams = (sys.stdout, sys.stderr)
            sys.stdout = Stream(self._screen, sys.stdout)
            if sys.stderr.isatty():
                sys.stderr = Stream(self._screen, sys.stderr)
            self._screen.start()
        else:
            self._heartbeat = Heartbeat(self._beat, _HEARTBEAT_SECONDS)
            self._heartbeat.start()

    def _live_wanted(self) -> bool:
        mode = self.get_option("mode")
        if mode == "plain" or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb"):
            return False
        # These talk to the operator between tasks, from the thread that would have to stop drawing.
        if context.CLIARGS.get("step") or C.ENABLE_TASK_DEBUGGER:
            return False
        return mode == "live" or os.environ.get("CI", "").lower() in ("", "0", "false")

    def _end(self) -> None:
        self._running = False
        atexit.unregister(self._stopped_early)
        if self._heartbeat:
            self._heartbeat.stop()
        if self._screen and self._streams:
            sys.stdout, sys.stderr = self._streams
            self._screen.stop()
        self._heartbeat = self._screen = self._streams = None

    def _stopped_early(self) -> None:
        """Ctrl-C or a fatal error: the recap never comes, so say where the hosts stood."""
        lines = self._run.unfinished(time.monotonic())
        self._end()
        if lines:
            self._display.display("Stopped while these were at work:", color=C.COLOR_WARN)
            for line in lines:
                self._display.display(f"{text.INDENT}{line}")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._begin()
        self._close(self._run.close())
        self._run.start_play(play.get_name().strip(), time.monotonic())
        if self._screen:
            self._screen.resume()
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_vars_prompt(self, *args: Any, **kwargs: Any) -> None:
        if self._screen:
            self._screen.pause()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._close(self._run.close())
        super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        now = time.monotonic()
        live = self._screen is not None
        self._close(self._run.close())
        self._run.end(now)
        self._end()
        super().v2_playbook_on_stats(stats)
        self._summary(now - self._run.started, live)
        history = self._run.recorder.history()
        if self._cache and history and not stats.failures and not stats.dark:
            with suppress(OSError):
                store.save(self._cache, estimate.dump(history))

    def _summary(self, wall: float, live: bool) -> None:
        count = self.get_option("slowest") or (5 if self._display.verbosity and not live else 0)
        if not count:
            return
        self._display.display(f"Wall time {layout.clock(wall)} ({wall:.1f} s), slowest tasks:")
        for play, name, seconds in estimate.slowest(self._run.recorder.history(), count):
            self._display.display(f"{seconds:9.1f} s  {name}  ({play})")

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        name = task.get_name().strip()
        self._close(self._run.start_task(task._uuid, name, time.monotonic()))
        if self._screen:
            if task.action in _PROMPTING:
                self._screen.pause()
            else:
                self._screen.resume()
                self._screen.wake()
        if self._display.verbosity:
            super()._task_start(task, prefix=prefix)
            return
        if prefix is not None:
            self._task_type_cache[task._uuid] = prefix
        self._last_task_name = name

    def _print_task_banner(self, task: Any) -> None:
        if self._display.verbosity:
            super()._print_task_banner(task)
            return
        tally = self._run.tallies.get(task._uuid)
        name = tally.name if tally else task.get_name().strip()
        args = ""
        if C.DISPLAY_ARGS_TO_STDOUT and not task.no_log:
            args = "".join(f" {key}={value}" for key, value in task.args.items())
        mark = " [CHECK MODE]" if task.check_mode and self.get_option("check_mode_markers") else ""
        self._display.display(f"{self._task_type_cache.get(task._uuid, 'TASK')} [{name}{args}]{mark}")
        self._last_task_banner = task._uuid

    def _close(self, tallies: list[Tally]) -> None:
        """A line for each task that is over. Where the live block showed it, only a log file gets the line."""
        for tally in tallies:
            seconds = f"{tally.last - tally.since:.1f}s"
            outcome = text.counts(tally.outcomes.values())
            prefix = self._task_type_cache.get(tally.uuid, "TASK")
            lead = "  " if self._last_task_banner == tally.uuid else f"{prefix} [{tally.name}]"
            line = f"{lead}  {outcome}  {seconds}"
            self._display.display(line, color=_colour(tally), log_only=self._screen is not None)
            if not self._screen:
                # A late result of another task, which strategy free has, then names its task again.
                self._last_task_banner = tally.uuid

    def _beat(self) -> None:
        lines = self._run.still(time.monotonic())
        for line in lines:
            self._display.display(f"{text.INDENT}{line}")
        if lines:
            sys.stdout.flush()

    def _header(self, result: Any) -> None:
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)

    def _paint(self, width: int, height: int) -> list[tuple[str, str]]:
        if not self._run.play:
            return []
        now = time.monotonic()
        lines = layout.block(self._run.view(now), self._run.status(now), now, width=width, height=height)
        return [(line.text, _painted(line)) for line in lines]

    # -- results ---------------------------------------------------------------------------------------------------

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._run.start_host(host.get_name(), task._uuid, task.get_name().strip(), time.monotonic())
        if self._screen:
            self._screen.wake()
        super().v2_runner_on_start(host, task)

    def _done(self, result: Any, outcome: str) -> None:
        self._run.finish_host(result.host.get_name(), result.task._uuid, outcome, time.monotonic())
        if self._screen:
            self._screen.wake()
            if result.needs_debugger():
                self._screen.pause()

    def v2_runner_on_ok(self, result: Any) -> None:
        changed = bool(result.result.get("changed", False))
        self._done(result, "changed" if changed else "ok")
        looped = bool(result.task.loop) and "results" in result.result
        if not looped and self._speaks(result):
            self._say(result, "changed" if changed else "ok", "")
        elif self._display.verbosity or (changed and not looped):
            super().v2_runner_on_ok(result)
        else:
            self._warn(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        changed = bool(result.result.get("changed", False))
        if self._speaks(result):
            self._say(result, "changed" if changed else "ok", f" (item={self._get_item_label(result.result)})")
        elif self._display.verbosity or changed:
            super().v2_runner_item_on_ok(result)
        else:
            self._warn(result)

    def _speaks(self, result: Any) -> bool:
        """Debug and its like exist to be read; a passed assertion does not."""
        return (
            result.result.get("_ansible_verbose_always", False) is True
            and not result.result.get("_ansible_verbose_override", False)
            and result.task.action not in _ASSERTING
            and not isinstance(result.task, TaskInclude)
        )

    def _say(self, result: Any, word: str, item: str) -> None:
        self._header(result)
        self._handle_warnings_and_exception(result)
        self._clean_results(result.result, result.task.action)
        colour = C.COLOR_CHANGED if word == "changed" else C.COLOR_OK
        lines = [f"{word}: [{self.host_label(result)}]{item}", *text.message_lines(result.result)]
        self._display.display("\n".join(lines), color=colour)

    def _warn(self, result: Any) -> None:
        if result.result.get("warnings") or result.result.get("deprecations"):
            if not isinstance(result.task, TaskInclude):
                self._header(result)
            self._handle_warnings_and_exception(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._done(result, "skipped")
        self._skipped(result, "", super().v2_runner_on_skipped)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._skipped(result, f" (item={self._get_item_label(result.result)})", super().v2_runner_item_on_skipped)

    def _skipped(self, result: Any, item: str, verbose: Any) -> None:
        if self._display.verbosity:
            verbose(result)
            return
        self._warn(result)
        looped = bool(result.task.loop) and "results" in result.result
        # A meta task that does not apply is like a `when` that does not.
        quiet = looped or result.task.action in C._ACTION_META or not self.get_option("display_skipped_hosts")
        reason = "" if quiet else text.skip_reason(result.result)
        if reason:
            self._header(result)
            self._display.display(f"skipping: [{result.host.get_name()}]{item} {reason}", color=C.COLOR_SKIP)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._done(result, "ignored" if ignore_errors else "failed")
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._header(result)
        self._handle_warnings_and_exception(result)
        if result.task.loop and "results" in result.result:
            self._process_items(result)  # each item has said its own
        else:
            if self.get_option("show_task_path_on_failure"):
                self._print_task_path(result.task)
            self._fail(result, f"fatal: [{self.host_label(result)}]: FAILED!", C.COLOR_ERROR)
        if ignore_errors:
            self._display.display("...ignoring", color=C.COLOR_SKIP)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_item_on_failed(result)
            return
        self._header(result)
        self._handle_warnings_and_exception(result)
        lead = f"failed: [{self.host_label(result)}] (item={self._get_item_label(result.result)})"
        self._fail(result, lead, C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._done(result, "unreachable")
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
            return
        self._header(result)
        self._handle_warnings_and_exception(result)
        self._fail(result, f"fatal: [{self.host_label(result)}]: UNREACHABLE!", C.COLOR_UNREACHABLE)
        if result.task.ignore_unreachable:
            self._display.display("...ignoring", color=C.COLOR_SKIP)

    def _fail(self, result: Any, lead: str, colour: str) -> None:
        message = "\n".join([lead, *text.failure_lines(result.result)])
        self._display.display(message, color=colour, stderr=self.get_option("display_failed_stderr"))

    # -- news that is only worth a note on the host's line ---------------------------------------------------------

    def v2_runner_retry(self, result: Any) -> None:
        note = f"retry {result.result.get('attempts')} of {result.result.get('retries')}"
        self._run.note(result.host.get_name(), note)
        if self._display.verbosity:
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result: Any) -> None:
        self._run.note(result.host.get_name(), "in the background")
        if self._display.verbosity:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_on_async_ok(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)


def _colour(tally: Tally) -> str | None:
    outcomes = set(tally.outcomes.values())
    if outcomes & {"failed", "unreachable"}:
        return str(C.COLOR_ERROR)
    if "changed" in outcomes:
        return str(C.COLOR_CHANGED)
    return str(C.COLOR_SKIP) if outcomes == {"skipped"} else str(C.COLOR_OK)


def _painted(line: layout.Line) -> str:
    colour = {
        "waiting": "dark gray",
        "failed": C.COLOR_ERROR,
        "unreachable": C.COLOR_UNREACHABLE,
        "status": "bright cyan",
    }.get(line.kind)
    return str(stringc(line.text, colour)) if colour else line.text
