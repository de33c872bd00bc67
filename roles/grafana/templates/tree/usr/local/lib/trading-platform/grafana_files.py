#!/usr/bin/python3 -I
"""Grafana's files: whether it can read them, and a copy of its database. Managed by Ansible (role grafana).

usage: grafana_files.py check ROOT        whether dashboards, provisioning and grafana.ini below ROOT can be read
       grafana_files.py copy FROM TO      a consistent copy of a running Grafana's database
       grafana_files.py take FROM TO      that copy becomes the database, where there is none; before Grafana starts
"""

from __future__ import annotations

import configparser
import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Grafana replaces these as it reads; a file that is not there keeps it from starting.
SECRET = re.compile(r"\$__file\{(/etc/trading-platform/grafana/[^}]+)\}")


class Trouble(Exception):  # noqa: N818 - the word it has in the other programs
    """What is wrong, where."""


def parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except ValueError as problem:
        raise Trouble(f"{path.name}: not JSON: {problem}") from None
    if not isinstance(data, dict):
        raise Trouble(f"{path.name}: not an object")
    return data


def dashboards(folder: Path) -> Iterator[str]:
    """What is wrong with them. Grafana itself would skip such a file and only tell its log."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*.json")):
        try:
            board = parsed(path)
        except Trouble as problem:
            yield str(problem)
            continue
        uid = board.get("uid")
        if not board.get("title") or not uid:
            yield f"{path.name}: without title or uid"
        elif uid in seen:
            yield f"{path.name}: has the uid {uid} of {seen[uid].name}"
        else:
            seen[uid] = path
        if not isinstance(board.get("panels"), list):
            yield f"{path.name}: without panels"


def provisioning(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*/*.yaml")):
        try:
            parsed(path)
        except Trouble as problem:
            yield str(problem)


def settings(path: Path) -> Iterator[str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text())
    except configparser.Error as problem:
        yield f"{path.name}: {problem}"


def secrets(root: Path) -> Iterator[str]:
    for path in [root / "etc/grafana/grafana.ini", *sorted(root.glob("etc/grafana/provisioning/*/*.yaml"))]:
        for named in SECRET.findall(path.read_text()):
            if not (root / named.lstrip("/")).is_file():
                yield f"{path.name}: names {named}, which is not there"


def check(root: Path) -> None:
    etc = root / "etc/grafana"
    problems = [
        *settings(etc / "grafana.ini"),
        *provisioning(etc / "provisioning"),
        *dashboards(etc / "dashboards"),
        *secrets(root),
    ]
    if problems:
        raise Trouble("; ".join(problems))


def copy(source: Path, target: Path) -> None:
    """SQLite's own way: what is written meanwhile is in it or not, and never half."""
    if not source.is_file():
        raise Trouble(f"{source} is not there: has Grafana ever started?")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0o600))
    old, made = sqlite3.connect(f"file:{source}?mode=ro", uri=True), sqlite3.connect(new)
    try:
        old.backup(made)
        # One file: what Grafana has beside it would be missing from the copy.
        made.execute("PRAGMA journal_mode=DELETE")
    finally:
        old.close()
        made.close()
    new.replace(target)


def take(source: Path, target: Path) -> None:
    """On a new host to which the copy came back from S3."""
    if target.exists() or not source.is_file():
        return
    owner, new = target.parent.stat(), target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
        made.write(source.read_bytes())
        os.fchmod(made.fileno(), 0o640)
        os.fchown(made.fileno(), owner.st_uid, owner.st_gid)
    new.replace(target)


def main(words: list[str]) -> int:
    try:
        if words[:1] == ["check"] and len(words) == 2:  # noqa: PLR2004 - a verb and a directory
            check(Path(words[1]))
        elif words[:1] in (["copy"], ["take"]) and len(words) == 3:  # noqa: PLR2004 - a verb and two files
            (copy if words[0] == "copy" else take)(Path(words[1]), Path(words[2]))
        else:
            sys.stderr.write(str(__doc__))
            return 0 if words in (["-h"], ["--help"]) else 2
    except (Trouble, OSError, sqlite3.Error) as problem:
        sys.stderr.write(f"grafana_files: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
