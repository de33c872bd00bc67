"""One connection for several questions. Managed by Ansible (role backup)."""

from __future__ import annotations

import os
import subprocess
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
        self.psql = subprocess.Popen(words, env=told, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.psql.kill()
        self.psql.communicate()

    def ask(self, query: str) -> str:
        into, out, errors = self.psql.stdin, self.psql.stdout, self.psql.stderr
        assert into
        assert out
        assert errors
        lines: list[str] = []
        with suppress(BrokenPipeError):
            into.write(f"{query}\n;\\echo {END}")
            into.flush()
        for line in out:
            if line == END:
                return "".join(lines).strip()
            lines.append(line)
        raise Trouble(f"{self.database}: {errors.read().strip()}")
