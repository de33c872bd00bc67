# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's pure part: from what the task asks for to one flat list of files."""

from __future__ import annotations

import difflib
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._config_tree.globs import (
    is_literal,
    matches,
    matches_any,
)

SUFFIX = ".j2"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MODE = re.compile(r"0[0-7]{3,4}")


class TreeError(Exception):
    """The task asks for something that cannot be done; the message says what to change."""


def target_of(source: str) -> str:
    """The path a source file lands on, below dest."""
    return source[: -len(SUFFIX)] if source.endswith(SUFFIX) else source


def decode(source: str, data: bytes) -> str:
    """The text of a source file, or a refusal."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise TreeError(
            f"{source} is not a text file. config_tree carries UTF-8 text; use ansible.builtin.copy for it."
        )
    return text


def select(sources: Iterable[str], exclude: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """Sources by the path they land on, and the landing paths left out. A glob may name a source or where it lands."""
    chosen: dict[str, str] = {}
    left_out: set[str] = set()
    for source in sorted(sources):
        target = target_of(source)
        if matches_any(exclude, source) or matches_any(exclude, target):
            left_out.add(target)
        elif target in chosen:
            raise TreeError(f"{chosen[target]} and {source} both land on {target}. Keep one of them.")
        else:
            chosen[target] = source
    return chosen, left_out - chosen.keys()


def check_path(path: str) -> str:
    """A relative path that stays below dest."""
    plain = posixpath.normpath(path) == path and not path.startswith(("/", "../"))
    if not plain or path in (".", ".."):
        raise TreeError(
            f"{path!r} is not a plain relative path below dest. Write it without a leading slash, '..' or '.'."
        )
    return path


def merge(rendered: Mapping[str, str], content: Mapping[str, Any]) -> dict[str, str]:
    """Files from templates and files from data, each path once, no file where another needs a directory."""
    files = dict(rendered)
    for path, text in content.items():
        check_path(str(path))
        if path in files:
            raise TreeError(
                f"{path} is both in src and in content. Take it out of one of them, or exclude it from src."
            )
        if not isinstance(text, str):
            raise TreeError(f"content: {path} holds {type(text).__name__}, not text. Turn it into a string first.")
        files[str(path)] = str(text)
    for path in files:
        for parent in parents(path):
            if parent in files:
                raise TreeError(f"{parent} is a file, and {path} needs a directory of that name. Rename one of them.")
    return files


def parents(path: str) -> list[str]:
    """The directories a relative path lies in, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _check_globs(args: Mapping[str, Any], files: Mapping[str, str], left_out: set[str]) -> None:
    known = files.keys() | left_out
    named = [("modes", row["match"]) for row in args["modes"] if not row["match"].endswith("/")]
    named += [("validate", row["match"]) for row in args["validate"]]
    named += [("secret", glob) for glob in args["secret"]]
    named += [("apply", glob) for row in args["apply"] for glob in row["match"]]
    for option, glob in named:
        if is_literal(glob) and glob.lstrip("/") not in known:
            close = difflib.get_close_matches(glob.lstrip("/"), sorted(known), n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise TreeError(
                f"{option}: the set has no file {glob!r} (paths are relative to dest).{hint}"
                " Write a glob, such as 'etc/x/*', for a file that is not always there."
            )


def check_command(option: str, command: str) -> None:
    """A command is split into words here and never goes through a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise TreeError(f"{option}: {command!r} cannot be split into words: {error}.") from error
    if not words:
        raise TreeError(f"{option}: a command is empty.")


def check_args(args: Mapping[str, Any]) -> None:
    """What the types of the options cannot say."""
    if not _NAME.fullmatch(args["name"]):
        raise TreeError(f"name: {args['name']!r} becomes a file name. Use letters, digits, '.', '_' and '-'.")
    if not args["dest"].startswith("/") or posixpath.normpath(args["dest"]).lstrip("/") != args["dest"].strip("/"):
        raise TreeError(f"dest: {args['dest']!r} must be an absolute path without '..'.")
    if args["src"] is None and args["content"] is None:
        raise TreeError("Give src, content or both. An empty content ({}) without src removes what the set placed.")
    for row in args["modes"]:
        if row["mode"] is not None and not _MODE.fullmatch(row["mode"]):
            raise TreeError(
                f'modes: {row["match"]}: mode {row["mode"]!r} must be a quoted octal number such as "0644".'
            )
    commands = [("validate", row["command"]) for row in args["validate"]]
    commands += [("validate_set", command) for command in args["validate_set"]]
    for option, command in commands:
        if "%s" not in command:
            raise TreeError(f"{option}: {command!r} must contain %s, the path of what is to be checked.")
    for option, command in [*commands, *(("apply", row["command"]) for row in args["apply"])]:
        check_command(option, command)


def _attributes(rows: Sequence[Mapping[str, Any]], path: str, mode: str) -> dict[str, str]:
    found = {"owner": "root", "group": "root", "mode": mode}
    for row in rows:
        if matches(row["match"].rstrip("/"), path):
            found.update({key: str(row[key]) for key in found if row[key] is not None})
    return found


def build(args: Mapping[str, Any], rendered: Mapping[str, str], left_out: set[str]) -> dict[str, Any]:
    """All the host needs to know, with absolute paths and every glob resolved."""
    files = merge(rendered, args["content"] or {})
    _check_globs(args, files, left_out)
    file_rows = [row for row in args["modes"] if not row["match"].endswith("/")]
    dir_rows = [row for row in args["modes"] if row["match"].endswith("/")]
    dest = "/" + args["dest"].strip("/")
    wanted = {check_path(row["match"].strip("/")) for row in dir_rows if is_literal(row["match"])}
    wanted |= {parent for path in [*files, *wanted] for parent in parents(path)}
    above = parents(dest[1:] + "/x") if dest != "/" else []
    return {
        "dest": dest,
        "files": [
            {
                "path": posixpath.join(dest, path),
                "rel": path,
                "text": files[path],
                "secret": matches_any(args["secret"], path),
                "validate": [row["command"] for row in args["validate"] if matches(row["match"], path)],
                **_attributes(file_rows, path, "0644"),
            }
            for path in sorted(files)
        ],
        "dirs": [{"path": "/" + path, "enforce": False, **_attributes([], path, "0755")} for path in above]
        + [
            {
                "path": posixpath.join(dest, path),
                "enforce": any(matches(row["match"].rstrip("/"), path) for row in dir_rows),
                **_attributes(dir_rows, path, "0755"),
            }
            for path in sorted(wanted)
        ],
    }
