# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge: does the public name answer, through whom, and does TLS hold?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, exactly, least, stat, table, timeseries

BOARD = Board(
    uid="edge",
    title="Edge",
    question="Do the public names answer, by TLS, from outside?",
    reading=(
        "The probes in the top row see what a customer sees. If they fail while the app's own dashboard is "
        "green, the fault is "
        "between: the virtual address, nginx, the certificate. Exactly one host holds the address."
    ),
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "probes",
            "Public names down: 0",
            'sum(probe_success{ENV,module!="icmp"} == bool 0)',
            "none",
            below(1),
            "Probes of names, TLS and WebSocket that fail. The table below says which.",
        ),
        stat(
            "errors",
            "Answers 5xx: under 0.1 %",
            "max(app:availability:error_ratio_rate5m{ENV})",
            "percentunit",
            below(0.001, 0.01),
            "Counted in front of the containers, so that a container that is gone counts too. 1 % pages somebody.",
            decimals=2,
        ),
        stat(
            "holders",
            "Address held by: exactly 1",
            "sum(trading_edge_address_held{ENV})",
            "none",
            exactly(1),
            "0: the name leads nowhere. 2: the load balancers do not hear each other, and both answer.",
        ),
        stat(
            "nginx",
            "nginx down: 0",
            "sum(nginx_up{ENV} == bool 0)",
            "none",
            below(1, 2),
            "Load balancers whose nginx does not answer. The other one takes the address within a second.",
        ),
        stat(
            "certificate",
            "Certificate: over 20 days left",
            "min(probe_ssl_earliest_cert_expiry{ENV}) - time()",
            "s",
            least(1728000, 604800),
            "Of the certificate that was served to the probe, not of the file. It is renewed with 30 days left.",
        ),
        stat(
            "probe",
            "A probe takes: under 500 ms",
            'max(probe_duration_seconds{ENV,module!="icmp"})',
            "s",
            below(0.5, 2),
            "Name, TLS and answer together, of the slowest.",
        ),
    ),
    body=(
        table(
            "targets",
            "Probes: each answers",
            {"Answers": 'probe_success{ENV,module!="icmp"}', "Took, s": 'probe_duration_seconds{ENV,module!="icmp"}'},
            "none",
            NEUTRAL.because("columns of different kinds, each with its own good value"),
            "Each name that is probed. 0 under Answers: try it by hand from outside.",
        ),
        timeseries(
            "responses",
            "Answers by kind: 5xx none",
            "sum by (code) (app_service:http_responses:rate5m{ENV})",
            "reqps",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "What leaves the switch in front of the containers.",
            legend="{{code}}",
            stacked=True,
        ),
        timeseries(
            "requests",
            "Requests by load balancer: one has them",
            "rate(nginx_http_requests_total{ENV}[$__rate_interval])",
            "reqps",
            NEUTRAL.because("load has no good side: what it does to answers has its own panel"),
            "The one that holds the address has the traffic. A change of sides is a failover.",
        ),
        timeseries(
            "connections",
            "Connections to nginx: under 8,000",
            {
                "{{instance}} open": "nginx_connections_active{ENV}",
                "{{instance}} idle": "nginx_connections_waiting{ENV}",
            },
            "none",
            below(8000, 15000),
            "Each price stream is one. 1,000 users at once are planned; nginx is set up for many times that.",
        ),
        timeseries(
            "backends",
            "Containers in service: none missing",
            "app_service:containers:up{ENV}",
            "none",
            least(1),
            "How many answer, by host and service. Fewer than planned after a release: see the app's dashboard.",
            legend="{{instance}} {{service}}",
        ),
        timeseries(
            "queue",
            "Requests that wait for a container: none",
            "sum by (instance) (haproxy_backend_current_queue{ENV})",
            "none",
            below(1, 50),
            "Waiting means that the containers are too few or too slow. Both switches of a host count, also the "
            "one before the database.",
        ),
    ),
)
