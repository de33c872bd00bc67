# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dashboards are current, say what good looks like, and ask Prometheus for what exists, as it understands it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from roles.grafana.dashboards import BOARDS, __main__, files, marks, metrics, pages, render
from roles.grafana.dashboards.panels import COLUMNS, Board, Panel, Thresholds, below, by_hand, exactly, least, stat

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "roles/prometheus/files/rules/recording.yml"
PANELS = [pytest.param(board, panel, id=f"{board.uid}-{panel.key}") for board in BOARDS for panel in board.panels]
FIGURES = [
    param for param in PANELS if isinstance(one := param.values[1], Panel) and one.kind not in {"alerts", "logs"}
]
# What Grafana calls its units; a misspelt one is shown as text.
UNITS = set("none short percentunit s bytes Bps reqps ops d currencyEUR".split())  # noqa: SIM905 - a list of words


def queries() -> list[tuple[str, str]]:
    """(where, expression) of everything that Prometheus is asked, as somebody can run it."""
    asked = [
        (f"{one['dashboard']}/{one['panel']}", str(one["expr"]))
        for one in __main__.queries()
        if one["source"] == "prometheus"
    ]
    return asked + [(f"{board.uid}: hosts", by_hand(board.expand(board.hosts))) for board in BOARDS if board.hosts]


def recorded() -> set[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def test_files_are_current() -> None:
    assert files.drift(files.wanted()) == []


def test_drift_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES", tmp_path)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    (tmp_path / "stale.json").write_text("old")
    (tmp_path / "nobody.json").write_text("{}")
    assert files.drift({tmp_path / "stale.json": "new", tmp_path / "missing.json": "new"}) == [
        "stale.json: has drifted from roles/grafana/dashboards; run bin/docs",
        "missing.json: has drifted from roles/grafana/dashboards; run bin/docs",
        "nobody.json: no dashboard makes it; run bin/docs",
    ]


def test_every_dashboard_of_the_documents_is_there() -> None:
    wanted = {"executive", "technical", "security"}
    wanted |= {"slo", "edge", "app", "postgres", "redis", "etcd", "hosts", "docker", "backup", "logs"}
    assert {board.uid for board in BOARDS} == wanted
    assert len(BOARDS) == len(wanted)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_is_small_and_answers_first(board: Board) -> None:
    assert 6 <= len(board.panels) <= 16
    assert board.question.endswith("?")
    assert 4 <= len(board.top) <= 6
    assert all(panel.kind == "stat" for panel in board.top)
    assert any(panel.thresholds.judges for panel in board.top)
    for what in (Counter(panel.key for panel in board.panels), Counter(panel.number for panel in board.panels)):
        assert max(what.values()) == 1, "alerts link to panels by key and number, so each is there once"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_has_no_holes_and_cuts_off_no_title(board: Board) -> None:
    rows: dict[int, int] = {}
    for panel, (_, y, width, _) in zip(board.panels, render.layout(board), strict=True):
        rows[y] = rows.get(y, 0) + width
        assert len(panel.title) <= 7.8 * width, f"{panel.title!r} does not fit on a screen of 1480 pixels"
    assert set(rows.values()) == {COLUMNS}


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_says_what_it_is(board: Board, panel: Panel) -> None:
    assert panel.title
    assert len(panel.title) <= 60, "a longer one is cut off"
    assert len(panel.description) >= 20
    assert panel.description.endswith(".")
    assert panel.unit in UNITS
    assert panel.queries


@pytest.mark.parametrize(("board", "panel"), FIGURES)
def test_a_title_says_what_good_looks_like(board: Board, panel: Panel) -> None:
    """Behind a colon, and then the colours say it too: a limit in words alone would be believed and not seen."""
    what, _, good = panel.title.partition(": ")
    assert what
    assert good or not panel.thresholds.judges, "there are colours, and the title does not say for what"
    if re.match(r"(under|over) \d|0$", good) and panel.kind == "stat":
        assert panel.thresholds.judges, "the title has a limit, and the colours have none"


@pytest.mark.parametrize(("board", "panel"), FIGURES)
def test_a_figure_has_limits_or_says_why_not(board: Board, panel: Panel) -> None:
    assert panel.thresholds.judges is not bool(panel.thresholds.why)


@pytest.mark.parametrize(("board", "panel"), FIGURES)
def test_a_limit_that_changes_direction_is_drawn_so(board: Board, panel: Panel) -> None:
    values = [value for value, _ in panel.thresholds.steps if value is not None]
    assert values == sorted(values)
    assert panel.thresholds.steps[0][0] is None


def test_every_series_exists() -> None:
    known = metrics.known() | (recorded() if RULES.exists() else set())
    missing = {
        (where, name)
        for where, expression in queries()
        for name in metrics.names(expression)
        if name not in known and not (":" in name and not RULES.exists())
    }
    assert not missing, f"no exporter and no rule gives it; see {metrics.TABLE.relative_to(ROOT)}"


def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "promtool is not on PATH; bin/setup brings it"
    return found


def checked(directory: Path, expressions: list[str]) -> subprocess.CompletedProcess[str]:
    rules = [{"record": f"test:query:{number}", "expr": text} for number, text in enumerate(expressions)]
    path = directory / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    return subprocess.run([promtool(), "check", "rules", str(path)], capture_output=True, text=True, check=False)


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    done = checked(tmp_path, [expression for _, expression in queries()])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries())} rules found" in done.stdout


