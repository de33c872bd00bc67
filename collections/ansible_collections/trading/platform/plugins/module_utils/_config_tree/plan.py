# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to happen on a host, worked out from what is wanted, what is there and what the manifest remembers."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ansible_collections.trading.platform.plugins.module_utils._config_tree.globs import matches_any

MAX_DIFF = 104448  # what Ansible's own modules show at most
MIN_SECRET = 6  # shorter words are too common to be cut out of a program's output


class File(NamedTuple):
    """A file of the set."""

    path: str
    rel: str
    data: bytes
    owner: str
    group: str
    mode: int
    secret: bool
    validate: list[str]


class Directory(NamedTuple):
    """A directory the set needs; only an enforced one is corrected where it exists."""

    path: str
    owner: str
    group: str
    mode: int
    enforce: bool


class Found(NamedTuple):
    """What is at a path now: absent, file, directory, link, foreign link or special file."""

    kind: str
    mode: int = 0
    uid: int = -1
    gid: int = -1
    data: bytes | None = None  # None where it was not read because the size already differs


class Manifest(NamedTuple):
    """What the set placed on this host, and the commands that are still due."""

    files: Mapping[str, bool] = MappingProxyType({})  # path -> secret
    dirs: Sequence[str] = ()
    pending: Mapping[str, Sequence[str]] = MappingProxyType({})  # command -> files that made it due
    landing: bool = False  # a run was between its first staged file and its last move
    sums: Mapping[str, str] = MappingProxyType({})  # path -> SHA-256: who looks for drift compares with it


class Wanted(NamedTuple):
    """The task, as it reached the host."""

    name: str
    dest: str
    files: list[File]
    dirs: list[Directory]
    prune: bool
    validate_set: list[str]
    apply: list[tuple[list[str], str]]


class Facts(NamedTuple):
    """What the host knows."""

    manifest: Manifest
    found: Mapping[str, Found]
    uids: Mapping[str, int | None]  # None: there is no such user
    gids: Mapping[str, int | None]
    claimed: Callable[[], Iterable[str]]  # files of other sets; asked only when something left this one
    listing: Callable[[str], Sequence[str] | None]  # names in a directory; None: there is no such directory


class Plan(NamedTuple):
    """One plan for check mode, diff and the real run."""

    mkdir: list[Directory]
    write: list[File]
    repair: list[File]
    repair_dirs: list[Directory]
    remove: list[str]
    rmdir: list[str]
    pending: dict[str, list[str]]
    forget: list[str]
    problems: list[str]
    notes: list[str]

    @property
    def repairs(self) -> list[File | Directory]:
        """What keeps its content and gets another owner or mode."""
        return [*self.repair, *self.repair_dirs]

    @property
    def changed(self) -> bool:
        """Whether anything on the host differs from what is wanted, a due command included."""
        moves = (self.mkdir, self.write, self.repair, self.repair_dirs, self.remove, self.rmdir, self.pending)
        return any(moves)


def wanted(params: Mapping[str, Any], payload: Mapping[str, Any]) -> Wanted:
    """From module parameters to types."""
    return Wanted(
        name=params["name"],
        dest=payload["dest"],
        files=[
            File(
                row["path"],
                row["rel"],
                row["text"].encode("utf-8"),
                row["owner"],
                row["group"],
                int(row["mode"], 8),
                row["secret"],
                row["validate"],
            )
            for row in payload["files"]
        ],
        dirs=[
            Directory(row["path"], row["owner"], row["group"], int(row["mode"], 8), row["enforce"])
            for row in payload["dirs"]
        ],
        prune=params["prune"],
        validate_set=params["validate_set"],
        apply=[(row["match"], row["command"]) for row in params["apply"]],
    )


