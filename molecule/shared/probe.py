"""The probes `ledger` and `traffic` from outside: ships one into a host's container, starts it, and reads what it says.

    with Ledger("app1", seconds=60) as run:
        run.wait_ready()
        at = time.monotonic()
        inject()
        result = run.result()

The containers' CLOCK_MONOTONIC is this machine's, so times compare. See `python3 -m ledger --help` too.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import io
import json
import os
import secrets
import statistics
import subprocess
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import data
import yaml
from fleet import ENVIRONMENT, INVENTORY, ROOT, Ran, container, docker, run, standing
from fleet import address as fleet_address
from ledger import figures, journal
from ledger.figures import NOTICED_GAP
from traffic import figures as traffic_figures
from vip import ADDRESS

HERE = ROOT / "molecule/shared"
PROGRAM = "/run/ledger.pyz"
DIRECTORY = "/var/tmp/ledger"
STARTED = "import sys; from {package}.__main__ import main; sys.exit(main())\n"
READY_WITHIN = 60.0
# One company's orders are one queue, so there are many companies.
TRADERS, MAKERS = 20, 32
PEOPLE = rb"""
INSERT INTO trading.users (email, password_hash, full_name)
SELECT :'run' || '-' || n || '@trading.test', :'hashed', :'run' || '-' || n FROM generate_series(0, :last) AS n;
SELECT ledger.deposit(gen_random_uuid(), id, 10000000) FROM trading.users
WHERE full_name LIKE :'run' || '-%' \g /dev/null
INSERT INTO trading.companies (owner_id, name, total_shares, share_price)
SELECT u.id, u.full_name, 1000000000, 10 FROM generate_series(0, :makers - 1) AS n
JOIN trading.users AS u ON u.full_name = :'run' || '-' || n ORDER BY n RETURNING id;
"""
# Pulses come every half second: so many with writes going on, and they go on.
WRITING_PULSES = 4


@functools.cache
def secret(name: str) -> str:
    """A value of the inventory, decrypted by Ansible as a run would; it is never printed."""
    ran = run(
        *("ansible", "localhost", "-c", "local", "-i", INVENTORY, "-m", "ansible.builtin.debug", "-a"),
        f"var=hostvars[groups.db[0]].{name}",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
        ANSIBLE_DEPRECATION_WARNINGS="false",
    )
    begin, end = ran.output.find("{"), ran.output.rfind("}")
    values = list(json.loads(ran.output[begin : end + 1]).values()) if ran.code == 0 and begin >= 0 else []
    if not values or not isinstance(values[0], str) or values[0].startswith("<<"):
        raise LookupError(f"{INVENTORY} has no {name} that this machine can read: run bin/secrets init local")
    return values[0]


def archive(package: str) -> bytes:
    """The package as one file that python3 runs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("__main__.py", STARTED.format(package=package))
        for path in sorted((HERE / package).glob("*.py")):
            packed.writestr(f"{package}/{path.name}", path.read_text())
    return buffer.getvalue()


