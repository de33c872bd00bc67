# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host side of config_tree: looks, validates, lands, and runs what is due. Raises HostError; nothing exits here."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._config_tree import plan as planner
from ansible_collections.trading.platform.plugins.module_utils._config_tree.plan import (
    Directory,
    Facts,
    File,
    Found,
    Manifest,
    Plan,
    Wanted,
)
from ansible_collections.trading.platform.plugins.module_utils._files.flock import taken

STATE = Path("/var/lib/trading-platform/config_tree")
# In memory and gone at a reboot, for secret files that a killed run left behind.
STAGING = Path("/run")
PROGRAM_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class HostError(Exception):
    """What went wrong, where, and what the host looks like now. `details` goes into the task's result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


@contextlib.contextmanager
def alone(name: str, run: Path = Path("/run"), patience: float = 300) -> Iterator[None]:
    """Waits for an earlier run of the same set."""
    path = run / f"trading-config_tree-{name}.lock"
    try:
        lock = path.open("w")
    except OSError as error:
        raise HostError(f"{path} cannot be opened: {error}. Run as root.") from error
    with lock:
        if not taken(lock, patience):
            raise HostError(f"Another run still lands the set {name} (fuser {path} names it). Wait, or end it.")
        yield


class Host:
    """One set on one host."""

    def __init__(self, wanted: Wanted, warn: Callable[[str], None], state: Path = STATE) -> None:
        self.wanted = wanted
        self.warn = warn
        self.manifest_path = state / f"{wanted.name}.json"
        self.manifest = self._read_manifest(self.manifest_path)
        self.plan = Plan([], [], [], [], [], [], {}, [], [], [])
        items: list[File | Directory] = [*wanted.files, *wanted.dirs]
        self.found: dict[str, Found] = {}
        self.facts = Facts(
            manifest=self.manifest,
            found=self.found,
            uids={name: _lookup(name, _uid) for name in {item.owner for item in items}},
            gids={name: _lookup(name, _gid) for name in {item.group for item in items}},
            claimed=self._claimed_by_others,
            listing=_listing,
        )

    def run(self, check_mode: bool, want_diff: bool) -> dict[str, Any]:
        """The whole of it: one plan, then either its prediction or its execution."""
        try:
            self._look(want_diff)
            self._refuse(check_mode)
            if self.plan.write or self.plan.remove:
                self._validate(check_mode)
        except OSError as error:
            raise HostError(
                f"config_tree {self.wanted.name}: {error}. Nothing was moved, the old files are in place.",
                file=error.filename,
            ) from error
        for command in planner.dropped(self.plan, self.manifest.pending):
            self.warn(f"{command!r} was due from an earlier run, and apply names none of its files now: dropped")
        result = self._result(want_diff)
        if check_mode:
            return {**result, "applied": list(self.plan.pending)}
        self._land()
        return {**result, "applied": self._apply(result)}

    # look

    def _read_manifest(self, path: Path) -> Manifest:
        try:
            return planner.parse_manifest(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Manifest()
        except (OSError, ValueError) as error:
            raise HostError(
                f"The manifest {path} cannot be read: {error}. Run as root, or move the file away: the set then forgets"
                " what it placed, and files that left it stay on the host."
            ) from error

    def _look(self, want_diff: bool) -> None:
        for directory in self.wanted.dirs:
            self.found[directory.path] = _look_at_dir(directory.path)
        for file in self.wanted.files:
            self.found[file.path] = _look_at_file(file.path, None if want_diff else len(file.data))
        for path in self.manifest.files.keys() - self.found.keys():
            self.found[path] = _look_at_file(path, None if want_diff else -1)
        self.plan = planner.make(self.wanted, self.facts)

    def _claimed_by_others(self) -> Iterable[str]:
        for path in sorted(self.manifest_path.parent.glob("*.json")):
            if path != self.manifest_path:
                yield from self._read_manifest(path).files

    def _refuse(self, check_mode: bool) -> None:
        problems = self.plan.problems + ([] if check_mode else self.plan.notes)
        if problems:
            raise HostError(
                f"config_tree {self.wanted.name}: nothing was moved. " + "; ".join(problems) + ".", problems=problems
            )
        for note in self.plan.notes:
            self.warn(f"{note} yet; a real run would need it")

    def _result(self, want_diff: bool) -> dict[str, Any]:
        plan = self.plan
        result: dict[str, Any] = {
            "changed": plan.changed,
            "changed_files": sorted(file.path for file in [*plan.write, *plan.repair]),
            "removed_files": sorted(plan.remove),
            "changed_dirs": sorted([item.path for item in [*plan.mkdir, *plan.repair_dirs]] + plan.rmdir),
        }
        if want_diff:
            result["diff"] = planner.diff(plan, self.facts, _names)
        return result

    # validate

    def _validate(self, check_mode: bool) -> None:
        if not self.wanted.validate_set and not any(file.validate for file in self.plan.write):
            return
        place = STAGING if os.access(STAGING, os.W_OK) else None
        # Mode 0700, as mkdtemp makes them.
        with tempfile.TemporaryDirectory(prefix="config_tree-", dir=place) as staging:
            for file in self.wanted.files:
                path = Path(staging) / file.rel
                path.parent.mkdir(parents=True, exist_ok=True)
                self._create(str(path), file, lenient=check_mode)
            for file in self.plan.write:
                for command in file.validate:
                    self._check(command, staging, file, check_mode)
            for command in self.wanted.validate_set:
                self._check(command, staging, None, check_mode)

    def _check(self, command: str, staging: str, file: File | None, check_mode: bool) -> None:
        subject, target = (file.path, f"{staging}/{file.rel}") if file else ("the set", staging)
        argv = [word.replace("%s", target) for word in shlex.split(command)]
        details = {"file": file.path if file else "", "command": command}
        if shutil.which(argv[0], path=PROGRAM_PATHS) is None:
            if check_mode:
                self.warn(f"{argv[0]} is not on this host yet: {subject} was not validated")
                return
            raise HostError(
                f"config_tree {self.wanted.name}: {subject} cannot be validated, because {argv[0]} is not on this host."
                " Nothing was moved. Install it before this task.",
                **details,
            )
        code, output = self._run(argv)
        if code == 0:
            return
        output = output.replace(staging, self.wanted.dest.rstrip("/"))
        if file and file.secret:
            output = "(hidden: the file is secret; run the command on the host)"
        raise HostError(
            f"config_tree {self.wanted.name}: {subject} failed validation by {command!r} (exit code {code}). Nothing"
            f" was moved, the old files are in place. It said: {output}",
            **details,
            stderr=output,
        )

    # land

    def _land(self) -> None:
        if self.manifest.landing:
            for path in [*self.manifest.files, *(file.path for file in self.wanted.files)]:
                _forget(planner.staging_name(path))
        if self.plan.changed:
            self._remember(planner.next_manifest(self.wanted, self.manifest, self.plan, landing=True))
            with self._undo_unless_staged():
                self._stage()
            self._move()
        done = planner.next_manifest(self.wanted, self.manifest, self.plan, landing=False)
        if self.plan.changed or done != self.manifest:
            self._remember(done)

    @contextlib.contextmanager
    def _undo_unless_staged(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            for file in self.plan.write:
                _forget(planner.staging_name(file.path))
            for directory in reversed(self.plan.mkdir):
                with contextlib.suppress(OSError):
                    Path(directory.path).rmdir()
            # Best effort: on a full disk the longer manifest stays, which costs one needless reload at the next run.
            with contextlib.suppress(HostError):
                self._remember(self.manifest)
            raise HostError(
                f"config_tree {self.wanted.name}: {error}. Nothing was moved, the old files are in place.",
                file=error.filename,
            ) from error

    def _stage(self) -> None:
        for directory in self.plan.mkdir:
            os.mkdir(directory.path, 0o700)  # noqa: PTH102 - pathlib needs a second object per path for nothing
            self._own(directory.path, directory)
        for file in self.plan.write:
            _forget(planner.staging_name(file.path))
            self._create(planner.staging_name(file.path), file)

    def _move(self) -> None:
        moved: list[str] = []
        try:
            for file in self.plan.write:
                os.replace(planner.staging_name(file.path), file.path)  # noqa: PTH105
                moved.append(file.path)
            for entry in self.plan.repairs:
                self._own(entry.path, entry)
            for path in self.plan.remove:
                _forget(path)
            for path in self.plan.rmdir:
                Path(path).rmdir()
        except OSError as error:
            raise HostError(
                f"config_tree {self.wanted.name}: {error}. {len(moved)} of {len(self.plan.write)} files were in place"
                " by then. Correct the cause and run again: the run goes on where this one stopped.",
                file=error.filename,
                changed_files=moved,
                changed=True,
            ) from error

    def _create(self, path: str, file: File, lenient: bool = False) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(file.data)
            stream.flush()
            with contextlib.suppress(*((OSError,) if lenient else ())):
                self._own(handle, file)

    def _own(self, target: str | int, item: File | Directory) -> None:
        uid, gid = self.facts.uids[item.owner], self.facts.gids[item.group]
        # -1 leaves the owner alone: only reached in check mode, where the user does not exist yet.
        os.chown(target, -1 if uid is None else uid, -1 if gid is None else gid)
        os.chmod(target, item.mode)  # noqa: PTH101 - an open file, not only a path

    def _remember(self, manifest: Manifest) -> None:
        temporary = self.manifest_path.with_suffix(".new")
        try:
            self.manifest_path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            temporary.write_text(planner.format_manifest(manifest), encoding="utf-8")
            temporary.chmod(0o600)
            temporary.replace(self.manifest_path)
        except OSError as error:
            raise HostError(f"The manifest {self.manifest_path} cannot be written: {error}.") from error

    # apply

    def _apply(self, result: dict[str, Any]) -> list[str]:
        applied: list[str] = []
        pending = dict(self.plan.pending)
        done = planner.next_manifest(self.wanted, self.manifest, self.plan, landing=False)
        for command in self.plan.pending:
            code, output = self._run(shlex.split(command))
            if code != 0:
                raise HostError(
                    f"The files are in place, but {command!r} failed (exit code {code}). It stays due: the next run"
                    f" tries it again. It said: {output}",
                    **{**result, "applied": applied, "pending": list(pending), "command": command, "stderr": output},
                )
            applied.append(command)
            del pending[command]
            self._remember(done._replace(pending=pending))
        return applied

    def _run(self, argv: list[str]) -> tuple[int, str]:
        secrets = [file.data for file in self.wanted.files if file.secret]
        environment = {**os.environ, "PATH": PROGRAM_PATHS, "LC_ALL": "C.UTF-8"}
        try:
            ended = subprocess.run(
                argv, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except OSError as error:
            return 127, str(error)
        output = ended.stderr.strip() or ended.stdout.strip()
        return ended.returncode, planner.hide(output.decode("utf-8", "replace"), secrets) or "nothing"


def _uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _lookup(name: str, find: Callable[[str], int]) -> int | None:
    if name.isdigit():
        return int(name)
    try:
        return find(name)
    except KeyError:
        return None


def _names(found: Found) -> tuple[str, str]:
    try:
        owner = pwd.getpwuid(found.uid).pw_name
    except KeyError:
        owner = str(found.uid)
    try:
        return owner, grp.getgrgid(found.gid).gr_name
    except KeyError:
        return owner, str(found.gid)


def _look_at_dir(path: str) -> Found:
    try:
        state = os.lstat(path)
        if stat.S_ISLNK(state.st_mode):
            # A link of an ordinary user could lead root's files anywhere.
            if state.st_uid not in (0, os.geteuid()):
                return Found("link of another user")
            state = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return Found("absent")
    kind = "directory" if stat.S_ISDIR(state.st_mode) else "file"
    return Found(kind, stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)


def _look_at_file(path: str, only_size: int | None) -> Found:
    try:
        state = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found("absent")
    if stat.S_ISLNK(state.st_mode):
        return Found("link", data=f"link to {os.readlink(path)}\n".encode())  # noqa: PTH115
    if not stat.S_ISREG(state.st_mode):
        return Found("directory" if stat.S_ISDIR(state.st_mode) else "special file")
    data = None
    if only_size is None or only_size == state.st_size:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            data = stream.read()
    return Found("file", stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid, data)


def _listing(path: str) -> list[str] | None:
    try:
        return os.listdir(path)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return None


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
