# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does, one function a state: look, judge, act, wait for the outcome. Raises PatroniError."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from . import settings
from .client import Client
from .proxies import Console, ProxyError, resume_all
from .restarting import reinit, restart, rolling_restart
from .switching import failover, promote, switchover
from .view import Cluster, PatroniError, describe, facts
from .work import Options, Result


def info(client: Client, options: Options, check: bool) -> Result:
    view = client.cluster()
    return Result(lines=describe(view), facts=facts(view))


def set_pause(client: Client, options: Options, check: bool, wanted: bool) -> Result:
    view = client.trusted(complete=False)
    result = Result(changed=view.paused != wanted, facts=facts(view))
    word = "paused" if wanted else "on"
    result.diff = {
        "before": f"automatic failover: {'paused' if view.paused else 'on'}\n",
        "after": f"automatic failover: {word}\n",
    }
    if not result.changed:
        result.say(f"nothing to do: automatic failover is {word} already")
        return result
    result.say(f"plan: automatic failover {word}")
    if check:
        return result
    asked = _able(view)
    client.change(asked, "PATCH", "/config", {"pause": True if wanted else None}, 30)

    def met(view: Cluster) -> list[str]:
        late = [member.name for member in view.members if member.answered and member.paused != wanted]
        return [f"{', '.join(late)} did not take it up"] if late or view.paused != wanted else []

    view, seconds = client.wait(met, f"automatic failover {word} on every member", options.timeout)
    result.facts = facts(view)
    result.say(f"automatic failover is {word} on every member, after {seconds:.1f} s")
    return result


def pause(client: Client, options: Options, check: bool) -> Result:
    return set_pause(client, options, check, True)


def resume(client: Client, options: Options, check: bool) -> Result:
    return set_pause(client, options, check, False)


def _able(view: Cluster) -> str:
    """Who takes a request for the whole cluster: the leader, or any that answers."""
    leader = view.leader
    if leader and leader.answered:
        return leader.name
    return next(member.name for member in view.members if member.answered)


def configured(client: Client, options: Options, check: bool) -> Result:
    view = client.trusted(complete=False)
    patch = settings.patch_for(view.config, options.config)
    wanted = settings.patched(view.config, patch)
    result = Result(changed=bool(patch), facts=facts(view))
    parameters = settings.needs_restart(patch)
    result.diff = {"before": settings.text(view.config), "after": settings.text(wanted)}
    if patch and not check:
        client.change(_able(view), "PATCH", "/config", patch, 30)
        # Members take it up in their next loop; a flag that is sure to come is worth waiting for.
        view = _taken_up(client, view, patch, bool(parameters))
        if settings.patch_for(view.config, options.config):
            raise PatroniError("the settings were sent, and GET /config does not show them; somebody else edits them")
        result.facts = facts(view)
    if options.landed and not check:
        # Patroni reads its file again between two loops, and asks the server a second later what waits for a restart.
        time.sleep(view.loop_wait + 2)
        view = client.cluster()
        result.facts = facts(view)
    pending = [member.name for member in view.members if member.pending_restart]
    result.facts["restart_parameters"] = parameters
    if pending or parameters:
        reasons = {name for member in view.members for name in member.pending_reason} | set(parameters)
        names = f" for {', '.join(sorted(reasons))}" if reasons else ""
        where = ", ".join(pending) or "every member"
        result.warnings.append(f"a restart is pending on {where}{names}: playbooks/rolling_restart.yml does it")
    return result


def _taken_up(client: Client, before: Cluster, patch: Mapping[str, Any], restarts: bool) -> Cluster:
    def met(view: Cluster) -> list[str]:
        if settings.patch_for(view.config, patch):
            return ["GET /config does not show the settings yet"]
        if restarts and not all(member.pending_restart for member in view.members if member.answered):
            return ["no restart is pending yet"]
        return []

    try:
        return client.wait(met, "the settings", 2 * before.loop_wait + 2)[0]
    except PatroniError:
        # A value that is the running one already leaves nothing pending. What /config shows is judged by the caller.
        return client.cluster()


def resume_proxies(client: Client, options: Options, check: bool) -> Result:
    """For proxies that something left paused."""
    if options.access is None or not options.proxies:
        raise PatroniError("resume_proxies needs proxies and proxy_password")
    targets, failures = [], []
    for proxy in options.proxies:
        console = Console(proxy, options.access)
        try:
            rows = console.open().ask("SHOW DATABASES")
            targets += [(proxy, str(row["name"])) for row in rows if int(row.get("paused") or 0)]
        except ProxyError as error:
            # The clients of the others must not wait for this one.
            failures.append(str(error))
        console.close()
    result = Result(changed=bool(targets))
    result.say(f"resume: {', '.join(f'{name} on {proxy.name}' for proxy, name in targets) or 'nothing is paused'}")
    if targets and not check:
        failures += resume_all(targets, options.access)
    if failures:
        raise ProxyError(f"may still be paused: {'; '.join(failures)}. Bring it back, then run this again")
    return result


STATES: Mapping[str, Callable[[Client, Options, bool], Result]] = {
    "info": info,
    "switchover": switchover,
    "failover": failover,
    "promote": promote,
    "restart": restart,
    "rolling_restart": rolling_restart,
    "reinit": reinit,
    "pause": pause,
    "resume": resume,
    "configured": configured,
    "resume_proxies": resume_proxies,
}
