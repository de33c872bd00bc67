# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role shows: a view for each stream, the questions that are asked at night, and two dashboards."""

from __future__ import annotations

from .model import Board, Chart, Search, View

ALL = View("logs", "All logs", "logs-*")
APP = View("logs-app", "Application", "logs-app-*")
EDGE = View("logs-edge", "Edge", "logs-edge-*")
POSTGRES = View("logs-postgresql", "PostgreSQL", "logs-postgresql-*")
REDIS = View("logs-redis", "Redis", "logs-redis-*")
SYSTEM = View("logs-system", "System", "logs-system-*")
AUDIT = View("logs-audit", "Audit", "logs-audit-*")
VIEWS = (ALL, APP, EDGE, POSTGRES, REDIS, SYSTEM, AUDIT)

BAD = "log.level:(error or critical or alert or emergency)"

ERRORS = Search(
    "errors",
    "Errors of all services",
    "Newest first. None that you do not know is what you want to see.",
    ALL,
    BAD,
    ("host.name", "service.name", "log.level", "message"),
)
REQUEST = Search(
    "request",
    "One request through all services",
    'Narrow it down to one request: http.request.id:"ID". The id begins at the edge, and PostgreSQL has it too.',
    ALL,
    "http.request.id:*",
    ("host.name", "service.name", "http.request.id", "message"),
)
FAILED = Search(
    "edge-failed",
    "Requests that failed at the edge",
    "Answered with 500 or more, with the path and how long each took (event.duration, nanoseconds).",
    EDGE,
    "http.response.status_code >= 500",
    ("host.name", "http.response.status_code", "url.path", "event.duration", "http.request.id"),
)
DATABASE = Search(
    "postgresql-errors",
    "What PostgreSQL and its proxies complain of",
    "Without what pgaudit writes, which is in the view Audit.",
    POSTGRES,
    "log.level:(warning or error or critical or alert or emergency)",
    ("host.name", "service.name", "user.name", "postgresql.database", "message"),
)
LOGINS = Search(
    "logins",
    "Who came in, and who became root",
    "sshd, sudo and su of all hosts.",
    AUDIT,
    "service.name:(sshd or sudo or su)",
    ("host.name", "service.name", "message"),
)
STATEMENTS = Search(
    "pgaudit",
    "What was done in the database, by whom",
    "pgaudit: roles, definitions, and what else the inventory asks it for.",
    AUDIT,
    "event.dataset:pgaudit",
    ("host.name", "user.name", "postgresql.database", "message"),
)
SEARCHES = (ERRORS, REQUEST, FAILED, DATABASE, LOGINS, STATEMENTS)

BY_LEVEL = Chart("lines-by-level", "Lines by level", "How much is said, and how loud.", ALL, "", "log.level", True)
BY_SERVICE = Chart("errors-by-service", "Errors by service", "Who complains most.", ALL, BAD, "service.name")
BY_HOST = Chart("errors-by-host", "Errors by host", "Where it happens.", ALL, BAD, "host.name")
AUDIT_BY_SERVICE = Chart(
    "audit-by-service", "Audit by program", "A hill is worth a question.", AUDIT, "", "service.name", True
)

BOARDS = (
    Board(
        "overview",
        "Logs: what is wrong",
        "Begin here when an alert says that something is: how much is said, who complains, and the lines themselves.",
        ((BY_LEVEL,), (BY_SERVICE, BY_HOST), (ERRORS,)),
    ),
    Board(
        "audit",
        "Logs: who did what",
        "Logins, sudo and statements of the database, for the auditor and after an incident.",
        ((AUDIT_BY_SERVICE,), (LOGINS,), (STATEMENTS,)),
        since="now-7d",
    ),
)