def execute(host: str, *command: str, given: bytes = b"", timeout: int = 120, **environment: str) -> str:
    """A command in a host's container, with input; its values of the environment do not show in any command line."""
    names = [word for name in environment for word in ("--env", name)]
    ran = subprocess.run(
        ["docker", "exec", "-i", *names, container(host), *command],
        input=given,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=timeout,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(
            f"{host}: {command[0]} failed ({ran.returncode}): {ran.stdout.decode()}{ran.stderr.decode()}"
        )
    return ran.stdout.decode()


def ship(host: str, path: str, content: bytes) -> None:
    # Renamed into place: another probe in the same container may be importing from the file.
    script = f"mkdir -p -m 1777 {DIRECTORY} && cat >{path}.$$ && chmod 644 {path}.$$ && mv {path}.$$ {path}"
    execute(host, "sh", "-c", script, given=content)


def prepare(host: str = "app1") -> str:
    """Migrates the reference app's schema, as its owner and through dbproxy; says what the runner said."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        packed.add(HERE / "app", arcname="app")
    place = f"{DIRECTORY}/migrate-{secrets.token_hex(4)}"
    execute(
        host, "sh", "-c", f"mkdir -p -m 1777 {DIRECTORY} && mkdir {place} && tar -x -C {place}", given=buffer.getvalue()
    )
    try:
        return execute(
            *(host, "python3", f"{place}/app/migrate.py"),
            PGHOST="127.0.0.1",
            PGPORT="6432",
            PGDATABASE="trading",
            PGUSER="trading_owner",
            PGPASSWORD=secret("vault_postgres_owner_password"),
        )
    finally:
        execute(host, "rm", "-r", place)


def through_dbproxy(statement: str, database: str = "trading", host: str = "app1", seconds: int = 10) -> Ran:
    """What psql says to the application's role; 124 is its code where it was still waiting at the end of the time."""
    target = f"host=127.0.0.1 port=6432 dbname={database} user=trading_app sslmode=disable"
    return run(
        *("docker", "exec", "--env=PGPASSWORD", container(host), "timeout", str(seconds)),
        *("psql", "-XAtq", target, "-c", statement),
        PGPASSWORD=secret("vault_postgres_app_password"),
    )


def assert_clients_pass() -> None:
    """No pgbouncer holds its clients back."""
    for host in (name for name in standing() if name.startswith("app")):
        asked = through_dbproxy("select 1", host=host)
        assert asked.output.strip() == "1", f"{host}: {asked}"


@dataclass(frozen=True)
class Result:
    """What the probe found; `figures` is all of it."""

    figures: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.figures[name]
        except KeyError:
            raise AttributeError(f"the probe reports no {name}: {self.figures}") from None

    def longest_gap_after(self, moment: float) -> float:
        """Of the gaps that ended after a moment of this machine's time.monotonic(); below half a second they are not
        kept one by one, and the run's longest stands for them.
        """
        short = min(self.figures["longest_gap_s"], NOTICED_GAP)
        return float(max((gap["s"] for gap in self.figures["gaps"] if gap["at"] + gap["s"] > moment), default=short))

    def assert_sound(self) -> None:
        """Nothing acknowledged is lost or doubled, nothing that was refused is there, and the money is what it was."""
        told = self.figures
        wrong = [name for name in ("lost", "doubled", "refused_present", "unjournaled") if told[name]]
        wrong += ["invariant_broken"] if told.get("invariant_broken") else []
        assert not wrong, f"{', '.join(wrong)}: {json.dumps(told, indent=1)}"
        assert told["acknowledged"], f"nothing was acknowledged: {json.dumps(told, indent=1)}"

    def assert_unnoticed(self) -> None:
        """Sound, and no transaction failed."""
        self.assert_sound()
        failed = self.figures["failed_transactions"]
        assert failed == 0, f"{failed} transactions failed: {json.dumps(self.figures, indent=1)}"


class Probe:
    """A running probe. Leaving the block ends it, and if this process dies, its stdin ends and it stops by itself."""

    package = "ledger"

    def __init__(self, host: str, command: Sequence[str], environment: dict[str, str], user: str = "root") -> None:
        self.host, self.command, self.environment, self.user = host, command, environment, user
        self.ready: dict[str, Any] | None = None
        self.pulses: list[dict[str, Any]] = []
        self.last_line = ""
        self.told = threading.Condition()
        self._result: Result | None = None

    def __enter__(self) -> Self:
        ship(self.host, f"/run/{self.package}.pyz", archive(self.package))
        # A file, not a pipe: nobody reads while a test does something else.
        self.errors = tempfile.TemporaryFile()
        names = [word for name in self.environment for word in ("--env", name)]
        self.process = subprocess.Popen(
            ["docker", "exec", "-i", "--user", self.user, *names, container(self.host), *self.command],
            env={**ENVIRONMENT, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            word, _space, rest = line.partition(" ")
            with self.told:
                if word == "READY":
                    self.ready = json.loads(rest)
                elif word == "PULSE":
                    self.pulses.append(json.loads(rest))
                else:
                    self.last_line = line
                self.told.notify_all()

    def wait_ready(self, seconds: float = READY_WITHIN) -> dict[str, Any]:
        """Until the writers are at a steady rate."""
        until = time.monotonic() + seconds
        with self.told:
            while self.ready is None:
                self.told.wait(0.2)
                if self.process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(
                        f"the probe on {self.host} came to no steady rate within {seconds} s: {self.said()}"
                    )
            return self.ready

    def wait_writing(self, seconds: float = 60) -> float:
        """Until acknowledgements go on, four pulses long without a pause; returns the seconds that it took."""
        began = time.monotonic()
        with self.told:
            while time.monotonic() - began < seconds:
                recent = [pulse for pulse in self.pulses if pulse["t"] > began][-WRITING_PULSES:]
                fresh = [pulse["last_ack"] and pulse["t"] - pulse["last_ack"] < NOTICED_GAP for pulse in recent]
                if len(fresh) == WRITING_PULSES and all(fresh):
                    return time.monotonic() - began
                if self.process.poll() is not None:
                    break
                self.told.wait(0.2)
        raise AssertionError(f"the probe on {self.host} did not write again within {seconds} s: {self.said()}")

    def result(self, timeout: float = 180) -> Result:
        """Stops the writers, waits for the comparison."""
        if self._result is None:
            assert self.process.stdin
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.wait(timeout)
            self.reader.join(10)
            if self.process.returncode or not self.last_line.startswith("{"):
                raise AssertionError(f"the probe on {self.host} found nothing to compare with: {self.said()}")
            self._result = Result(json.loads(self.last_line))
        return self._result

    def said(self) -> str:
        self.errors.seek(0)
        return f"{self.last_line or '(no line)'} {self.pulses[-1:]} {self.errors.read().decode()[-2000:]}"

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            assert self.process.stdin
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()


def journal_path(kind: str) -> str:
    return f"{DIRECTORY}/{kind}-{secrets.token_hex(4)}.journal"


class Ledger(Probe):
    """Movements of money through dbproxy."""

    kind, password = "postgres", "vault_postgres_app_password"

    def __init__(
        self, host: str = "app1", seconds: float = 120, writers: int = 8, rate: float = 0, **more: float
    ) -> None:
        self.journal = journal_path(self.kind)
        command = ["python3", PROGRAM, self.kind, "--handshake", "--journal", self.journal, "--seconds", str(seconds)]
        command += ["--writers", str(writers), "--rate-limit", str(rate)]
        for name, value in more.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        super().__init__(host, command, {"LEDGER_PASSWORD": secret(self.password)})

    def report(self) -> Result:
        """The journal of a run that has ended, against what is there now."""
        command = ("python3", PROGRAM, "report", "--journal", self.journal)
        return Result(
            json.loads(execute(self.host, *command, timeout=180, LEDGER_PASSWORD=self.environment["LEDGER_PASSWORD"]))
        )

    def p95_ms(self, began: float, ended: float) -> float:
        """Of the writes acknowledged between two moments of this machine's time.monotonic()."""
        told = journal.parse(execute(self.host, "cat", self.journal).splitlines(keepends=True))
        took = [entry.took for entry in told.of(journal.ACKNOWLEDGED) if began < entry.at < ended]
        return statistics.quantiles(took, n=20)[-1] * 1000


class Redis(Ledger):
    """Numbered writes to the Redis master through dbproxy."""

    kind, password = "redis", "vault_redis_app_password"

    def __init__(
        self, host: str = "app1", seconds: float = 120, writers: int = 4, rate: float = 0, **more: float
    ) -> None:
        super().__init__(host, seconds, writers, rate, **more)


class Writable(Probe):
    """Asks one node directly, ten times a second, whether it acknowledges a write.

    From another host as trading_app; on the node itself by the socket as PostgreSQL's superuser: a cut leaves that.
    """

    def __init__(self, host: str, node: str, address: str | None = None, seconds: float = 120) -> None:
        self.node = node
        place = f"{DIRECTORY}/{secrets.token_hex(4)}"
        self.journal = f"{place}/{node}.writable"
        on_itself = host == node
        where = ["--sslmode", "disable", "--user", "postgres"] if on_itself else []
        target = "/var/run/postgresql" if on_itself else address or fleet_address(node)
        command = [
            "python3",
            PROGRAM,
            "two-writable",
            "--handshake",
            "--node",
            f"{node}={target}",
            "--journal-dir",
            place,
        ]
        password = "by peer" if on_itself else secret("vault_postgres_app_password")
        user = "postgres" if on_itself else "root"
        super().__init__(host, [*command, *where, "--seconds", str(seconds)], {"LEDGER_PASSWORD": password}, user)


def compare(probes: Sequence[Writable], injected: float | None = None) -> dict[str, Any]:
    """Who acknowledged writes when; the probes are ended by it. Times count from the injection."""
    stories = []
    for probe in probes:
        probe.result()
        lines = execute(probe.host, "cat", probe.journal).splitlines(keepends=True)
        stories.append(figures.story_of(journal.parse(lines)))
    return figures.compare_nodes(stories, injected)


class Window:
    """What the load saw from one moment to another; complete once the block is left."""

    def __init__(self) -> None:
        self.pulses: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return self.figures[name]

    @property
    def figures(self) -> dict[str, Any]:
        return traffic_figures.summary(self.pulses) | {"strays": traffic_figures.strays(self.pulses)}

    def assert_unnoticed(self, reconnect: float = 2.0) -> None:
        """No request failed, and every WebSocket is there or came back in time."""
        told = traffic_figures.summary(self.pulses)
        assert told["requests"], told
        assert told["failed"] == 0, json.dumps(told, indent=1)
        assert told["sockets_missing"] == 0, json.dumps(told, indent=1)
        assert told["reconnect_s"] <= reconnect, json.dumps(told, indent=1)


class Traffic(Probe):
    """Requests and WebSockets through the virtual address, from a declared proxy."""

    package = "traffic"

    def __init__(self, host: str = "world1", seconds: float = 120, **limits: float | str) -> None:
        self.authorities = f"/run/{self.package}-{secrets.token_hex(4)}.pem"
        run, password = f"load{secrets.token_hex(4)}", secrets.token_hex(16)
        companies = people(run, password, int(limits.get("users", TRADERS)), MAKERS)
        command = ["python3", f"/run/{self.package}.pyz", "--handshake", "--address", ADDRESS]
        command += ["--trusted", self.authorities, "--seconds", str(seconds), "--run", run]
        for name, value in limits.items():
            command += [f"--{name}", str(value)]
        super().__init__(host, [*command, "--companies", *companies], {"TRAFFIC_PASSWORD": password})

    def __enter__(self) -> Self:
        ship(self.host, self.authorities, trusted().encode())
        return super().__enter__()

    @contextlib.contextmanager
    def window(self, settle: float = 2.0) -> Iterator[Window]:
        """The seconds of the block, and the time that its last requests need."""
        seen, began = Window(), time.monotonic()
        yield seen
        until = time.monotonic() + settle
        with self.told:
            while not self.pulses or self.pulses[-1]["t"] < until:
                assert self.process.poll() is None, f"the load on {self.host} has ended: {self.said()}"
                self.told.wait(0.2)
            seen.pulses = [pulse for pulse in self.pulses if pulse["t"] > began]


def takes_orders(seconds: float = 10) -> bool:
    """Whether the front door acknowledges an order. At no rate: the machine may be busy."""
    with Traffic("world1", seconds=seconds, rate=5, sockets=1) as load:
        load.process.wait(seconds + 120)
        return bool(load.result().orders["acknowledged"])


def people(run: str, password: str, users: int, makers: int) -> list[str]:
    """Accounts with money, and makers with a company each, whose ids these are: the app has no way to give it away."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    hashed = "$".join(["scrypt", *(base64.b64encode(part).decode() for part in (salt, digest))])
    values = {"run": run, "hashed": hashed, "makers": makers, "last": users + makers - 1}
    given = [word for name, value in values.items() for word in ("-v", f"{name}={value}")]
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "trading", *given]
    return execute(data.primary(), *psql, given=PEOPLE).split()


def trusted() -> str:
    """Who may sign for the domain: the internal CA (a load balancer's first certificate), and the fleet's ACME CA."""
    internal = yaml.safe_load((INVENTORY / "group_vars/all/pki_ca.yml").read_text())["pki_ca_certificate"]
    acme = docker("exec", container("world1"), "curl", "-skf", "https://127.0.0.1:15000/roots/0")
    return str(internal) + (acme.output if acme.code == 0 else "")
