"""What a drill has found, as sentences, metrics and a page; nothing is read here. Managed by Ansible (role backup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

# Characters of an answer that a page shows.
SHOWN = 200
PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Restore drill, $stanza, $when</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 1rem auto; padding: 0 1rem; color: #1b1b1b }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } .wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% } .n { text-align: right; font-variant-numeric: tabular-nums }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ccc; overflow-wrap: break-word }
.bad { color: #a00; font-weight: bold }
.verdict { padding: .6rem 1rem; border-left: .4rem solid #1a7f37; background: #eef8f0 }
.verdict.bad { border-color: #a00; background: #fdeeee }
</style></head><body>
<h1>Restore drill of $stanza, $when</h1>
<div class="verdict$bad">$verdict</div>
<h2>What was done</h2>
<div class="wide"><table>$facts</table></div>
<h2>How long it took</h2>
<p>The time to recover is that of restore and recovery, until the database answers. It was measured beside production at
low priority: a real restore is faster. The data at risk is the age of the oldest commit that the archive did not have
yet at the drill's moment, and so what would have been lost, had every host been lost then.</p>
<div class="wide"><table><tr><th>Step</th><th class="n">Seconds</th></tr>$steps</table></div>
<h2>Checks</h2>
<div class="wide"><table><tr><th>Check</th><th>Outcome</th><th>Source</th><th>Restored</th></tr>$checks</table></div>
<h2>Rows by table</h2>
<div class="wide"><table><tr><th>Table</th><th class="n">Source</th><th class="n">Restored</th></tr>$rows</table></div>
</body></html>
""")


def compared(source: Mapping[str, int], restored: Mapping[str, int]) -> list[dict[str, Any]]:
    """Rows by table. None where there is no such table."""
    return [
        {"table": name, "source": source.get(name), "restored": restored.get(name)}
        for name in sorted(source.keys() | restored.keys())
    ]


def checked(
    asked: Sequence[Mapping[str, str]], source: Mapping[str, str], restored: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The same answer on both sides, and the one that is wanted where one is."""
    return [
        {
            "name": one["name"],
            "ok": source[one["name"]] == restored[one["name"]] == one.get("answer", source[one["name"]]),
            "source": source[one["name"]],
            "restored": restored[one["name"]],
        }
        for one in asked
    ]


def problems(report: Mapping[str, Any]) -> list[str]:
    """Sentences; none where the drill has shown what it should."""
    if report.get("message"):
        said = [f"It did not come to its end: {report['message']}"]
    else:
        said = [] if report["rows"] else ["There was no table to compare."]
    said += [
        f"{one['table']}: {there(one['source'])} at the source, {there(one['restored'])} restored."
        for one in report["rows"]
        if one["source"] != one["restored"]
    ]
    said += [f"The check '{one['name']}' failed." for one in report["checks"] if not one["ok"]]
    for figure, what in (("rto", "Recovering took"), ("rpo", "The oldest commit not archived was of")):
        if report.get(f"{figure}_seconds", 0) > report[f"{figure}_max"]:
            said.append(
                f"{what} {report[f'{figure}_seconds']} s, more than the {report[f'{figure}_max']} s that are allowed."
            )
    return said


def there(count: int | None) -> str:
    return "no such table" if count is None else f"{count} rows"


def clock(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")


def verdict(report: Mapping[str, Any]) -> list[str]:
    wrong = problems(report)
    if wrong:
        return ["The drill FAILED.", *wrong]
    rows = [one["restored"] for one in report["rows"]]
    return [
        f"The drill succeeded: {sum(rows)} rows in {len(rows)} tables came back as they were.",
        f"Back within {report['rto_seconds']} s (allowed: {report['rto_max']}); "
        f"{report['rpo_seconds']} s of commits at risk (allowed: {report['rpo_max']}).",
    ]


def metrics(report: Mapping[str, Any], last_success: float | None) -> str:
    """For node-exporter's textfile collector."""
    figures = {
        "last_end_timestamp_seconds": report["end"],
        "last_success_timestamp_seconds": last_success,
        "ok": report["ok"],
        "rto_seconds": report.get("rto_seconds"),
        "rpo_seconds": report.get("rpo_seconds"),
    }
    return "".join(f"trading_drill_{name} {float(value)}\n" for name, value in figures.items() if value is not None)


def page(report: Mapping[str, Any]) -> str:
    facts = {
        "Cluster": report["stanza"],
        "Rehearsed on": f"{report['host']}, compared with the {report.get('source', 'database')} there",
        "Restored from": f"set {report.get('set', '-')}, complete since {clock(report.get('set_stop', '-'))}",
        "Restored up to": f"{report.get('lsn', '-')}, as it was at {clock(report.get('moment', '-'))}",
        "Size": f"{report.get('bytes', '-')} bytes",
        "Time to recover": f"{report.get('rto_seconds', '-')} s of {report['rto_max']} s allowed",
        "Data at risk": f"{report.get('rpo_seconds', '-')} s of {report['rpo_max']} s allowed",
    }
    return PAGE.substitute(
        stanza=escape(report["stanza"]),
        when=escape(clock(report["when"])),
        bad="" if report["ok"] else " bad",
        verdict="".join(f"<p>{escape(line)}</p>" for line in report["verdict"]),
        facts="".join(line([name, value]) for name, value in facts.items()),
        steps="".join(line([one["name"], one["seconds"]], numbers=1) for one in report.get("steps", ())),
        checks="".join(
            line(
                [one["name"], "as it should be" if one["ok"] else "FAILED", one["source"], one["restored"]],
                bad=not one["ok"],
            )
            for one in report["checks"]
        ),
        rows="".join(
            line(list(one.values()), numbers=2, bad=one["source"] != one["restored"]) for one in report["rows"]
        ),
    )


def line(cells: Sequence[Any], numbers: int = 0, bad: bool = False) -> str:
    """A row of a table, its last cells numbers."""
    plain = len(cells) - numbers
    kinds = [("n " if place >= plain else "") + ("bad" if bad else "") for place in range(len(cells))]
    told = ["-" if cell is None else str(cell)[:SHOWN] for cell in cells]
    return (
        "<tr>"
        + "".join(f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, told, strict=True))
        + "</tr>\n"
    )