def parse_manifest(text: str) -> Manifest:
    """Raises ValueError on anything that is not a manifest."""
    try:
        raw = json.loads(text)
        return Manifest(
            dict(raw["files"]),
            list(raw["dirs"]),
            dict(raw["pending"]),
            bool(raw["landing"]),
            # Written before there were any, it gets them with the next run.
            dict(raw.get("sums", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a manifest: {error}") from error


def format_manifest(manifest: Manifest) -> str:
    """Stable text, so that an unchanged manifest is not written."""
    plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in manifest._asdict().items()}
    return json.dumps(plain, indent=1) + "\n"


def relative(path: str, dest: str) -> str:
    """A path as globs see it; one outside dest (dest has moved since) is taken from the root."""
    prefix = dest.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else path.lstrip("/")


def ancestors(path: str) -> list[str]:
    """The directories above an absolute path, outermost first, without the root."""
    parts = path.strip("/").split("/")[:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def staging_name(path: str) -> str:
    """The one place where a file's next version waits: known beforehand, so that a killed run's leftover is found."""
    head, base = posixpath.split(path)
    return posixpath.join(head, f".{base}.config_tree")


def _owner_wrong(item: File | Directory, found: Found, facts: Facts) -> bool:
    return (found.mode, found.uid, found.gid) != (item.mode, facts.uids[item.owner], facts.gids[item.group])


def due(wanted: Wanted, touched: Iterable[str], old: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Commands to run with the files that make them due, in listed order, each once.

    What an earlier run left behind counts. Where its command is no longer listed, perhaps because it was the command
    that was wrong, its files count as touched now.
    """
    listed = {command for _globs, command in wanted.apply}
    paths = {*touched, *(path for command in old.keys() - listed for path in old[command])}
    result: dict[str, list[str]] = {}
    for globs, command in wanted.apply:
        hits = {path for path in paths if matches_any(globs, relative(path, wanted.dest))}
        if hits or command in old:
            result[command] = sorted(hits.union(old.get(command, ()), result.get(command, ())))
    return result


def dropped(plan: Plan, old: Mapping[str, Sequence[str]]) -> list[str]:
    """Commands of an earlier run that nothing in the task stands for any more."""
    covered = {path for paths in plan.pending.values() for path in paths}
    return [command for command, paths in old.items() if command not in plan.pending and not covered.issuperset(paths)]


def make(wanted: Wanted, facts: Facts) -> Plan:
    """The plan: directories, files, what has left the set, and the commands all this makes due."""
    plan = Plan([], [], [], [], [], [], {}, [], [], [])
    _plan_dirs(wanted, facts, plan)
    _plan_files(wanted, facts, plan)
    for kind, ids in (("user", facts.uids), ("group", facts.gids)):
        for name in sorted(name for name, number in ids.items() if number is None):
            plan.notes.append(f"the {kind} {name} does not exist on this host")
    if wanted.prune:
        _prune_files(wanted, facts, plan)
        _prune_dirs(wanted, facts, plan)
    touched = [file.path for file in [*plan.write, *plan.repair]] + plan.remove
    plan.pending.update(due(wanted, touched, facts.manifest.pending))
    return plan


def _plan_dirs(wanted: Wanted, facts: Facts, plan: Plan) -> None:
    for item in wanted.dirs:
        state = facts.found[item.path]
        if state.kind == "absent":
            plan.mkdir.append(item)
        elif state.kind != "directory":
            plan.problems.append(f"{item.path} is a {state.kind}, but files of the set belong into a directory there")
        elif item.enforce and _owner_wrong(item, state, facts):
            plan.repair_dirs.append(item)


def _plan_files(wanted: Wanted, facts: Facts, plan: Plan) -> None:
    for item in wanted.files:
        state = facts.found[item.path]
        if state.kind in ("directory", "special file"):
            plan.problems.append(f"{item.path} is a {state.kind} and is not replaced by a file")
        elif state.kind != "file" or state.data != item.data:
            plan.write.append(item)
        elif _owner_wrong(item, state, facts):
            plan.repair.append(item)


def _prune_files(wanted: Wanted, facts: Facts, plan: Plan) -> None:
    left = sorted(facts.manifest.files.keys() - {item.path for item in wanted.files})
    others = set(facts.claimed()) if left else set()
    for path in left:
        ours = path not in others and facts.found[path].kind in ("file", "link")
        (plan.remove if ours else plan.forget).append(path)


def _prune_dirs(wanted: Wanted, facts: Facts, plan: Plan) -> None:
    needed = {item.path for item in wanted.dirs}
    gone = set(plan.remove)
    for path in sorted(facts.manifest.dirs, key=lambda item: -item.count("/")):
        if path in needed:
            continue
        names = facts.listing(path)
        if names is None:
            plan.forget.append(path)
        elif gone.issuperset(posixpath.join(path, name) for name in names):
            plan.rmdir.append(path)
            gone.add(path)


def next_manifest(wanted: Wanted, old: Manifest, plan: Plan, *, landing: bool) -> Manifest:
    """What to remember: while files move, the old and the new set; afterwards only what is there."""
    files = {file.path: file.secret for file in wanted.files}
    gone = set() if landing else {*plan.remove, *plan.rmdir, *plan.forget}
    files = {path: secret for path, secret in old.files.items() if path not in gone} | files
    dirs = {*old.dirs, *(item.path for item in plan.mkdir)} - gone
    # What is not pruned here is somebody else's to take away: nobody can say that it has to be there.
    kept = sorted(wanted.files) if wanted.prune else []
    sums = {file.path: hashlib.sha256(file.data).hexdigest() for file in kept}
    return Manifest(dict(sorted(files.items())), sorted(dirs), dict(plan.pending), landing, sums)


def hide(text: str, secrets: Iterable[bytes]) -> str:
    """A program's output without the words of secret files: a checker likes to quote the line it does not like."""
    words: set[str] = set()
    for data in secrets:
        words.update(re.split(r"[\s\"'=:,;]+", data.decode("utf-8", "replace")))
    for word in sorted((word for word in words if len(word) >= MIN_SECRET), key=len, reverse=True):
        text = text.replace(word, "********")
    return text


def _show(data: bytes | None) -> str:
    if data is None:
        return ""
    if len(data) > MAX_DIFF:
        return f"({len(data)} bytes, too long to show)\n"
    return data.decode("utf-8", "replace")


def _attributes(owner: str, group: str, mode: int) -> str:
    return f"owner: {owner}\ngroup: {group}\nmode: {mode:04o}\n"


def diff(plan: Plan, facts: Facts, names: Callable[[Found], tuple[str, str]]) -> list[dict[str, str]]:
    """Ansible's diff list. A file that is secret now or was secret before is named and not shown."""
    rows: list[dict[str, str]] = []
    found, were_secret = facts.found, facts.manifest.files

    def add(path: str, before: str, after: str, secret: bool = False) -> None:
        row = {"before_header": path, "after_header": path}
        if secret:
            rows.append({**row, "prepared": f"{path}: diff hidden: secret\n"})
        else:
            rows.append({**row, "before": before, "after": after})

    for item in plan.mkdir:
        add(item.path + "/", "", _attributes(item.owner, item.group, item.mode))
    for file in plan.write:
        before = _show(found[file.path].data)
        add(file.path, before, _show(file.data), file.secret or were_secret.get(file.path, False))
    for entry in plan.repairs:
        state = found[entry.path]
        shown = entry.path if isinstance(entry, File) else entry.path + "/"
        add(shown, _attributes(*names(state), state.mode), _attributes(entry.owner, entry.group, entry.mode))
    for path in plan.remove:
        add(path, _show(found[path].data), "", were_secret.get(path, False))
    for path in plan.rmdir:
        add(path + "/", "empty directory\n", "")
    return rows
