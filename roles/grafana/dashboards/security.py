# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security monitoring: who tries to get in, and is what keeps them out in order?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, least, logs, stat, table, timeseries

BOARD = Board(
    uid="security",
    title="Security monitoring",
    question="Does anybody try to get in, and is what keeps them out in order?",
    reading=(
        "The top row is the state of the defences: certificates, files that changed behind the platform's back, "
        "hosts that wait for "
        "a kernel. Below is what people try: refused logins, refused requests. The lines at the bottom say who."
    ),
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "certificates",
            "Own certificates: over 20 d",
            "min(trading_certificate_ends_timestamp_seconds{ENV}) - time()",
            "s",
            least(1728000, 604800),
            "Of all services on all hosts. site.yml renews those with 30 days left.",
        ),
        stat(
            "public",
            "Public certificate: over 20 d",
            "min(env:certificate_days_left:min{ENV})",
            "d",
            least(20, 7),
            "The one that customers see. certbot renews it with 30 days left.",
            decimals=0,
        ),
        stat(
            "drift",
            "Files changed by hand: 0",
            "sum(trading_drift_files{ENV})",
            "none",
            below(1),
            "Files that are not as site.yml landed them. site.yml --check --diff names them.",
        ),
        stat(
            "reboot",
            "Hosts to reboot: 0",
            "sum(trading_reboot_required{ENV})",
            "none",
            below(1, 4),
            "A new kernel or library is installed and not in use.",
        ),
        stat(
            "run",
            "Last site.yml: under 8 d ago",
            "max(time() - trading_site_last_run_timestamp_seconds{ENV})",
            "s",
            below(691200, 2592000),
            "On the host where it is longest ago. What does not run drifts.",
        ),
        stat(
            "tls",
            "Public names without TLS: 0",
            "sum(probe_http_ssl{ENV} == bool 0)",
            "none",
            below(1),
            "Probes that ended without TLS.",
        ),
    ),
    body=(
        timeseries(
            "refused",
            "Requests refused (401, 403, 429), as usual",
            'sum by (status) (rate(app_requests_total{ENV,status=~"401|403|429"}[$__rate_interval]))',
            "reqps",
            NEUTRAL.because("how much is usual depends on the users: LoginFailuresSurge has the limit for logins"),
            "Not logged in, not allowed, too many. A step up is somebody who tries names and passwords.",
            legend="{{status}}",
            empty_when_good=True,
        ),
        timeseries(
            "access",
            "Requests by route, as usual",
            "topk(10, sum by (route) (rate(app_requests_total{ENV}[$__rate_interval])))",
            "reqps",
            NEUTRAL.because("load has no good side: what it does to answers has its own panel"),
            "What is called most. A route that nobody used before is worth a look.",
            legend="{{route}}",
        ),
        table(
            "ending",
            "Certificates that end first: none within 20 days",
            "bottomk(10, (trading_certificate_ends_timestamp_seconds{ENV} - time()) / 86400)",
            "d",
            least(20, 7),
            "The ten internal certificates with fewest days.",
            legend="Days left",
        ),
        timeseries(
            "updates",
            "Hosts that wait for a reboot: none for long",
            "sum by (instance) (trading_reboot_required{ENV})",
            "none",
            below(1),
            "Security updates install by themselves; a reboot is planned by people.",
        ),
        logs(
            "logins",
            "Refused logins: none you do not know",
            "message:(failed OR failure OR invalid) AND service.name:(sshd OR sudo OR postgresql)",
            "sshd, sudo and PostgreSQL, newest first. Addresses are masked as log_shipper_masks says.",
        ),
    ),
)
