# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock and the freeze in etcd. Every change is compared with what was read. Raises.

The lock's key hangs on a lease of some minutes, which the run renews with each step: that needs no process beside the
run, which could die, hang or outlive it. Who took it last is kept without a lease: a run whose lease lapsed during
a long step goes on where nobody else came between, and stops where somebody did.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from .records import Freeze, HeldError, Holder, LockError, View, frozen, held, lost, misnamed, packed, unpacked

PREFIX = "/trading/locks/"
CHANGE, LAST, FREEZE = (f"{PREFIX}{name}" for name in ("change", "last", "freeze"))
# Others may come between reading and writing; so often in a row they do not.
ATTEMPTS = 10

Operation = Mapping[str, Any]


class Cluster(Protocol):
    """What is used of _etcd's client."""

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]: ...


class Locks:
    """One fleet's lock, as one run sees it."""

    def __init__(self, etcd: Cluster, me: Holder, seconds: int = 600) -> None:
        self.etcd, self.me, self.seconds = etcd, me, seconds

    def view(self) -> View:
        """All keys at one revision, and how long the lease has left."""
        reads = [{"requestRange": {"key": text64(key)}} for key in (CHANGE, LAST, FREEZE)]
        answers = self.etcd.call("kv/txn", {"success": reads}).get("responses", [])
        change, last, freeze = ((one["response_range"].get("kvs") or [{}])[0] for one in answers)
        lease = int(change.get("lease", 0))
        return View(
            holder=unpacked(Holder, value(change)) if change else None,
            freeze=unpacked(Freeze, value(freeze)) if freeze else None,
            last=unpacked(Holder, value(last)) if last else None,
            holder_revision=revision(change),
            last_revision=revision(last),
            freeze_revision=revision(freeze),
            lease=lease,
            remaining=max(0, int(self.etcd.call("lease/timetolive", {"ID": str(lease)}).get("TTL", 0))) if lease else 0,
        )

    def acquire(self, instead_of: str = "", override: str = "") -> View:
        """Mine, or a refusal. `instead_of` is the token of a run that is known to be dead."""
        for _attempt in range(ATTEMPTS):
            now = self.view()
            if self._mine(now):
                if self._keep(now):
                    return now
                continue
            if now.holder and now.holder.token != instead_of:
                raise HeldError(held(self.me, now.holder, now.remaining), now.holder.token)
            frozen_now = now.freeze and now.freeze.active(self.me.since)
            if now.freeze and frozen_now and not override:
                raise LockError(frozen(self.me, now.freeze))
            me = replace(self.me, overrides=override if frozen_now else "")
            if self._take(me, {CHANGE: now.holder_revision, FREEZE: now.freeze_revision}):
                return now
        raise LockError(f"The lock changed hands {ATTEMPTS} times while it was asked for. Run it again.")

    def renew(self) -> bool:
        """Longer mine; False where it had lapsed and was free still. Raises where it is not mine any more."""
        for _attempt in range(ATTEMPTS):
            now = self.view()
            if self._mine(now):
                if self._keep(now):
                    return True
            elif now.holder or now.last is None or now.last.token != self.me.token:
                raise LockError(lost(now))
            elif self._take(now.last, {CHANGE: 0, LAST: now.last_revision}):
                return False
        raise LockError(f"The lock changed hands {ATTEMPTS} times while it was renewed. Run it again.")

    def release(self) -> bool:
        """False where it was not mine any more, which is then left as it is."""
        now = self.view()
        if not self._mine(now) or not self._swap({CHANGE: now.holder_revision}, [delete(CHANGE)]):
            return False
        self.etcd.call("lease/revoke", {"ID": str(now.lease)})
        return True

    def clear(self, name: str, check: bool = False) -> Holder | None:
        """Takes it away from a run, which then stops at its next step. Who that was. With `check` only the look."""
        now = self.view()
        if now.holder is None:
            return None
        if now.holder.name != name:
            raise LockError(misnamed(name, now.holder, now.remaining))
        cleared = packed(replace(self.me, token=""))
        if not check and not self._swap({CHANGE: now.holder_revision}, [delete(CHANGE), put(LAST, cleared)]):
            raise LockError("The lock changed hands at this very moment. Look at playbooks/lock_status.yml again.")
        return now.holder

    def freeze(self, wanted: Freeze) -> bool:
        """False where it is frozen just so already."""
        now = self.view()
        if now.freeze and now.freeze.active(wanted.since):
            if (now.freeze.reason, now.freeze.until) == (wanted.reason, wanted.until):
                return False
            raise LockError(f"The fleet is {now.freeze.words}. Thaw it first. Nothing was changed.")
        if not self._swap({FREEZE: now.freeze_revision}, [put(FREEZE, packed(wanted))]):
            raise LockError("Somebody froze the fleet at this very moment. Look at playbooks/lock_status.yml.")
        return True

    def thaw(self) -> Freeze | None:
        """What ended by it."""
        now = self.view()
        if now.freeze and not self._swap({FREEZE: now.freeze_revision}, [delete(FREEZE)]):
            raise LockError("The freeze changed at this very moment. Look at playbooks/lock_status.yml again.")
        return now.freeze

    def _mine(self, now: View) -> bool:
        return now.holder is not None and now.holder.token == self.me.token

    def _keep(self, now: View) -> bool:
        """False where the lease lapsed between looking and renewing."""
        answer = self.etcd.call("lease/keepalive", {"ID": str(now.lease)})
        return int(answer.get("result", {}).get("TTL", 0)) > 0

    def _take(self, me: Holder, compared: Mapping[str, int]) -> bool:
        lease = str(self.etcd.call("lease/grant", {"TTL": str(self.seconds)})["ID"])
        taken = self._swap(compared, [put(CHANGE, packed(me), lease), put(LAST, packed(me))])
        # An answer that was lost on the way is asked for again, and then finds what it wrote itself.
        taken = taken or str(self.view().lease) == lease
        if not taken:
            self.etcd.call("lease/revoke", {"ID": lease})
        return taken

    def _swap(self, compared: Mapping[str, int], operations: Sequence[Operation]) -> bool:
        compare = [
            {"key": text64(key), "target": "MOD", "result": "EQUAL", "modRevision": str(seen)}
            for key, seen in compared.items()
        ]
        return bool(self.etcd.call("kv/txn", {"compare": compare, "success": list(operations)}).get("succeeded"))


def text64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def value(found: Mapping[str, Any]) -> str:
    return base64.b64decode(found.get("value", "")).decode(errors="replace")


def revision(found: Mapping[str, Any]) -> int:
    return int(found.get("mod_revision", 0))


def put(key: str, text: str, lease: str = "0") -> Operation:
    return {"requestPut": {"key": text64(key), "value": text64(text), "lease": lease}}


def delete(key: str) -> Operation:
    return {"requestDeleteRange": {"key": text64(key)}}
