# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings for a host, and settings that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._postgres import settings
from ansible_collections.trading.platform.plugins.module_utils._postgres.settings import (
    accepted,
    setting_problems,
    tuned,
)

SIZES = [512, 1024, 2048, 4096, 7800, 16384, 32768, 64000, 131072, 262144, 524288]
MEMORY = ["shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "autovacuum_work_mem"]


def megabytes(value: Any) -> int:
    return int(str(value).removesuffix("MB"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"memory_mb": 1024, "cores": 1},
            {
                "shared_buffers": "256MB",
                "effective_cache_size": "768MB",
                "work_mem": "4MB",
                "maintenance_work_mem": "64MB",
                "max_connections": 100,
                "max_worker_processes": 8,
                "max_parallel_workers": 1,
                "max_parallel_workers_per_gather": 0,
                "max_parallel_maintenance_workers": 1,
                "max_wal_size": "1024MB",
                "min_wal_size": "256MB",
                "wal_buffers": "4MB",
            },
        ),
        (
            {"memory_mb": 8192, "cores": 4},
            {
                "shared_buffers": "2048MB",
                "effective_cache_size": "6144MB",
                "work_mem": "15MB",
                "maintenance_work_mem": "512MB",
                "max_connections": 200,
                "max_parallel_workers_per_gather": 2,
                "random_page_cost": 1.1,
                "effective_io_concurrency": 200,
            },
        ),
        (
            {"memory_mb": 65536, "cores": 16},
            {
                "shared_buffers": "16384MB",
                "maintenance_work_mem": "2048MB",
                "max_worker_processes": 20,
                "autovacuum_max_workers": 6,
                "max_wal_size": "16384MB",
            },
        ),
        (
            {"memory_mb": 524288, "cores": 64, "disk": "san"},
            {"shared_buffers": "65536MB", "max_connections": 400, "work_mem": "256MB", "effective_io_concurrency": 300},
        ),
        (
            {"memory_mb": 8192, "cores": 4, "disk": "hdd"},
            {"random_page_cost": 4.0, "effective_io_concurrency": 2, "autovacuum_vacuum_cost_limit": 400},
        ),
        ({"memory_mb": 16384, "cores": 4, "memory_share": 0.5}, {"shared_buffers": "2048MB"}),
        (
            {"memory_mb": 8192, "cores": 4, "overrides": {"work_mem": "1GB", "jit": True, "pgaudit.log": "ddl"}},
            {"work_mem": "1GB", "jit": "on", "pgaudit.log": "ddl", "shared_buffers": "2048MB"},
        ),
    ],
)
def test_tuned(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    result = tuned(**arguments)
    assert {name: result[name] for name in expected} == expected
    assert list(result) == sorted(result)


@pytest.mark.parametrize("version", settings.VERSIONS)
@pytest.mark.parametrize("disk", settings.DISKS)
@pytest.mark.parametrize("memory", SIZES)
def test_the_servers_accept_what_is_tuned(memory: int, disk: str, version: int) -> None:
    for cores in (1, 4, 64):
        assert setting_problems(tuned(memory, cores, disk, version), version) == []


@pytest.mark.parametrize("name", MEMORY)
def test_more_memory_never_means_less(name: str) -> None:
    values = [megabytes(tuned(memory, 8)[name]) for memory in range(400, 140000, 313)]
    assert values == sorted(values)


@pytest.mark.parametrize("memory", SIZES)
def test_the_parts_fit_the_whole(memory: int) -> None:
    result = tuned(memory, 8)
    assert megabytes(result["shared_buffers"]) <= memory * 0.26 or memory < 1024
    assert megabytes(result["min_wal_size"]) * 2 <= megabytes(result["max_wal_size"])


@pytest.mark.parametrize("memory", [965, 1985, 3915, 7800, 7955, 15990, 32090, 64300, 128500])
def test_a_few_megabytes_change_nothing(memory: int) -> None:
    assert tuned(memory - 8, 4) == tuned(memory, 4) == tuned(memory + 8, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory_mb": 0, "cores": 1}, "both must be above 0"),
        ({"memory_mb": 1024, "cores": 0}, "both must be above 0"),
        ({"memory_mb": 1024, "cores": 1, "disk": "tape"}, "must be one of ssd, hdd, san"),
        ({"memory_mb": 1024, "cores": 1, "memory_share": 0}, "above 0 and at most 1"),
        ({"memory_mb": 1024, "cores": 1, "memory_share": 50}, "above 0 and at most 1"),
        ({"memory_mb": 1024, "cores": 1, "version": 14}, "PostgreSQL 14 is not known here; known are 15, 16, 17"),
    ],
)
def test_tuned_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        tuned(**arguments)


