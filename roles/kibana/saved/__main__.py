# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the saved objects, or tells whether they are what the Python says.

usage: python -m roles.kibana.saved [--check]
"""

from __future__ import annotations

import sys

from .files import drift, write


def main(words: list[str]) -> int:
    if words == ["--check"]:
        problems = drift()
        sys.stderr.write("".join(f"saved objects: {problem}\n" for problem in problems))
        return 1 if problems else 0
    if words:
        sys.stderr.write(str(__doc__))
        return 0 if words[0] in ("-h", "--help") else 2
    for path in write():
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