def test_prometheus_refuses_a_broken_one(tmp_path: Path) -> None:
    assert checked(tmp_path, ["sum(rate(up[5m])"]).returncode != 0


def test_a_mark_is_where_something_was_done_and_nowhere_else(tmp_path: Path) -> None:
    """A timeline that grows and a host that becomes master are marked for the minute in which that is news."""
    series = {
        'patroni_postgres_timeline{env="test",scope="trading",instance="db1"}': "3x3 4x6",
        'patroni_postgres_timeline{env="test",scope="trading",instance="db2"}': "3x9",
        'redis_instance_info{env="test",job="redis",role="master",instance="redis1"}': "1x3 stale",
        'redis_instance_info{env="test",job="redis",role="master",instance="redis2"}': "_x4 1x6",
    }
    marked = {
        marks.FAILOVERS: {4: ['{env="test", scope="trading"} 4']},
        marks.MASTERS: {4: ['{env="test", instance="redis2"} 1']},
    }
    cases = [
        {
            "expr": by_hand(board().expand(mark.expression)),
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": text.rpartition(" ")[0], "value": float(text.rpartition(" ")[2])}
                for text in at.get(minute, [])
            ],
        }
        for mark, at in marked.items()
        for minute in range(2, 9)
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    tests = [{"interval": "1m", "input_series": given, "promql_expr_test": cases}]
    path = tmp_path / "marks.yml"
    path.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool(), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_grafana_asks_prometheus_for_each_mark(board: Board) -> None:
    """Nobody writes annotations into Grafana: one that it looked for in its own database would never come."""
    found = json.loads(render.document(board))["annotations"]["list"]
    assert [one["name"] for one in found] == [mark.title for mark in board.marks]
    assert all(one["datasource"] == {"type": "prometheus", "uid": "prometheus"} for one in found)
    assert [one["useValueForTime"] for one in found] == [" * 1000" in one["expr"] for one in found]


def test_nothing_of_a_dashboard_is_left_in_a_query() -> None:
    assert not [(where, text) for where, text in queries() if "$" in text or "HERE" in text or "ENV" in text]


def test_the_story_can_read_the_queries(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--queries"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) > 100
    assert {"dashboard", "panel", "expr", "may_be_empty", "source"} <= set(told[0])
    assert {one["source"] for one in told} == {"prometheus", "alertmanager", "logs"}


def test_a_word_that_is_no_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--query"]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up", {"up"}),
        ('sum by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))', {"node_cpu_seconds_total"}),
        ('app:latency:p95_5m{env=~".+"} > 0.5 or vector(0)', {"app:latency:p95_5m"}),
        ("a / on (env, instance) group_left (role) b", {"a", "b"}),
        ('label_replace(c{x="{y}"}, "status", "${1}xx", "status", "(.).*")', {"c"}),
        ("topk(10, d == bool 0) * 1e9", {"d"}),
    ],
)
def test_names_of_a_query(expression: str, names: set[str]) -> None:
    assert metrics.names(expression) == names


@pytest.mark.parametrize(
    ("thresholds", "value", "colour"),
    [
        (below(1), 0, "green"),
        (below(1), 1, "red"),
        (below(0.8, 0.9), 0.85, "orange"),
        (below(0.8, 0.9), 0.9, "red"),
        (least(0.999, 0.99), 0.9995, "green"),
        (least(0.999, 0.99), 0.995, "orange"),
        (least(0.999, 0.99), 0.5, "red"),
        (least(3), 2, "red"),
        (exactly(1), 0, "red"),
        (exactly(1), 1, "green"),
        (exactly(1), 2, "red"),
        (Thresholds(), 5, "blue"),
    ],
)
def test_the_colour_of_a_value(thresholds: Thresholds, value: float, colour: str) -> None:
    assert [name for start, name in thresholds.steps if start is None or value >= start][-1] == colour


def board(hosts: str = "") -> Board:
    one = stat("k", "Down: 0", "up{HERE}", "none", below(1), "What is down just now.")
    return Board("x", "A | B", "Well?", "Look.", (one,), (), hosts=hosts)


def test_a_query_is_filtered_by_the_variables_that_there_are() -> None:
    assert board().expand("up{HERE}\n  or up{ENV}") == 'up{env=~"$env"} or up{env=~"$env"}'
    assert board("up").expand("up{HERE}") == 'up{env=~"$env",instance=~"$instance"}'
    assert by_hand(board("up").expand("rate(x{HERE}[$__rate_interval])")) == 'rate(x{env=~".+",instance=~".+"}[5m])'


def test_the_page_of_the_handbook() -> None:
    text = pages.page([board()])
    assert "| [A | B](#a--b) | `x` | Well? |" in text
    assert "| Down: 0 | What is down just now. |" in text
