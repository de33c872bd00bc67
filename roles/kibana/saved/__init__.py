# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana's data views, searches and dashboards, from typed Python. `python -m roles.kibana.saved --help`."""

from __future__ import annotations
