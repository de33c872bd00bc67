# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the primary: planned, or because there is none. Raises PatroniError."""

from __future__ import annotations

import time
from typing import Any

from . import verdicts
from .client import Client
from .view import Member, PatroniError, describe, facts, known
from .work import POLL, SWITCH_TIMEOUT, Call, Options, Result, checkpoint, paused_proxies, refuse

# No primary stops and no replica is promoted sooner; asking earlier takes time from those who work on it.
FIRST_LOOK = 0.4


def switch(client: Client, options: Options, leader: Member, candidate: Member, result: Result) -> dict[str, Any]:
    """Pause, switch, wait until the candidate writes, resume. The times in seconds."""
    paused = paused_proxies(client, options, result, candidate.name)
    try:
        checkpoint(options, leader, result)
        # The CHECKPOINT may have taken minutes: look once more.
        view = client.trusted()
        refuse("The switchover is", verdicts.switchover(view, candidate.name, options.max_lag)[1])
        if view.leader is None or view.leader.name != leader.name:
            raise PatroniError("the leader changed while this run looked; nothing was touched, run it again")
        lag_before = view.lag(next(member for member in view.members if member.name == candidate.name))
    except BaseException:
        paused.close()
        raise
    with paused:
        asked = time.monotonic()
        paused.ask(True)
        call = Call(
            lambda: client.change(
                leader.name,
                "POST",
                "/switchover",
                {"leader": leader.name, "candidate": candidate.name},
                SWITCH_TIMEOUT + 30,
            )
        )
        time.sleep(FIRST_LOOK)
        while not client.writable(candidate.name):
            if call.error and not call.unknown:
                paused.ask(False)
                raise PatroniError(f"Patroni did not switch, proxies are resumed: {call.error}")
            if time.monotonic() - asked > SWITCH_TIMEOUT:
                why = f"; the call said: {call.error}" if call.error else ""
                raise PatroniError(
                    f"{candidate.name} is not writable {SWITCH_TIMEOUT:g} s after the switchover was asked for"
                    f"{why}; proxies are resumed. Look at `patronictl list` and `journalctl -u patroni` on both hosts"
                )
            time.sleep(POLL)
        writable = time.monotonic() - asked
        time.sleep(options.settle)
        paused.resume()
    gap = known(paused.resumed, "the end of the pause") - known(paused.began, "the start of the pause")
    return {
        "pause_s": round(paused.pause_s or 0.0, 3),
        "writable_s": round(writable, 3),
        "write_gap_s": round(gap, 3),
        "lag_before_bytes": lag_before,
        "timeline_before": leader.timeline,
    }


def switchover(client: Client, options: Options, check: bool) -> Result:
    view = client.trusted()
    result = Result(lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    found, problems = verdicts.switchover(view, options.candidate, options.max_lag)
    refuse("The switchover is", problems)
    leader, candidate = known(view.leader, "the leader"), known(found, "the candidate")
    if candidate.name == leader.name:
        result.say(f"nothing to do: {leader.name} is the leader already")
        return result
    result.changed = True
    result.say(f"plan: switch from {leader.name} to {candidate.name}")
    result.diff = {"before": f"leader: {leader.name}\n", "after": f"leader: {candidate.name}\n"}
    if check:
        paused_proxies(client, options, result).close()
        return result
    measured = switch(client, options, leader, candidate, result)
    finish_switch(client, options, leader.name, measured, result)
    return result


def finish_switch(client: Client, options: Options, old: str, measured: dict[str, Any], result: Result) -> None:
    """Wait for the old primary as a replica, and say what was measured."""
    try:
        view, _took = client.wait(
            lambda view: verdicts.rejoined(view, old, options.max_lag), f"{old} as a replica", options.timeout
        )
    except PatroniError as error:
        raise PatroniError(
            f"the switchover is done and clients write again, but the cluster has no second copy: {error}. "
            f"Look at `journalctl -u patroni` on {old}; playbooks/reinit_replica.yml copies it anew"
        ) from error
    leader, member = known(view.leader, "the leader"), known(view.member(old), old)
    measured |= {"lag_after_bytes": view.lag(member), "timeline_after": leader.timeline}
    result.facts = facts(view) | measured
    result.say(
        f"measured: clients waited {measured['write_gap_s']} s (pause {measured['pause_s']} s, {leader.name} writable "
        f"{measured['writable_s']} s after the request), lag {measured['lag_before_bytes']} bytes before and "
        f"{measured['lag_after_bytes']} after, timeline {measured['timeline_before']} to {measured['timeline_after']}"
    )
    result.lines += [f"now: {line}" for line in describe(view)]


def failover(client: Client, options: Options, check: bool) -> Result:
    # Not `trusted`: a member that is missing is the reason to come here. The memory must be in reach, though.
    view = client.cluster()
    refuse("The failover is", verdicts.memory(view, time.time()))
    result = Result(lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    found, problems = verdicts.failover(view, options.candidate, options.max_lag, options.allow_data_loss)
    refuse("The failover is", problems)
    candidate = known(found, "the candidate")
    if candidate.leads and candidate.writes:
        result.say(f"nothing to do: {candidate.name} is the leader already, and healthy")
        return result
    result.changed = True
    result.say(f"plan: make {candidate.name} the leader; the old one was {view.leader.name if view.leader else 'none'}")
    if check:
        return result
    began = time.monotonic()
    call = Call(
        lambda: client.change(candidate.name, "POST", "/failover", {"candidate": candidate.name}, SWITCH_TIMEOUT + 30)
    )
    while not client.writable(candidate.name):
        if call.error and not call.unknown:
            raise PatroniError(f"Patroni did not fail over: {call.error}")
        if time.monotonic() - began > options.timeout:
            raise PatroniError(
                f"{candidate.name} is not writable {options.timeout:g} s after the failover was asked for"
                f"{f': {call.error}' if call.error else ''}; look at `journalctl -u patroni` on {candidate.name}"
            )
        time.sleep(POLL)
    seconds = round(time.monotonic() - began, 3)
    view = client.cluster()
    result.facts = facts(view) | {"writable_s": seconds}
    result.say(f"measured: {candidate.name} writable {seconds} s after the request")
    result.lines += [f"now: {line}" for line in describe(view)]
    return result


def promote(client: Client, options: Options, check: bool) -> Result:
    """A standby cluster becomes one that takes writes. Who makes sure that no other does is the caller."""
    view = client.trusted(complete=False)
    result = Result(lines=[f"found: {line}" for line in describe(view)], facts=facts(view))
    refuse("The promotion is", verdicts.promotion(view))
    leader = known(view.leader, "the leader")
    if leader.writes:
        result.say(f"nothing to do: {leader.name} takes writes already")
        return result
    result.changed = True
    result.say(f"plan: {leader.name} stops following and takes writes")
    result.diff = {"before": f"{leader.name}: standby leader\n", "after": f"{leader.name}: leader\n"}
    if check:
        return result
    began = time.monotonic()
    client.change(leader.name, "PATCH", "/config", {"standby_cluster": None}, 30)
    while not client.writable(leader.name):
        if time.monotonic() - began > options.timeout:
            raise PatroniError(
                f"{leader.name} does not take writes {options.timeout:g} s after the cluster was told to; "
                f"look at `journalctl -u patroni` there, and run this again"
            )
        time.sleep(POLL)
    seconds = round(time.monotonic() - began, 3)
    view = client.cluster()
    result.facts = facts(view) | {"writable_s": seconds}
    result.say(f"measured: {leader.name} took writes {seconds} s after the request")
    result.lines += [f"now: {line}" for line in describe(view)]
    return result