@pytest.mark.parametrize(
    ("overrides", "version"),
    [
        ({}, 15),
        ({"work_mem": "64MB", "max_connections": 300, "deadlock_timeout": "1s", "random_page_cost": 1.5}, "15"),
        ({"jit": True, "log_connections": "yes", "synchronous_commit": "remote_apply", "huge_pages": "try"}, 16),
        ({"shared_buffers": "1.5GB", "checkpoint_timeout": "15 min", "max_slot_wal_keep_size": -1}, 17),
        ({"pgaudit.log": "write", "auto_explain.log_min_duration": "1s", "pg_stat_statements.max": 100}, 17),
        ({"transaction_timeout": "1min"}, 17),
        ({"old_snapshot_threshold": "1h"}, 16),
        ({"DateStyle": "ISO, DMY", "recovery_prefetch": "try"}, 15),
        ({"shared_preload_libraries": "pg_stat_statements, pgaudit,auto_explain"}, 15),
        ({"max_wal_senders": 12, "max_replication_slots": 12, "wal_log_hints": "on"}, 15),
    ],
)
def test_good_settings(overrides: dict[str, Any], version: int | str) -> None:
    assert setting_problems(overrides, version) == []


@pytest.mark.parametrize(
    ("name", "value", "version", "message"),
    [
        ("work_mm", "4MB", 15, "PostgreSQL 15 has no such setting; did you mean work_mem?"),
        ("max-connections", 100, 15, "did you mean max_connections?"),
        ("flux_capacitor", 1, 15, "look its name up in PostgreSQL's documentation or remove the line"),
        ("Work_Mem", "4MB", 15, "write work_mem"),
        ("transaction_timeout", "1s", 15, "does not have it yet; it came with 17"),
        ("vacuum_defer_cleanup_age", 1, 16, "no longer has it; 15 was the last"),
        ("promote_trigger_file", "x", 15, "Patroni writes the recovery settings"),
        ("listen_addresses", "*", 15, "Patroni sets it itself"),
        ("port", 5433, 15, "the address comes from the inventory"),
        ("cluster_name", "x", 15, "Patroni sets it itself"),
        ("wal_level", "minimal", 15, "Patroni sets it itself"),
        ("hot_standby", "off", 15, "Patroni sets it itself"),
        ("synchronous_standby_names", "*", 15, "choose the synchronous policy"),
        ("primary_conninfo", "", 15, "Patroni writes the recovery settings"),
        ("recovery_target_time", "x", 15, "the backup role's work"),
        ("ssl_min_protocol_version", "TLSv1", 15, "clients insist on what it says"),
        ("hba_file", "x", 15, "pg_hba has its own variable"),
        ("archive_mode", "off", 15, "on from the first start"),
        ("fsync", False, 15, "a power cut would destroy the cluster"),
        ("fsync", "no", 15, "a power cut would destroy the cluster"),
        ("synchronous_commit", "local", 15, "an acknowledged order would be lost"),
        ("password_encryption", "md5", 15, "scram-sha-256 only"),
        ("shared_preload_libraries", "pgaudit", 15, "pg_stat_statements must stay in the list"),
        ("work_mem", None, 15, "it has no value"),
        ("work_mem", ["4MB"], 15, "its value is a list"),
        ("work_mem", "64mb", 15, "use one of B, kB, MB, GB, TB (upper and lower case matter)"),
        ("work_mem", "10s", 15, "has an unknown unit"),
        ("work_mem", "8kb", 15, "has an unknown unit"),
        ("work_mem", True, 15, "is not a number with a unit; write one like 10kB"),
        ("deadlock_timeout", "1m", 15, "use one of us, ms, s, min, h, d"),
        ("shared_buffers", "1kB", 15, "out of range; it must be 16 to 1073741823 (counted in 8kB)"),
        ("max_connections", "100.5", 15, "is not a whole number"),
        ("max_connections", "100MB", 15, "it takes no unit"),
        ("max_connections", 0, 15, "out of range; it must be 1 to 262143"),
        ("jit", "perhaps", 15, "is neither on nor off"),
        ("log_min_messages", "loud", 15, "is not one of debug5"),
        ("pgaudt.log", "ddl", 15, "did you mean pgaudit.log?"),
        ("timescaledb.x", "1", 15, "no extension timescaledb is known here"),
    ],
)
def test_bad_settings(name: str, value: Any, version: int, message: str) -> None:
    (problem,) = setting_problems({name: value}, version)
    assert problem.startswith(f"{name}: ")
    assert message in problem


def test_versions_differ() -> None:
    counts = {v: sum(one.since <= v <= one.until for one in settings.SETTINGS.values()) for v in settings.VERSIONS}
    assert counts[15] < counts[16] < counts[17]


@pytest.mark.parametrize(
    ("version", "overrides", "says"),
    [
        (15, {"work_mem": "64MB"}, ""),
        (15, {"work_mem": "a lot"}, "work_mem"),
        (15, {"archive_mode": "off", "no_such": 1}, "archive_mode: .*; no_such: "),
        # Not yet asked which release the host is: only what no version accepts.
        (0, {"summarize_wal": "on"}, ""),
        (0, {"no_such": 1}, "no_such"),
    ],
)
def test_accepted(version: int, overrides: dict[str, Any], says: str) -> None:
    if not says:
        assert accepted(overrides, version) == overrides
        return
    with pytest.raises(ValueError, match=says):
        accepted(overrides, version)
