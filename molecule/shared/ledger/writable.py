"""Asks nodes directly, past every proxy: would you acknowledge a write now?"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg2

from ledger.journal import ACKNOWLEDGED, FAILED, UNKNOWN, Journal
from ledger.postgres import Connection, Target
from ledger.writers import WriteError, say

# Assigns a transaction id and writes WAL, so COMMIT waits for the synchronous standby like any write; needs no table.
TRY = "BEGIN; SELECT pg_logical_emit_message(true, 'ledger', %s)"


class Asker:
    """One node, tried every `interval` seconds. A try that hangs is waited for: late is when it was acknowledged."""

    def __init__(self, name: str, target: Target, directory: Path, interval: float, timeout: float) -> None:
        self.name, self.interval, self.timeout = name, interval, timeout
        self.connection = Connection(target)
        head = {"kind": "writable", "node": name, "began": time.monotonic(), "interval": interval}
        self.journal = Journal(directory / f"{name}.writable", head)
        self.busy_since: float | None = None
        self.tries = self.writes = 0

    def once(self, standing: bool) -> bool:
        self.tries += 1
        reference = str(self.tries)
        self.busy_since = time.monotonic()
        try:
            if not standing:
                self.connection.close()
                self.connection.connect()
            with self.connection.connection.cursor() as cursor:
                cursor.execute("SELECT pg_is_in_recovery()")
                if cursor.fetchone()[0]:
                    self.journal.add(FAILED, time.monotonic(), reference, "in_recovery")
                    return True
            self.connection.commit(TRY, (reference,))
        except psycopg2.Error:
            self.journal.add(FAILED, time.monotonic(), reference, "no_answer")
        except WriteError as error:
            letter = UNKNOWN if error.kind == "unknown" else FAILED
            self.journal.add(letter, time.monotonic(), reference, error.kind)
        else:
            self.journal.add(ACKNOWLEDGED, time.monotonic(), reference)
            self.writes += 1
            return True
        finally:
            self.busy_since = None
        return False

    def work(self, stop: threading.Event) -> None:
        standing = False
        while not stop.wait(self.interval):
            standing = self.once(standing)
        self.connection.close()

    def watch(self) -> None:
        since = self.busy_since
        if since is not None and time.monotonic() - since > self.timeout:
            self.connection.cut()


def go(askers: list[Asker], seconds: float, stop: threading.Event, handshake: bool) -> None:
    threads = [threading.Thread(target=asker.work, args=(stop,), daemon=True) for asker in askers]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    ready = False
    while not stop.wait(0.2):
        if not ready and all(asker.tries > 2 for asker in askers):
            ready = True
            say(handshake, "READY", t=time.monotonic())
        for asker in askers:
            asker.watch()
        if time.monotonic() - began > seconds:
            stop.set()
    for asker, thread in zip(askers, threads, strict=True):
        # A try that hangs on COMMIT at the end was not acknowledged within the run.
        thread.join(1)
        if thread.is_alive():
            asker.connection.cut()
            thread.join(2)
        asker.journal.close({"ended": time.monotonic(), "tries": asker.tries, "writes": asker.writes})
