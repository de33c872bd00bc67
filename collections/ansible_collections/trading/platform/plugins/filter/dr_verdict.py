# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._dr.verdicts import OPERATIONS, Sites, judge


def look(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the host printed; nothing where it was not reached, or could not say."""
    said = (variables.get("__dr_seen") or {}).get("stdout") or ""
    found: dict[str, Any] = json.loads(said) if said else {}
    return found


def dr_verdict(
    operation: str, first: Sequence[str], second: Sequence[str], hostvars: Mapping[str, Any], **limits: Any
) -> dict[str, Any]:
    if operation not in OPERATIONS:
        raise AnsibleFilterError(f"dr_verdict: no operation {operation}; there are {', '.join(OPERATIONS)}")
    try:
        looks = {name: look(hostvars[name]) for name in (*first, *second)}
        ours, theirs = ({name: looks[name] for name in hosts} for hosts in (first, second))
        return judge(operation, Sites(ours, theirs, **limits))
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"dr_verdict: a host's answer makes no sense: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dr_verdict": dr_verdict}
