# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one pass over a host's certificates that the module makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from . import openssl
from .certificates import PkiError, Wanted, ca_lifetime, parse_all
from .store import Look, Store, missing_programs

_CA_WARN_DAYS = 365


@dataclass
class Outcome:
    """What the module hands back."""

    changed: bool = False
    packages: list[str] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)
    due: dict[str, list[str]] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)
    certificates: dict[str, dict[str, str]] = field(default_factory=dict)
    # In place, with nothing left to do for the rest of the run.
    settled: list[str] = field(default_factory=list)
    warning: str = ""


def keep(params: dict[str, Any], check: bool) -> Outcome:
    """Look at everything, repair what needs no CA, land what is signed, ask for the rest."""
    wanted = parse_all(params["certificates"])
    strangers = sorted(set(params["signed"]) - {one.name for one in wanted})
    if strangers:
        raise PkiError(f"signed holds {', '.join(strangers)}, which certificates does not ask for")
    outcome = Outcome(packages=list(missing_programs(params["trust_system"])))
    if outcome.packages:
        return _unequipped(outcome, wanted)
    store = Store(params["directory"], params["ca_certificate"], params["also_trusted"], check)
    outcome.warning = ca_lifetime(openssl.read_end(store.ca), datetime.now(timezone.utc), _CA_WARN_DAYS)  # noqa: UP017
    outcome.changed = store.prepare()
    if params["trust_system"]:
        outcome.changed |= store.trust()
    looks = [store.look(one, params["renew_before_days"]) for one in wanted]
    for look in looks:
        _keep_one(store, look, params["signed"].get(look.wanted.name, ""), outcome)
    mine = {one.topic for one in wanted if one.topic}
    outcome.topics = sorted(set(outcome.topics) | (store.untold() & mine))
    return outcome


def told(params: dict[str, Any], check: bool) -> Outcome:
    """Strike topics off the note: their services have loaded the certificates."""
    store = Store(params["directory"], params["ca_certificate"], params["also_trusted"], check)
    left = store.untold() - set(params["told"])
    return Outcome(changed=store.note_untold(left), topics=sorted(left))


def _keep_one(store: Store, look: Look, signed: str, outcome: Outcome) -> None:
    wanted = look.wanted
    if store.group_missing(wanted):
        outcome.changed = True
        if not store.check:
            store.add_group(wanted)
    if signed and not store.check:
        _note(store, wanted, outcome)
        store.land(wanted, signed)
        look = store.look(wanted, 0)
    elif look.reasons:
        outcome.due[wanted.name] = look.reasons
        outcome.changed = True
        if store.check:
            _note(store, wanted, outcome)
        else:
            outcome.requests[wanted.name] = store.request(wanted)
    elif store.needs_repair(wanted):
        _note(store, wanted, outcome)
        store.repair(wanted)
    if wanted.name not in outcome.due:
        outcome.settled.append(wanted.name)
    if look.found:
        outcome.certificates[wanted.name] = {
            "serial": look.found.serial,
            "not_after": look.found.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _note(store: Store, wanted: Wanted, outcome: Outcome) -> None:
    outcome.changed = True
    if wanted.topic:
        store.note_untold(store.untold() | {wanted.topic})
        outcome.topics.append(wanted.topic)


def _unequipped(outcome: Outcome, wanted: list[Wanted]) -> Outcome:
    """Without the programs nothing can be looked at; a run after their installation will do all of it."""
    outcome.changed = True
    outcome.due = {one.name: ["openssl or update-ca-certificates is not installed yet"] for one in wanted}
    outcome.topics = sorted({one.topic for one in wanted if one.topic})
    return outcome
