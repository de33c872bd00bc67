"""The alerts: rules and their tests, causes made for real, and what the dashboards ask."""

from __future__ import annotations

import json
import math
import re
import sys

import alarms
import data
import releases
import watch
from fleet import run


def untested() -> tuple[int, set[str]]:
    """How many alerts there are; which lack a firing or a quiet case, or have one that promtool finds wrong."""
    counted = json.loads(run("python", "tests/rules.py", "--count").output)
    proved = run("python", "tests/rules.py")
    wrong = set(re.findall(r"^FAILED tests/rules::([\w:]+)", proved.output, re.M))
    if proved.code and not wrong:
        sys.exit(f"bench: tests/rules.py names no rule and fails\n{proved.output[-3000:]}")
    # The watchdog always fires.
    return counted["alerts"], (set(counted["untested"]) - {"Watchdog"}) | wrong


def main() -> None:
    releases.any_release()
    heard = []
    for name, wave in alarms.WAVES.items():
        data.wait_healthy(180)
        told = alarms.wave(wave())
        sys.stderr.writelines(f"{name}: {one}\n" for one in told)
        heard += told
    rules, bare = untested()
    beyond = {one.call.alert: one.beyond_for_s for one in heard if one.beyond_for_s is not None}
    named = [beyond.get(name, math.inf) for name in ("ServerErrorsAboveOnePercent", "PostgresDown")]
    figures = {
        "rules": rules,
        "rules_untested": len(bare),
        "caused": len(beyond),
        "not_called": sum(one.beyond_for_s is None for one in heard),
        "not_cleared": sum(not one.cleared for one in heard if one.beyond_for_s is not None),
        # The later of the two that have a bar; of any alert that was caused. Nobody heard: longer than any bar.
        "notify_s": max(named),
        "notify_5xx_s": named[0],
        "notify_primary_down_s": named[1],
        "notify_any_s": max(beyond.values(), default=math.inf),
        "panel_queries_failed": len(watch.panel_faults()),
    }
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
