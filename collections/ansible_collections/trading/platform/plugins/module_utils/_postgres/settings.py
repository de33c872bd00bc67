# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a PostgreSQL server: what suits a host's size, and what is wrong with those an inventory asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from ansible_collections.trading.platform.plugins.module_utils._postgres import known

Value = Union[str, int, float]  # noqa: UP007 - pylint reads it as Python 3.8
VERSIONS = (15, 16, 17)
DISKS = ("ssd", "hdd", "san")
BOOLEANS = ("on", "off", "true", "false", "yes", "no", "1", "0")
LIBRARIES = ("pg_stat_statements", "pgaudit")
# Settings of these extensions are checked by the extension itself.
EXTENSIONS = ("auto_explain", "pg_stat_statements", "pg_prewarm", "pgaudit", "plpgsql")

_MEMORY_UNITS = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME_UNITS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)")

_PATRONI = "Patroni sets it itself on every member and would drop or override yours"
_RECOVERY = "Patroni writes the recovery settings when it makes a host primary or replica"
_ROLE_TLS = "the role sets it from the host's certificate, and clients insist on what it says"
_ROLE = "the role sets it"
# Name -> why it cannot be asked for, and what to do instead.
_OWNED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("listen_addresses", "port"), (_PATRONI, "the address comes from the inventory; remove the line")),
    **dict.fromkeys(("cluster_name", "hot_standby"), (_PATRONI, "remove the line")),
    "wal_level": (_PATRONI, "remove the line; replicas need at least replica, which it is"),
    **dict.fromkeys(
        ("synchronous_standby_names",), (_PATRONI, "choose the synchronous policy by the role's own variables")
    ),
    **dict.fromkeys(("primary_conninfo", "primary_slot_name", "promote_trigger_file"), (_RECOVERY, "remove the line")),
    **dict.fromkeys(
        ("restore_command", "archive_cleanup_command"),
        (_RECOVERY, "restoring from an archive belongs to the backup role"),
    ),
    **dict.fromkeys(
        ("config_file", "data_directory", "hba_file", "ident_file", "external_pid_file"),
        (_PATRONI, "remove the line; pg_hba has its own variable in the role"),
    ),
    "unix_socket_directories": (_ROLE, "remove the line; Patroni and the role connect through that socket"),
    "archive_mode": (
        _ROLE,
        "it is on from the first start, so that backups can begin without a restart; set archive_command",
    ),
    "include": (_PATRONI, "remove the line"),
}
_OWNED_PREFIXES: dict[str, tuple[str, str]] = {
    "recovery_": (_RECOVERY, "a restore to a point in time is the backup role's work; remove the line"),
    "ssl": (_ROLE_TLS, "remove the line"),
}
# Exceptions to the prefixes: recovery_prefetch only makes a replica faster.
_FREE = ("recovery_prefetch",)
# Name -> (values refused, why, what to do).
_UNSAFE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "fsync": (("off",), "a power cut would destroy the cluster", "remove the line"),
    "full_page_writes": (("off",), "a power cut would tear pages that no log can mend", "remove the line"),
    "synchronous_commit": (
        ("off", "local"),
        "an acknowledged order would be lost with the primary",
        "set it in the one session or for the one role (postgres_roles: settings) that can afford that",
    ),
    "password_encryption": (("md5",), "pg_hba accepts scram-sha-256 only", "remove the line"),
    "zero_damaged_pages": (("on",), "it deletes what it cannot read", "use it in one session of a repair"),
    "ignore_checksum_failure": (("on",), "it hides corruption", "use it in one session of a repair"),
    "allow_alter_system": (("on",), "what ALTER SYSTEM writes, the inventory does not know", "remove the line"),
}


class Setting(NamedTuple):
    """What a version of PostgreSQL knows about one of its settings."""

    name: str
    since: int
    until: int
    kind: str
    unit: str = ""
    low: float = 0
    high: float = 0
    words: tuple[str, ...] = ()


def _parse(line: str) -> Setting:
    name, era, kind, *rest = line.split()
    first, _dots, last = era.partition("..")
    since, until = (int(first.strip("-") or 0), int(last or 999))
    if kind == "enum":
        return Setting(name, since, until, kind, words=tuple(rest[0].split(",")))
    if kind in ("integer", "real"):
        return Setting(name, since, until, kind, rest[0].strip("-"), float(rest[1]), float(rest[2]))
    return Setting(name, since, until, kind)


# PostgreSQL folds case when it compares names (DateStyle).
SETTINGS: dict[str, Setting] = {line.split()[0].lower(): _parse(line) for line in known.TABLE.strip().splitlines()}


# --- what suits the host --------------------------------------------------------------------------------------------


