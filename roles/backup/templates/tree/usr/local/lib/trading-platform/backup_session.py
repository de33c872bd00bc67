"""One connection for several questions. Managed by Ansible (role backup)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress

from backup_host import Trouble

END = "-- end of the answer --\n"


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Session:
    """So that a transaction stays open between the questions."""

    def __init__(self, database: str, port: str, host: str = "") -> None:
        # By the environment, where a name is no connection string. Counting takes longer than clients are allowed.
        unlimited = "-c idle_in_transaction_session_timeout=0 -c statement_timeout=0"
        told = {**os.environ, "PGDATABASE": database, "PGPORT": port, "PGOPTIONS": unlimited}
        words, pipe = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *(["-h", host] if host else [])], subprocess.PIPE
        self.database = database
        # A file: nobody reads notices while the answer is awaited, and a full pipe would hold psql up for ever.
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed at the end of the connection
        self.psql = subprocess.Popen(words, env=told, stdin=pipe, stdout=pipe, stderr=self.errors, text=True)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.psql.kill()
        self.psql.communicate()
        self.errors.close()

    def ask(self, query: str) -> str:
        into, out = self.psql.stdin, self.psql.stdout
        assert into
        assert out
        lines: list[str] = []
        with suppress(BrokenPipeError):
            into.write(f"{query}\n;\\echo {END}")
            into.flush()
        for line in out:
            if line == END:
                return "".join(lines).strip()
            lines.append(line)
        self.psql.wait()
        self.errors.seek(0)
        raise Trouble(f"{self.database}: {self.errors.read().strip()}")
