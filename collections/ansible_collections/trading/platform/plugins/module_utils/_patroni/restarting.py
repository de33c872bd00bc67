# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, one or all in turn, and a replica made anew. Raises PatroniError."""

from __future__ import annotations

import time
from typing import Any

from . import verdicts
from .client import Client
from .switching import finish_switch, switch
from .view import Cluster, PatroniError, describe, facts, known
from .work import SWITCH_TIMEOUT, Options, Result, await_writable, checkpoint, paused_proxies, refuse


def restart_member(client: Client, options: Options, view: Cluster, name: str, result: Result) -> None:
    """Restart PostgreSQL on a member and wait until it is what it was. A leader's clients wait behind the proxies."""
    member = known(view.member(name), name)
    began = time.monotonic()

    def call() -> None:
        client.change(name, "POST", "/restart", {"timeout": int(options.timeout)}, options.timeout + 10)

    if member.leads:
        paused = paused_proxies(client, options, result, name)
        try:
            checkpoint(options, member, result)
        except BaseException:
            paused.close()
            raise
        with paused:
            paused.ask(True)
            call()
            if await_writable(client, [name], SWITCH_TIMEOUT) is None:
                raise PatroniError(f"{name} is not writable after its restart; look at `journalctl -u patroni` there")
            time.sleep(options.settle)
    else:
        call()

    def met(view: Cluster) -> list[str]:
        now = view.member(name)
        if now is None or not now.answered:
            return [f"{name} does not answer"]
        if now.started == member.started:
            return [f"PostgreSQL on {name} still runs since {member.started}"]
        if now.leads:
            return [] if now.writes else [f"{name} is {now.own_state}"]
        return verdicts.rejoined(view, name, options.max_lag)

    client.wait(met, f"{name} after its restart", options.timeout)
    result.say(f"restarted {name} in {time.monotonic() - began:.1f} s")


def restart(client: Client, options: Options, check: bool) -> Result:
    name = options.member or ""
    view = client.trusted()
    refuse(f"The restart of {name} is", verdicts.restart(view, name))
    result = Result(lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    member = known(view.member(name), name)
    result.changed = True
    result.say(f"plan: restart PostgreSQL on {name} ({member.role})")
    if not check:
        restart_member(client, options, view, name, result)
        result.facts = facts(client.cluster())
    return result


def reinit(client: Client, options: Options, check: bool) -> Result:
    name = options.member or ""
    view = client.trusted()
    refuse(f"The reinit of {name} is", verdicts.reinit(view, name))
    leader, member = known(view.leader, "the leader"), known(view.member(name), name)
    result = Result(changed=True, lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    result.say(f"plan: wipe the copy on {name} and take a new one from {leader.name}")
    if check:
        return result
    began = time.monotonic()
    client.change(name, "POST", "/reinitialize", {"force": True}, 30)

    def met(view: Cluster) -> list[str]:
        now = view.member(name)
        if now is not None and now.started == member.started and now.started:
            return [f"PostgreSQL on {name} still runs since {now.started}"]
        return verdicts.rejoined(view, name, options.max_lag)

    view, _took = client.wait(met, f"the new copy on {name}", options.timeout)
    seconds = round(time.monotonic() - began, 1)
    result.facts = facts(view) | {"seconds": seconds}
    result.say(f"measured: {name} streams from {leader.name} again after {seconds} s")
    result.lines += [f"now: {line}" for line in describe(view)]
    return result


def rolling_restart(client: Client, options: Options, check: bool) -> Result:
    view = client.trusted()
    result = Result(lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    if verdicts.rolling_step(view, options.everyone, [], 0) is None:
        result.say("nothing to do: no restart is pending")
        return result
    refuse("The rolling restart is", verdicts.planned(view) + verdicts.silent(view))
    if len(view.members) > 1:
        refuse("The rolling restart is", verdicts.candidate_for(view, None, options.max_lag)[1])
    result.changed = True
    if check:
        paused_proxies(client, options, result).close()
        result.say(f"plan: {', then '.join(_planned_steps(view, options.everyone))}")
        return result
    measured, order = _roll(client, options, view, result)
    view = _settled(client, client.trusted())
    pending = [member.name for member in view.members if member.pending_restart]
    result.facts = facts(view) | measured | {"steps": order}
    result.lines += [f"now: {line}" for line in describe(view)]
    if pending:
        raise PatroniError(
            f"a restart is still pending on {', '.join(pending)} after {', '.join(order)}: ask pg_settings there, "
            "where pending_restart is true"
        )
    return result


def _planned_steps(view: Cluster, everyone: bool) -> list[str]:
    done: list[str] = []
    order: list[str] = []
    while step := verdicts.rolling_step(view, everyone, done, 0):
        order.append(f"{step[0].replace('_', ' ')} {step[1]}")
        done.append(step[1])
    return order


def _roll(client: Client, options: Options, view: Cluster, result: Result) -> tuple[dict[str, Any], list[str]]:
    """Step by step, each judged by a new look. Three passes: a lowered limit needs the primary first, then replicas."""
    measured: dict[str, Any] = {}
    order: list[str] = []
    for passes in range(3):
        done: list[str] = []
        while step := verdicts.rolling_step(view, options.everyone and not passes, done, passes):
            act, name = step
            order.append(f"{act.replace('_', ' ')} {name}")
            if act == "switchover":
                measured = roll_leader(client, options, view, result)
            else:
                restart_member(client, options, view, name, result)
            view = _settled(client, view) if passes or act == "switchover" else client.trusted()
            # The switchover restarted the old primary; only where it left something pending is there more to do.
            member = view.member(name)
            if act != "switchover" or (member and not member.pending_restart):
                done.append(name)
        view = _settled(client, view)
        if not any(member.pending_restart for member in view.members):
            break
    return measured, order


def _settled(client: Client, view: Cluster) -> Cluster:
    """A flag falls in a member's next loop after its restart."""
    try:
        return client.wait(
            lambda now: [f"pending on {member.name}" for member in now.members if member.pending_restart],
            "no pending restart",
            view.loop_wait + 2,
        )[0]
    except PatroniError:
        return client.trusted()


def roll_leader(client: Client, options: Options, view: Cluster, result: Result) -> dict[str, Any]:
    """The primary's turn: switch to a replica that was restarted before. Coming back as a replica is its restart."""
    found, problems = verdicts.switchover(view, None, options.max_lag)
    refuse("The switchover of the rolling restart is", problems)
    leader, candidate = known(view.leader, "the leader"), known(found, "the candidate")
    result.say(f"plan: switch from {leader.name} to {candidate.name}")
    measured = switch(client, options, leader, candidate, result)
    step = Result()
    finish_switch(client, options, leader.name, measured, step)
    result.lines += [line for line in step.lines if line.startswith("measured")]
    return measured
