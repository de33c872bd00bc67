# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts: have they room, and does everything on them run?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, stat, table, timeseries

# What is a disk for our purposes: no memory, no image, no bind mount of a container.
DISKS = (
    'fstype!~"tmpfs|squashfs|ramfs|nsfs",mountpoint!~"/(run|dev|sys|proc|boot/efi)(/.*)?|/etc/.*|/var/lib/docker/.*"'
)

BOARD = Board(
    uid="hosts",
    title="Hosts",
    question="Does every host answer, and has it room for the next days?",
    reading=(
        "Read the top row first. A host that does not answer explains most of what else is red, so begin there. "
        "Then the "
        "tables: a disk that will be full has hours, a failed unit has a name. Pick one host above to see it alone."
    ),
    hosts='up{job="node",ENV}',
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "down",
            "Hosts that do not answer: 0",
            'sum(up{job="node",HERE} == bool 0)',
            "none",
            below(1),
            "How many hosts' node exporters Prometheus cannot read. 1 is a host down, cut off, or its exporter "
            "stopped: "
            "look whether other things on it answer (up in Explore, ssh), then at the runbook of HostDown.",
        ),
        stat(
            "units",
            "Units that failed: 0",
            'sum(node_systemd_unit_state{HERE,state="failed"})',
            "none",
            below(1),
            "systemd units in state failed. The table below names them; on the host: systemctl status UNIT, "
            "journalctl -u UNIT.",
        ),
        stat(
            "disk",
            "Fullest disk: under 85 %",
            f"max(1 - node_filesystem_avail_bytes{{HERE,{DISKS}}} / node_filesystem_size_bytes{{HERE,{DISKS}}})",
            "percentunit",
            below(0.80, 0.85),
            "How full the fullest file system of all hosts is. HostDiskFilling asks for attention at 85 %.",
            decimals=1,
        ),
        stat(
            "memory",
            "Fullest memory: under 80 %",
            "max(1 - node_memory_MemAvailable_bytes{HERE} / node_memory_MemTotal_bytes{HERE})",
            "percentunit",
            below(0.80, 0.90),
            "Memory that could not be given to a new program, on the host with least room. Caches do not count.",
            decimals=1,
        ),
        stat(
            "clock",
            "Clock off: under 50 ms",
            "max(abs(node_timex_offset_seconds{HERE}))",
            "s",
            below(0.05, 0.5),
            "The worst clock. Leases, certificates and the order of log lines stand on it. chronyc tracking on "
            "the host says more.",
        ),
        stat(
            "oom",
            "Killed for memory in a day: 0",
            "sum(increase(node_vmstat_oom_kill{HERE}[1d]))",
            "none",
            below(1),
            "How often the kernel killed a process for want of memory. journalctl -k names it.",
            decimals=0,
        ),
    ),
    body=(
        timeseries(
            "cpu",
            "Processor: under 80 % busy",
            '1 - avg by (instance) (rate(node_cpu_seconds_total{HERE,mode="idle"}[$__rate_interval]))',
            "percentunit",
            below(0.80, 0.95),
            "Share of all cores at work. Above 80 % for long, answers get slow before anything fails.",
        ),
        timeseries(
            "room",
            "Memory in use: under 80 %",
            "1 - node_memory_MemAvailable_bytes{HERE} / node_memory_MemTotal_bytes{HERE}",
            "percentunit",
            below(0.80, 0.90),
            "A line that only climbs is a leak: the processes table of the host's top, or Docker's dashboard, "
            "says whose.",
        ),
        timeseries(
            "load",
            "Waiting for a core: load under 1.5 a core",
            'node_load5{HERE} / on (instance, env) count by (instance, env) (node_cpu_seconds_total{HERE,mode="idle"})',
            "short",
            below(1.5, 3),
            "Load of five minutes by core. High load with an idle processor is waiting for a disk.",
        ),
        timeseries(
            "disks",
            "Disk busy: under 70 %",
            'rate(node_disk_io_time_seconds_total{HERE,device!~"loop.*|ram.*|zram.*"}[$__rate_interval])',
            "percentunit",
            below(0.70, 0.90),
            "Share of time in which a disk had something to do. Databases feel it first.",
            legend="{{instance}} {{device}}",
        ),
        timeseries(
            "network",
            "Traffic by host, as usual",
            {
                "{{instance}} in": (
                    "sum by (instance) "
                    '(rate(node_network_receive_bytes_total{HERE,device!~"lo|veth.*|br-.*|docker.*"}[$__rate_interval]))'
                ),
                "{{instance}} out": (
                    "-sum by (instance) "
                    '(rate(node_network_transmit_bytes_total{HERE,device!~"lo|veth.*|br-.*|docker.*"}[$__rate_interval]))'
                ),
            },
            "Bps",
            NEUTRAL.because("how much a network carries is not known here"),
            "Bytes a second, in above and out below the line. There is no good figure; a change without a reason "
            "is the news.",
        ),
        table(
            "filesystems",
            "Disks: none full within four days",
            {
                "Used": (
                    f"1 - node_filesystem_avail_bytes{{HERE,{DISKS}}} / node_filesystem_size_bytes{{HERE,{DISKS}}}"
                ),
                "In four days": (
                    f"1 - predict_linear(node_filesystem_avail_bytes{{HERE,{DISKS}}}[6h], 4 * 86400) / "
                    f"node_filesystem_size_bytes{{HERE,{DISKS}}}"
                ),
            },
            "percentunit",
            below(0.85, 0.95),
            "Each file system, now and as a straight line of the last six hours says for four days ahead. Over "
            "100 % is a date.",
        ),
        table(
            "failed",
            "Failed units: none",
            'node_systemd_unit_state{HERE,state="failed"} == 1',
            "none",
            below(1),
            "What failed, by name. Empty is well.",
            legend="Failed",
            empty_when_good=True,
            width=24,
        ),
    ),
)
