"""A server on a restored data directory, out of everybody's reach. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from backup_host import Trouble, psql

POLL = 0.2
# Only the socket's name; the cluster's own port may be another.
PORT = "5432"
# Seconds after which a server that does not run has given up.
GRACE = 2
LAST_WORDS = 15
OF_TARGET = ("action", "inclusive", "lsn", "name", "time", "timeline", "xid")
FACTS = """select json_build_object(
    'timeline', (pg_control_checkpoint()).timeline_id, 'lsn', pg_current_wal_lsn(),
    'last_commit', to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MSOF'),
    'last_commit_at', extract(epoch from pg_last_xact_replay_timestamp()))"""
# pgBackRest wrote them for this recovery; the next server, perhaps a replica, has no use for them.
SETTINGS = ("restore_command", *(f"recovery_target{one}" for one in ("", *(f"_{it}" for it in OF_TARGET))))


class Server:
    def __init__(self, binaries: Path, data: Path, place: Path, more: str = "") -> None:
        self.binaries, self.data, self.place, self.more = binaries, data, place, more
        self.log = place / "log"

    def control(self, *words: str) -> int:
        command = [str(self.binaries / "pg_ctl"), "-D", str(self.data), *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode

    def pidfile(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def works(self) -> bool:
        """By the directory it works in: the number alone may be anybody's, once the host has been restarted."""
        try:
            return Path(f"/proc/{int(self.pidfile()[0])}/cwd").samefile(self.data)
        except (OSError, ValueError, LookupError):
            return False

    def start(self) -> None:
        # Nobody comes in: no network, and a socket that only postgres finds.
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.place} -c logging_collector=off -c ssl=off "
            f"-c synchronous_standby_names= -c port={PORT} {self.more}"
        )
        self.control("-l", str(self.log), "-W", "-o", options, "start")

    def stop(self, mode: str = "fast", seconds: int = 600) -> int:
        return self.control("-m", mode, "-w", "-t", str(seconds), "stop")

    def runs(self) -> bool:
        return self.control("status") == 0

    def ask(self, query: str) -> str | None:
        """None while it does not answer."""
        return psql(query, PORT, str(self.place))

    def must(self, query: str) -> str:
        answer = self.ask(query)
        if answer is None:
            raise Trouble(f"PostgreSQL reached the target, and did not answer to {query}. It said last:\n{self.said()}")
        return answer

    def said(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_WORDS:]) if self.log.exists() else ""


def recovered(server: Server, timeout: float) -> dict[str, object]:
    began = time.monotonic()
    server.start()
    while server.ask("select pg_is_in_recovery()") != "f":
        if time.monotonic() - began > timeout:
            raise Trouble(f"Recovery has not ended within {timeout:.0f} s. It said last:\n{server.said()}")
        if time.monotonic() - began > GRACE and not server.runs():
            raise Trouble(f"PostgreSQL stopped before it reached the target. It said last:\n{server.said()}")
        time.sleep(POLL)
    seconds = time.monotonic() - began
    for name in SETTINGS:
        server.ask(f"alter system reset {name}")
    # What comes after the target belongs to a new timeline, which the archive has to know before anybody writes.
    server.must("checkpoint")
    facts = json.loads(server.must(FACTS))
    server.ask("select pg_switch_wal()")
    lines = [
        f"recovered in {seconds:.1f} s to {facts.get('lsn')}, on timeline {facts.get('timeline')}",
        f"the last transaction is of {facts.get('last_commit') or 'the backup itself'}; what came later is not there",
    ]
    return {"seconds": round(seconds, 1), **facts, "lines": lines}
