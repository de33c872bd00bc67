# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._pki.certificates import PkiError
from ansible_collections.trading.platform.plugins.module_utils._pki.requests import request_problems


def _filter(info: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    try:
        return request_problems(info, wanted)
    except PkiError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Holds the filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"request_problems": _filter}
