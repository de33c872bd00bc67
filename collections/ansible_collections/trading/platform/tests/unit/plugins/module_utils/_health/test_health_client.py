# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._health.client import ProbeError, probe


def test_a_client_certificate_that_is_not_there_is_named() -> None:
    check = {"kind": "http", "url": "https://127.0.0.1:1/", "cert": "/nonexistent.pem", "key": "/nonexistent.pem"}
    with pytest.raises(ProbeError, match="the certificates for https"):
        probe({**check, "status": [200], "probe_timeout": 1}, lambda _argv, _timeout: (0, "", ""))
