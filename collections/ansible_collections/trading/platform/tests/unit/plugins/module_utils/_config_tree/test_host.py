# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host side in a temporary directory: what is there after success, failure and interruption."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._config_tree import host as host_module
from ansible_collections.trading.platform.plugins.module_utils._config_tree import plan as planner
from ansible_collections.trading.platform.plugins.module_utils._config_tree.host import Host, HostError
from ansible_collections.trading.platform.plugins.module_utils._config_tree.plan import Directory, File, Wanted

ME, GROUP = str(os.getuid()), str(os.getgid())


class Bench:
    """A host that is a directory."""

    def __init__(self, root: Path) -> None:
        self.dest = root / "dest"
        self.state = root / "state"
        self.warnings: list[str] = []

    def wanted(self, files: dict[str, str], name: str = "demo", **given: Any) -> Wanted:
        """A set of files by relative path."""
        validate, secret = given.pop("validate", []), given.pop("secret", [])
        rows = [
            File(str(self.dest / rel), rel, text.encode(), ME, GROUP, 0o640, rel in secret, validate)
            for rel, text in files.items()
        ]
        parents = {str(parent) for row in rows for parent in Path(row.path).parents if self.dest in parent.parents}
        dirs = [Directory(path, ME, GROUP, 0o755, False) for path in sorted(parents | {str(self.dest)})]
        base = Wanted(name, str(self.dest), rows, dirs, True, [], [])
        return base._replace(**given)

    def host(self, files: dict[str, str], **given: Any) -> Host:
        """One run's host."""
        return Host(self.wanted(files, **given), self.warnings.append, self.state)

    def run(self, files: dict[str, str], check: bool = False, diff: bool = False, **given: Any) -> dict[str, Any]:
        """One run."""
        return self.host(files, **given).run(check, diff)

    def tree(self) -> dict[str, str]:
        """Every file there is, leftovers included."""
        return {
            path.relative_to(self.dest).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(self.dest.rglob("*"))
            if path.is_file()
        }

    def remembered(self, name: str = "demo") -> planner.Manifest:
        """The manifest."""
        return planner.parse_manifest((self.state / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_lands_then_rests(bench: Bench) -> None:
    first = bench.run({"a": "1\n", "d/b": "2\n"})
    assert first["changed_files"] == [str(bench.dest / "a"), str(bench.dest / "d/b")]
    assert "diff" not in first
    assert bench.tree() == {"a": "1\n", "d/b": "2\n"}
    assert (bench.dest / "a").stat().st_mode & 0o777 == 0o640
    assert (bench.state / "demo.json").stat().st_mode & 0o777 == 0o600
    second = bench.run({"a": "1\n", "d/b": "2\n"})
    assert (second["changed"], second["changed_files"]) == (False, [])


def test_check_mode_predicts_and_touches_nothing(bench: Bench) -> None:
    command = [(["**"], "touch " + str(bench.dest / "ran"))]
    predicted = bench.run({"a": "1\n"}, check=True, apply=command)
    assert not bench.dest.exists()
    assert not bench.state.exists()
    real = bench.run({"a": "1\n"}, apply=command)
    assert predicted == real


@pytest.mark.parametrize("option", ["validate", "validate_set"])
def test_failed_validation_moves_nothing(bench: Bench, option: str) -> None:
    bench.run({"a": "old\n", "b": "old\n"})
    given: dict[str, Any] = {option: ["false %s"]}
    with pytest.raises(HostError, match=r"failed validation by 'false %s'.*Nothing was moved") as caught:
        bench.run({"a": "new\n"}, **given)
    assert caught.value.details["command"] == "false %s"
    assert bench.tree() == {"a": "old\n", "b": "old\n"}


def test_set_validation_sees_the_whole_set(bench: Bench) -> None:
    bench.run({"a": "1\n", "d/b": "2\n"})
    bench.run({"a": "new\n", "d/b": "2\n"}, validate_set=["grep -q new %s/a", "grep -q 2 %s/d/b"])
    assert bench.tree()["a"] == "new\n"


def test_missing_validator(bench: Bench) -> None:
    bench.run({"a": "1\n"}, check=True, validate=["no-such-program %s"])
    assert "not on this host yet" in bench.warnings[0]
    with pytest.raises(HostError, match="no-such-program is not on this host"):
        bench.run({"a": "1\n"}, validate=["no-such-program %s"])


def test_secret_is_not_quoted_by_a_validator(bench: Bench) -> None:
    checks: list[dict[str, Any]] = [
        {"validate": ["grep -v x %s /dev/null/x"]},
        {"validate_set": ["sh -c 'cat %s/key; exit 1'"]},
    ]
    for given in checks:
        with pytest.raises(HostError) as caught:
            bench.run({"key": "canary77\n"}, secret=["key"], **given)
        assert "canary77" not in str(caught.value)
        assert "canary77" not in str(caught.value.details)


def test_unknown_owner(bench: Bench) -> None:
    wanted = bench.wanted({"a": "1\n"})
    wanted = wanted._replace(files=[wanted.files[0]._replace(owner="nobody-of-this-name")])
    assert Host(wanted, bench.warnings.append, bench.state).run(True, False)["changed"]
    assert "nobody-of-this-name does not exist" in bench.warnings[0]
    with pytest.raises(HostError, match="nobody-of-this-name does not exist"):
        Host(wanted, bench.warnings.append, bench.state).run(False, False)
    assert not bench.dest.exists()


def test_prune_takes_only_its_own(bench: Bench) -> None:
    bench.run({"a": "1\n", "d/b": "2\n", "e/f/c": "3\n"})
    (bench.dest / "d/foreign").write_text("x")
    result = bench.run({"a": "1\n"})
    assert result["removed_files"] == [str(bench.dest / "d/b"), str(bench.dest / "e/f/c")]
    assert bench.tree() == {"a": "1\n", "d/foreign": "x"}
    assert not (bench.dest / "e").exists()


def test_a_file_that_moved_to_another_set_stays(bench: Bench) -> None:
    bench.run({"a": "1\n", "b": "1\n"})
    bench.run({"b": "1\n"}, name="other")
    assert bench.run({"a": "1\n"})["removed_files"] == []
    assert bench.tree() == {"a": "1\n", "b": "1\n"}


def test_link_is_replaced_and_not_followed(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    bench.dest.mkdir()
    (bench.dest / "a").symlink_to(target)
    bench.run({"a": "1\n"})
    assert not (bench.dest / "a").is_symlink()
    assert target.read_text() == "mine"


def test_directory_is_not_replaced(bench: Bench) -> None:
    (bench.dest / "a").mkdir(parents=True)
    with pytest.raises(HostError, match="is a directory and is not replaced by a file"):
        bench.run({"a": "1\n", "b": "1\n"})
    assert bench.tree() == {}


def test_failed_command_stays_due(bench: Bench) -> None:
    flag = bench.dest.parent / "flag"
    commands = [(["a"], f"test -e {flag}"), (["*"], "true")]
    with pytest.raises(HostError, match="It stays due") as caught:
        bench.run({"a": "1\n"}, apply=commands)
    assert caught.value.details["pending"] == [f"test -e {flag}", "true"]
    flag.touch()
    again = bench.run({"a": "1\n"}, apply=commands)
    assert (again["changed"], again["changed_files"], again["applied"]) == (True, [], [f"test -e {flag}", "true"])
    assert bench.run({"a": "1\n"}, apply=commands)["changed"] is False


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_killed_while_landing(bench: Bench, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Stops dead after some replacements (the first ones are the manifest's) and runs again."""
    bench.run({"a": "old\n", "b": "old\n", "gone": "old\n"})
    command = [(["*"], "touch " + str(bench.dest.parent / "ran"))]
    left = [calls]
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            bench.run({"a": "new\n", "b": "new\n"}, apply=command)
    result = bench.run({"a": "new\n", "b": "new\n"}, apply=command)
    assert bench.tree() == {"a": "new\n", "b": "new\n"}
    assert result["changed"]
    assert (bench.dest.parent / "ran").exists()
    assert (bench.remembered().landing, dict(bench.remembered().pending)) == (False, {})
    assert list(bench.remembered().files) == [str(bench.dest / "a"), str(bench.dest / "b")]


def test_full_disk_moves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run({"a": "old\n"})
    real = Host._create

    def create(self: Host, path: str, file: File, lenient: bool = False) -> None:
        if file.rel == "d/z":
            raise OSError(28, "No space left on device", path)
        real(self, path, file, lenient)

    with monkeypatch.context() as patch:
        patch.setattr(Host, "_create", create)
        with pytest.raises(HostError, match=r"No space left.*Nothing was moved"):
            bench.run({"a": "new\n", "d/z": "new\n"}, apply=[(["*"], "true")])
    assert bench.tree() == {"a": "old\n"}
    assert not (bench.dest / "d").exists()
    assert bench.run({"a": "old\n"}, apply=[(["*"], "true")])["changed"] is False


def test_corrupt_manifest_stops(bench: Bench) -> None:
    bench.state.mkdir()
    (bench.state / "demo.json").write_text("{")
    with pytest.raises(HostError, match="cannot be read"):
        bench.run({"a": "1\n"})


@pytest.mark.parametrize("writable", [True, False])
def test_validates_in_memory_where_it_can_and_closed_to_others(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    run, tmp, seen = tmp_path / "run", tmp_path / "tmp", tmp_path / "seen"
    tmp.mkdir()
    if writable:
        run.mkdir()
    monkeypatch.setattr(host_module, "STAGING", run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp))
    bench.run({"key": "s3cret\n"}, secret=["key"], validate_set=[f"sh -c 'stat -c \"%a %n\" %s >{seen}'"])
    mode, staged = seen.read_text(encoding="utf-8").split()
    assert mode == "700"
    assert Path(staged).parent == (run if writable else tmp)
    assert not Path(staged).exists()


def test_one_set_lands_at_a_time(tmp_path: Path) -> None:
    busy = pytest.raises(HostError, match="Another run still lands the set base")
    with host_module.alone("base", tmp_path), busy, host_module.alone("base", tmp_path, patience=0.3):
        pass
    with host_module.alone("base", tmp_path, patience=0.3), host_module.alone("other", tmp_path, patience=0.3):
        pass