def _steady(memory_mb: float) -> int:
    """Memory rounded down to eighths of the next power of two.

    A host's own figure moves by a few MB with every kernel; no setting may follow it, for many of them need a restart.
    """
    power = 1 << max(int(memory_mb) - 1, 1).bit_length()
    step = max(power // 8, 1)
    return max(int(memory_mb) // step * step, 256)


def _clamp(value: float, low: int, high: int) -> int:
    return max(low, min(high, int(value)))


def tuned(  # noqa: PLR0917
    memory_mb: int,
    cores: int,
    disk: str = "ssd",
    version: int | str = 15,
    overrides: Mapping[str, Any] | None = None,
    memory_share: float = 1.0,
) -> dict[str, Any]:
    """Settings for a server that does transactions, sorted by name; what `overrides` says wins."""
    if disk not in DISKS:
        raise ValueError(f"disk is {disk!r}; it must be one of {', '.join(DISKS)}")
    memory_mb, cores, memory_share = int(memory_mb), int(cores), float(memory_share)
    if memory_mb <= 0 or cores <= 0:
        raise ValueError(f"memory is {memory_mb} MB and cores are {cores}; both must be above 0")
    if not 0 < memory_share <= 1:
        raise ValueError(f"memory_share is {memory_share}; it must be above 0 and at most 1")
    _known_version(version)
    memory = _steady(memory_mb * memory_share)
    fast = disk != "hdd"
    result: dict[str, Any] = {
        **_memory(memory, _connections(cores)),
        **_processes(cores),
        "max_connections": _connections(cores),
        "checkpoint_completion_target": 0.9,
        "random_page_cost": 1.1 if fast else 4.0,
        "effective_io_concurrency": {"ssd": 200, "san": 300, "hdd": 2}[disk],
        "maintenance_io_concurrency": 100 if fast else 10,
        # The defaults wait for a fifth of a table to be dead: far too late for tables of orders.
        "autovacuum_vacuum_scale_factor": 0.05,
        "autovacuum_analyze_scale_factor": 0.02,
        "autovacuum_vacuum_cost_limit": 2000 if fast else 400,
        "wal_compression": "lz4",
        # Short queries only lose by being compiled.
        "jit": "off",
    }
    for name, value in (overrides or {}).items():
        result[str(name)] = ("on" if value else "off") if isinstance(value, bool) else value
    return dict(sorted(result.items()))


def _connections(cores: int) -> int:
    """Server connections. pgbouncer stands in front, so that clients may be many more."""
    return 100 if cores < 4 else 200 if cores < 32 else 400  # noqa: PLR2004


def _memory(memory: int, connections: int) -> dict[str, Value]:
    shared = _clamp(memory / 4, 64, 65536)
    maintenance = _clamp(memory / 16, 64, 2048)
    wal = 1024 if memory < 2048 else 4096 if memory < 65536 else 16384  # noqa: PLR2004
    return {
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        # A query may take it several times over; not all connections sort at one moment.
        "work_mem": f"{_clamp((memory - shared) / (connections * 2), 4, 256)}MB",
        "maintenance_work_mem": f"{maintenance}MB",
        "autovacuum_work_mem": f"{_clamp(maintenance / 2, 64, 1024)}MB",
        "wal_buffers": "16MB" if memory >= 2048 else "4MB",  # noqa: PLR2004
        "max_wal_size": f"{wal}MB",
        "min_wal_size": f"{wal // 4}MB",
        "huge_pages": "try",
    }


def _processes(cores: int) -> dict[str, Value]:
    return {
        # Never below 8: a replica must not have fewer than its primary, and hosts may differ.
        "max_worker_processes": max(8, cores + 4),
        "max_parallel_workers": cores,
        "max_parallel_workers_per_gather": min(cores // 2, 4),
        "max_parallel_maintenance_workers": _clamp(cores / 2, 1, 4),
        "autovacuum_max_workers": 3 if cores < 16 else 6,  # noqa: PLR2004
    }


# --- what is wrong --------------------------------------------------------------------------------------------------


def _known_version(version: int | str) -> int:
    major = int(str(version).split(".", maxsplit=1)[0])
    if major not in VERSIONS:
        raise ValueError(f"PostgreSQL {version} is not known here; known are {', '.join(map(str, VERSIONS))}")
    return major


def setting_problems(overrides: Mapping[str, Any], version: int | str) -> list[str]:
    """A sentence for each setting that the server, Patroni or the ledger's promise would not bear."""
    major = _known_version(version)
    found = []
    for name, value in overrides.items():
        problem = _problem(str(name), value, major)
        if problem:
            found.append(f"{name}: {problem}")
    return found


def accepted(overrides: Mapping[str, Any], version: int | str) -> dict[str, Any]:
    """The settings, or an error. Before a host was asked for its release the version is 0: what no version accepts."""
    if str(version) == "0":
        each = {name: [setting_problems({name: value}, one) for one in VERSIONS] for name, value in overrides.items()}
        problems = [problem for found in each.values() if all(found) for problem in found[0]]
    else:
        problems = setting_problems(overrides, version)
    if problems:
        raise ValueError("; ".join(problems))
    return dict(overrides)


def _problem(name: str, value: Any, version: int) -> str:  # noqa: PLR0911
    if name != name.strip().lower() and name.strip().lower() in SETTINGS and name not in _spelt():
        return f"settings are written in lower case here; write {name.strip().lower()}"
    owned = _OWNED.get(name) or next(
        (why for prefix, why in _OWNED_PREFIXES.items() if name.startswith(prefix) and name not in _FREE), None
    )
    if owned:
        return f"it cannot be set, because {owned[0]}; {owned[1]}"
    if value is None:
        return "it has no value; give it one or remove the line"
    if isinstance(value, (list, dict)):
        return f"its value is a {type(value).__name__}; write one string, as in postgresql.conf"
    if "." in name:
        return _extension_problem(name)
    setting = SETTINGS.get(name.lower())
    if setting is None:
        return f"PostgreSQL {version} has no such setting{_nearest(name, version)}"
    if not setting.since <= version <= setting.until:
        return _other_version(setting, version)
    return _value_problem(setting, value) or _unsafe(name, value)


def _spelt() -> set[str]:
    return {setting.name for setting in SETTINGS.values()}


def _other_version(setting: Setting, version: int) -> str:
    if version < setting.since:
        return f"PostgreSQL {version} does not have it yet; it came with {setting.since}. Remove the line"
    return f"PostgreSQL {version} no longer has it; {setting.until} was the last. Remove the line"


def _extension_problem(name: str) -> str:
    extension = name.partition(".")[0]
    if extension in EXTENSIONS:
        return ""
    near = difflib.get_close_matches(extension, EXTENSIONS, 1, 0.6)
    hint = f"; did you mean {near[0]}.{name.partition('.')[2]}?" if near else ""
    return f"no extension {extension} is known here (known: {', '.join(EXTENSIONS)}){hint}"


def _nearest(name: str, version: int) -> str:
    names = [key for key, one in SETTINGS.items() if one.since <= version <= one.until and key not in _OWNED]
    near = difflib.get_close_matches(name.strip().lower().replace("-", "_"), names, 1, 0.6)
    return (
        f"; did you mean {near[0]}?" if near else "; look its name up in PostgreSQL's documentation or remove the line"
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).strip()


def _value_problem(setting: Setting, value: Any) -> str:
    word = _word(value)
    if setting.kind == "bool":
        return "" if word.lower() in BOOLEANS else f"{word!r} is neither on nor off"
    if setting.kind == "enum":
        allowed = [*setting.words, *(BOOLEANS if "on" in setting.words else ())]
        return "" if word.lower() in allowed else f"{word!r} is not one of {', '.join(setting.words)}"
    if setting.kind in ("integer", "real"):
        return _number_problem(setting, word, isinstance(value, bool))
    return _library_problem(word) if setting.name == "shared_preload_libraries" else ""


def _library_problem(word: str) -> str:
    present = {part.strip().strip("\"'") for part in word.split(",")}
    missing = [library for library in LIBRARIES if library not in present]
    return f"{', '.join(missing)} must stay in the list, because the platform relies on it; add it" if missing else ""


def _number_problem(setting: Setting, word: str, is_bool: bool) -> str:
    example = f"like 10{setting.unit if setting.unit != '8kB' else 'MB'}" if setting.unit else "like 10"
    match = _NUMBER.fullmatch(word)
    if is_bool or not match:
        return f"{word!r} is not a number{' with a unit' if setting.unit else ''}; write one {example}"
    number, unit = float(match[1]), match[2]
    units = _TIME_UNITS if setting.unit in _TIME_UNITS else _MEMORY_UNITS if setting.unit else {}
    if unit:
        if unit == "8kB" or unit not in units:
            names = [one for one in units if one != "8kB"]
            known_units = (
                f"use one of {', '.join(names)} (upper and lower case matter)" if names else "it takes no unit"
            )
            return f"{word!r} has an unknown unit; {known_units}"
        number = number * units[unit] / units[setting.unit]
    elif setting.kind == "integer" and number != int(number):
        return f"{word!r} is not a whole number"
    if not setting.low <= number <= setting.high:
        base = f" (counted in {setting.unit})" if setting.unit else ""
        return f"{word!r} is out of range; it must be {setting.low:.15g} to {setting.high:.15g}{base}"
    return ""


def _unsafe(name: str, value: Any) -> str:
    refused, why, instead = _UNSAFE.get(name, ((), "", ""))
    word = _word(value).lower()
    word = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}.get(word, word)
    return f"{word} is refused, because {why}; {instead}" if word in refused else ""
