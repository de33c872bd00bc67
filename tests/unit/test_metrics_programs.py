# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that print metrics: what they make of what they read."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = "templates/tree/usr/local/lib/trading-platform"
facts: Any = imported(ROOT / "roles/exporter" / PROGRAMS / "facts_metrics.py")
pgbouncer: Any = imported(ROOT / "roles/exporter" / PROGRAMS / "pgbouncer_metrics.py")


def without_ending(path: Path) -> Any:
    loader = importlib.machinery.SourceFileLoader(path.name, str(path))
    spec = importlib.util.spec_from_loader(path.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.name] = module
    loader.exec_module(module)
    return module


app = without_ending(ROOT / "roles/app" / PROGRAMS / "app_metrics")
receiver = without_ending(ROOT / "playbooks/fleet/world/receiver")


# ----- app_metrics

API = app.Slot("api", "blue", "1")
WEB = app.Slot("web", "green", "2")


def test_only_slots_that_are_up_are_asked() -> None:
    said = (
        'haproxy_server_status{proxy="api_blue",server="slot1",state="UP"} 1\n'
        'haproxy_server_status{proxy="api_blue",server="slot2",state="UP"} 0\n'
        'haproxy_server_status{proxy="api_blue",server="slot2",state="DOWN"} 1\n'
        'haproxy_server_status{proxy="web_green",server="slot2",state="UP"} 1\n'
    )
    assert app.up(said) == [API, WEB]


def test_where_slots_are_stands_in_the_switch_s_configuration() -> None:
    text = "backend api_blue\n    http-check expect status 200\n    server slot1 10.213.0.16:3000\n\nbackend none\n"
    assert app.addresses(text) == {API: "10.213.0.16:3000"}


def test_samples_of_a_metric_stand_together_with_their_labels() -> None:
    text = '# HELP a_total A\n# TYPE a_total counter\na_total{x="1"} 2.0\n# TYPE b gauge\nb 3\n'
    lines = app.merged([(API, text), (WEB, text), (app.Slot("api", "blue", "2"), None)]).splitlines()
    assert lines[:6] == [
        "# HELP a_total A",
        "# TYPE a_total counter",
        'a_total{service="api",set="blue",slot="1",x="1"} 2.0',
        'a_total{service="web",set="green",slot="2",x="1"} 2.0',
        "# TYPE b gauge",
        'b{service="api",set="blue",slot="1"} 3',
    ]
    assert 'app_instances_up{service="api",set="blue"} 1' in lines
    assert 'app_scrape_failed{service="api",set="blue",slot="2"} 1' in lines


def test_what_the_app_says_of_itself_gives_way_to_where_it_is() -> None:
    text = 'app_build_info{release="v1",service="api",slot="9",set="x",of="a,b"} 1\n'
    assert app.merged([(API, text)]).splitlines()[0] == (
        'app_build_info{service="api",set="blue",slot="1",release="v1",of="a,b"} 1'
    )


# ----- pgbouncer_metrics

ANSWERS = {
    "VERSION": [{"version": "PgBouncer 1.18.0"}],
    "POOLS": [
        {"database": "t", "user": "u", "cl_active": "3", "cl_waiting": "1", "maxwait": "2", "maxwait_us": "500000"}
    ],
    "STATS": [{"database": "t", "total_xact_count": "7", "total_query_time": "1500000"}],
    "DATABASES": [{"name": "t", "database": "d", "paused": "1", "max_connections": "35"}],
    "LISTS": [{"list": "used_clients", "items": "4"}, {"list": "dns_names", "items": "0"}],
    "CONFIG": [{"key": "max_client_conn", "value": "600"}, {"key": "x", "value": "y"}],
}


@pytest.mark.parametrize(
    "line",
    [
        'pgbouncer_version_info{version="1.18.0"} 1',
        'pgbouncer_pools_client_waiting_connections{database="t",user="u"} 1',
        'pgbouncer_pools_client_maxwait_seconds{database="t",user="u"} 2.5',
        'pgbouncer_stats_sql_transactions_pooled_total{database="t"} 7',
        'pgbouncer_stats_queries_duration_seconds_total{database="t"} 1.5',
        'pgbouncer_databases_paused{name="t",database="d"} 1',
        "pgbouncer_used_clients 4",
        "pgbouncer_config_max_client_connections 600",
        "# TYPE pgbouncer_stats_sql_transactions_pooled_total counter",
    ],
)
def test_what_the_console_says_as_metrics(line: str) -> None:
    assert line in pgbouncer.exposition(pgbouncer.samples(ANSWERS)).splitlines()


def test_answers_are_told_apart_by_an_empty_line() -> None:
    found = pgbouncer.tables("version\nPgBouncer 1.18.0\n\ndatabase,user\nt,u\n")
    assert found == {"VERSION": [{"version": "PgBouncer 1.18.0"}], "POOLS": [{"database": "t", "user": "u"}]}


# ----- facts_metrics


def test_a_part_that_fails_keeps_no_other_back() -> None:
    def broken() -> Iterator[Any]:
        raise OSError("gone")

    found = list(facts.gathered({"a": broken, "b": lambda: facts.reboot(Path("/nonexistent"))}, 5.0))
    assert found == [
        ("trading_reboot_required", {}, False),
        ("trading_facts_ok", {}, False),
        ("trading_facts_timestamp_seconds", {}, 5.0),
    ]


def test_drift_is_what_differs_from_what_landed_or_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("same", "touched", "changed", "linked", "gone", "taken_away")
    landed = {name: str(tmp_path / name) for name in names}
    for path in landed.values():
        Path(path).write_text("landed")
    sums = {path: hashlib.sha256(b"landed").hexdigest() for name, path in landed.items() if name != "taken_away"}
    sets = tmp_path / "sets"
    sets.mkdir()
    (sets / "x.json").write_text(json.dumps({"files": dict.fromkeys(landed.values(), False), "sums": sums}))
    os.utime(landed["touched"], (2e9, 2e9))
    seen = Path(landed["changed"]).stat()
    Path(landed["changed"]).write_text("LANDED")
    os.utime(landed["changed"], (seen.st_atime, seen.st_mtime))
    Path(landed["linked"]).unlink()
    Path(landed["linked"]).symlink_to(landed["same"])
    for name in ("gone", "taken_away"):
        Path(landed[name]).unlink()
    assert list(facts.drift(sets)) == [("trading_drift_files", {}, 3)]
    assert capsys.readouterr().err.split()[3:] == [landed[name] for name in ("changed", "linked", "gone")]


# ----- world1's receiver


def test_silence_is_raised_once_and_cleared_with_the_next_word(tmp_path: Path) -> None:
    journal = receiver.Journal(tmp_path, 10)
    journal.check(100.0)
    assert not (tmp_path / "notifications.jsonl").exists(), "nobody was heard of yet"
    for moment, heard in ((100.0, True), (105.0, False), (111.0, False), (112.0, False), (113.0, True), (114.0, True)):
        journal.heard(moment) if heard else journal.check(moment)
    lines = (tmp_path / "notifications.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["cleared", "raised", "cleared"]
