"""The alerts: rules and their tests, causes made for real, and what the dashboards ask."""

from __future__ import annotations

import json
import math
import sys

import alarms
import data
import releases
import watch
from fleet import run


def main() -> None:
    releases.any_release()
    heard = []
    for name, wave in alarms.WAVES.items():
        data.wait_healthy(180)
        told = alarms.wave(wave())
        sys.stderr.writelines(f"{name}: {one}\n" for one in told)
        heard += told
    rules = json.loads(run("python", "tests/rules.py", "--count").output)
    beyond = {one.call.alert: one.beyond_for_s for one in heard if one.beyond_for_s is not None}
    figures = {
        "rules": rules["alerts"],
        # The watchdog always fires.
        "rules_untested": len(set(rules["untested"]) - {"Watchdog"}),
        "caused": len(beyond),
        "not_called": sum(one.beyond_for_s is None for one in heard),
        "not_cleared": sum(not one.cleared for one in heard if one.beyond_for_s is not None),
        # Nobody heard: longer than any bar.
        "notify_s": max(beyond.values(), default=math.inf),
        "notify_5xx_s": beyond.get("ServerErrorsAboveOnePercent", math.inf),
        "notify_primary_down_s": beyond.get("PostgresDown", math.inf),
        "panel_queries_failed": sum("error" in answer for _panel, _query, answer in watch.panels()),
    }
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
