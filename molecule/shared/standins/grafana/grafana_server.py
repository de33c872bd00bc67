#!/usr/bin/python3
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Grafana in tests: it is not Grafana, and shows no dashboard.

It reads grafana.ini and the provisioning files as strictly as it can: what Grafana would skip silently (a setting that
it does not know, a dashboard that is no JSON) ends it here. Then it answers, by TLS and to who logs in, the parts of
the API that the role and the stories ask. Names of settings and keys are those of Grafana 10.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import http.client
import http.server
import json
import os
import re
import secrets
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

# The settings and keys of Grafana's files that the role may write; any other ends this program.
KNOWN = Path("/usr/share/grafana/known.json")
EXPAND = re.compile(r"\$__file\{([^}]+)\}")
BUILT_IN = {"-- Grafana --", "-- Mixed --", "-- Dashboard --"}
OK, CREATED = 200, 200
Answer = tuple[int, Any]


class Refusal(Exception):  # noqa: N818 - what it says to whoever asks
    """Why it does not start, or what it answers."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


# ----- what it reads


def expanded(text: str) -> str:
    """$__file{...} as Grafana replaces it. Who runs this must be able to read the file."""

    def content(match: re.Match[str]) -> str:
        try:
            return Path(match[1]).read_text().strip()
        except OSError as problem:
            raise Refusal(f"{match[0]}: {problem}") from None

    return EXPAND.sub(content, text)


def settings(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text())
    except (OSError, configparser.Error) as problem:
        raise Refusal(f"{path}: {problem}") from None
    known = json.loads(KNOWN.read_text())["settings"]
    found: dict[str, dict[str, str]] = {}
    for section in parser.sections():
        if section not in known:
            raise Refusal(f"{path}: there is no section [{section}]")
        for key, value in parser.items(section):
            if key not in known[section].split():
                raise Refusal(f"{path}: [{section}] has no setting {key}")
            found.setdefault(section, {})[key] = expanded(value)
    return found


def judged(given: dict[str, dict[str, str]]) -> None:
    """What the role promises, and a default of Grafana would break."""
    wanted = {
        ("server", "protocol"): {"https"},
        ("security", "disable_gravatar"): {"true"},
        ("security", "cookie_secure"): {"true"},
        ("security", "strict_transport_security"): {"true"},
        ("users", "allow_sign_up"): {"false"},
        ("auth.anonymous", "enabled"): {"false"},
        ("analytics", "reporting_enabled"): {"false"},
    }
    for (section, key), good in wanted.items():
        value = given.get(section, {}).get(key, "")
        if value not in good:
            raise Refusal(f"[{section}] {key} is {value!r}, not {' or '.join(sorted(good))}")
    security = given["security"]
    if security.get("admin_user", "admin") == "admin" or security.get("admin_password", "admin") == "admin":
        raise Refusal("[security] has Grafana's default administrator or password")
    if not security.get("secret_key"):
        raise Refusal("[security] has no secret_key of its own")


def provisioned(folder: Path, kind: str, key: str) -> list[dict[str, Any]]:
    """The entries of the provisioning files of a kind. Ours are JSON, which is YAML too."""
    words = set(json.loads(KNOWN.read_text())[key].split())
    found: list[dict[str, Any]] = []
    for path in sorted((folder / kind).glob("*.y*ml")):
        try:
            data = json.loads(path.read_text())
        except ValueError as problem:
            raise Refusal(f"{path}: {problem}") from None
        if data.get("apiVersion") != 1:
            raise Refusal(f"{path}: apiVersion is not 1")
        for one in data[key]:
            strange = set(one) - words
            if strange:
                raise Refusal(f"{path}: {one.get('name')} has no key {sorted(strange)[0]}")
            found.append(one)
    return found


def data_source(one: dict[str, Any]) -> dict[str, Any]:
    """A data source with its secrets; refused where it would not check whom it talks to."""
    name = one["name"]
    options, secure = one.get("jsonData", {}), one.get("secureJsonData", {})
    if not str(one.get("url", "")).startswith("https://") or options.get("tlsSkipVerify"):
        raise Refusal(f"data source {name}: no TLS, or none that is checked")
    if one.get("access") != "proxy" or one.get("editable"):
        raise Refusal(f"data source {name}: browsers would ask it themselves, or people could change it")
    for key, value in secure.items():
        if not EXPAND.fullmatch(value):
            raise Refusal(f"data source {name}: {key} stands in the file itself")
    context = ssl.create_default_context()
    if options.get("tlsAuthWithCACert"):
        context = ssl.create_default_context(cadata=expanded(secure["tlsCACert"]))
    if options.get("tlsAuth"):
        pair = [EXPAND.fullmatch(secure[key]) for key in ("tlsClientCert", "tlsClientKey")]
        context.load_cert_chain(*[match[1] for match in pair if match])
    password = expanded(secure.get("basicAuthPassword", ""))
    return {**one, "context": context, "password": password}


def dashboards(providers: list[dict[str, Any]], sources: set[str]) -> dict[str, dict[str, Any]]:
    """By uid, each with its folder."""
    found: dict[str, dict[str, Any]] = {}
    for provider in providers:
        root = Path(provider["options"]["path"])
        if not root.is_dir():
            raise Refusal(f"provider {provider['name']}: {root} is not there")
        for path in sorted(root.rglob("*.json")):
            try:
                board = json.loads(path.read_text())
            except ValueError as problem:
                raise Refusal(f"{path}: {problem}") from None
            checked(path, board, sources)
            if board["uid"] in found:
                raise Refusal(f"{path}: uid {board['uid']} is there twice")
            folder = path.parent.name if path.parent != root else "General"
            found[board["uid"]] = {"dashboard": board, "folder": folder, "ui": provider.get("allowUiUpdates", False)}
    return found


def checked(path: Path, board: dict[str, Any], sources: set[str]) -> None:
    for key in ("uid", "title", "schemaVersion", "panels"):
        if not board.get(key):
            raise Refusal(f"{path}: without {key}")
    numbers = [panel.get("id") for panel in board["panels"]]
    if None in numbers or len(set(numbers)) != len(numbers):
        raise Refusal(f"{path}: two panels have one number, or one has none")
    for panel in board["panels"]:
        for key in ("type", "title", "gridPos", "datasource"):
            if not panel.get(key):
                raise Refusal(f"{path}: panel {panel.get('id')} without {key}")
        uid = panel["datasource"]["uid"]
        if sources and uid not in sources | BUILT_IN:
            raise Refusal(f"{path}: panel {panel['title']!r} reads data source {uid}, which is not provisioned")


# ----- what it keeps


class Store:
    """Users in the database, as the role backs it up."""

    def __init__(self, path: Path, admin: str, password: str) -> None:
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, login TEXT UNIQUE COLLATE NOCASE, name TEXT,"
            " email TEXT, salt TEXT, hash TEXT, role TEXT, admin INTEGER)"
        )
        if not self.db.execute("SELECT 1 FROM user").fetchone():
            self.add(admin, ("", "admin@localhost"), password, "Admin", True)

    @staticmethod
    def hashed(password: str, salt: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 10000).hex()

    def add(self, login: str, shown: tuple[str, str], password: str, role: str = "Viewer", admin: bool = False) -> int:
        name, email = shown
        salt = secrets.token_hex(8)
        row = (login, name or login, email or login, salt, self.hashed(password, salt), role, admin)
        try:
            made = self.db.execute(
                "INSERT INTO user (login, name, email, salt, hash, role, admin) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
        except sqlite3.IntegrityError:
            raise Refusal(f"User with email '{email}' or username '{login}' already exists", 412) from None
        return int(made.lastrowid or 0)

    def all(self) -> list[dict[str, Any]]:
        rows = self.db.execute("SELECT id, login, name, email, role, admin FROM user ORDER BY id")
        keys = ("id", "login", "name", "email", "role", "isAdmin")
        return [{**dict(zip(keys, row, strict=True)), "isDisabled": False, "authLabels": []} for row in rows]

    def one(self, number: int) -> dict[str, Any]:
        for user in self.all():
            if user["id"] == number:
                return user
        raise Refusal("user not found", 404)

    def who(self, login: str, password: str) -> dict[str, Any] | None:
        row = self.db.execute("SELECT id, salt, hash FROM user WHERE login = ?", (login,)).fetchone()
        fits = row and secrets.compare_digest(self.hashed(password, row[1]), row[2])
        return self.one(row[0]) if fits else None

    def update(self, number: int, **values: Any) -> None:
        self.one(number)
        for key, value in values.items():
            self.db.execute(f"UPDATE user SET {key} = ? WHERE id = ?", (value, number))  # noqa: S608 - our own words


class World:
    """Everything it knows."""

    def __init__(self, config: Path, data: Path) -> None:
        self.settings = settings(config)
        judged(self.settings)
        folder = Path(self.settings["paths"]["provisioning"])
        sources = [data_source(one) for one in provisioned(folder, "datasources", "datasources")]
        self.sources = {one["uid"]: one for one in sources}
        self.providers = provisioned(folder, "dashboards", "providers")
        self.boards = dashboards(self.providers, set(self.sources))
        self.looked = time.monotonic()
        home = self.settings.get("dashboards", {}).get("default_home_dashboard_path")
        if home and not Path(home).is_file():
            raise Refusal(f"[dashboards] default_home_dashboard_path: {home} is not there")
        security = self.settings["security"]
        self.store = Store(data / "grafana.db", security["admin_user"], security["admin_password"])

    def current(self) -> dict[str, dict[str, Any]]:
        """The dashboards, looked at again as often as their provider says; a broken one leaves the old ones."""
        if time.monotonic() - self.looked > min(one.get("updateIntervalSeconds", 10) for one in self.providers):
            self.looked = time.monotonic()
            try:
                self.boards = dashboards(self.providers, set(self.sources))
            except Refusal as problem:
                sys.stderr.write(f"dashboards: {problem}\n")
        return self.boards


# ----- what it answers


def search(world: World, _: dict[str, Any]) -> Answer:
    return OK, [
        {"uid": uid, "title": one["dashboard"]["title"], "folderTitle": one["folder"], "type": "dash-db"}
        for uid, one in world.current().items()
    ]


def dashboard(world: World, _: dict[str, Any], uid: str) -> Answer:
    found = world.current().get(uid)
    if not found:
        raise Refusal("Dashboard not found", 404)
    meta = {"provisioned": True, "canSave": found["ui"], "folderTitle": found["folder"]}
    return OK, {"dashboard": found["dashboard"], "meta": meta}


def save(world: World, body: dict[str, Any]) -> Answer:
    if body.get("dashboard", {}).get("uid") in world.current():
        raise Refusal("Cannot save provisioned dashboard")
    return OK, {"status": "success"}


def data_sources(world: World, _: dict[str, Any]) -> Answer:
    keys = ("uid", "name", "type", "url", "basicAuth", "basicAuthUser", "isDefault")
    return OK, [{**{key: one.get(key) for key in keys}, "readOnly": True} for one in world.sources.values()]


def proxied(world: World, _: dict[str, Any], uid: str, rest: str) -> Answer:
    """What a panel would ask, with the certificate and the password of the data source."""
    source = world.sources.get(uid)
    if not source:
        raise Refusal("Unable to load datasource meta data", 404)
    where = urlsplit(source["url"])
    headers = {}
    if source.get("basicAuth"):
        pair = f"{source['basicAuthUser']}:{source['password']}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    connection = http.client.HTTPSConnection(str(where.hostname), where.port, timeout=20, context=source["context"])
    try:
        connection.request("GET", where.path.rstrip("/") + "/" + rest, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as problem:
        raise Refusal(f"{source['url']}: {problem!r}", 502) from None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, {"message": text[:500]}


def users(world: World, _: dict[str, Any]) -> Answer:
    return OK, world.store.all()


def members(world: World, _: dict[str, Any]) -> Answer:
    return OK, [{"orgId": 1, "userId": one["id"], **one} for one in world.store.all()]


def lookup(world: World, _: dict[str, Any], query: str) -> Answer:
    wanted = parse_qs(query).get("loginOrEmail", [""])[0].lower()
    for one in world.store.all():
        if wanted in (one["login"].lower(), one["email"].lower()):
            return OK, one
    raise Refusal("user not found", 404)


def add(world: World, body: dict[str, Any]) -> Answer:
    if len(body.get("password", "")) < 4:
        raise Refusal("Password is missing or too short")
    number = world.store.add(body["login"], (body.get("name", ""), body.get("email", "")), body["password"])
    return CREATED, {"id": number, "message": "User created"}


def role(world: World, body: dict[str, Any], number: str) -> Answer:
    if body.get("role") not in ("Viewer", "Editor", "Admin"):
        raise Refusal("Invalid role specified")
    world.store.update(int(number), role=body["role"])
    return OK, {"message": "Organization user updated"}


def rename(world: World, body: dict[str, Any], number: str) -> Answer:
    world.store.update(int(number), name=body["name"], email=body["email"], login=body["login"])
    return OK, {"message": "User updated"}


def password(world: World, body: dict[str, Any], number: str) -> Answer:
    salt = secrets.token_hex(8)
    world.store.update(int(number), salt=salt, hash=Store.hashed(body["password"], salt))
    return OK, {"message": "User password updated"}


def remove(world: World, _: dict[str, Any], number: str) -> Answer:
    world.store.one(int(number))
    world.store.db.execute("DELETE FROM user WHERE id = ?", (int(number),))
    return OK, {"message": "User deleted"}


# Verb, path, whether it takes a server administrator, and who answers.
ROUTES: list[tuple[str, str, bool, Callable[..., Answer]]] = [
    ("GET", r"/api/search", False, search),
    ("GET", r"/api/dashboards/uid/([\w-]+)", False, dashboard),
    ("POST", r"/api/dashboards/db", False, save),
    ("GET", r"/api/datasources", True, data_sources),
    ("GET", r"/api/datasources/proxy/uid/([\w-]+)/(.*)", False, proxied),
    ("GET", r"/api/users/lookup\?(.*)", True, lookup),
    ("GET", r"/api/users(?:\?.*)?", True, users),
    ("GET", r"/api/org/users", True, members),
    ("POST", r"/api/admin/users", True, add),
    ("PATCH", r"/api/org/users/(\d+)", True, role),
    ("PUT", r"/api/users/(\d+)", True, rename),
    ("PUT", r"/api/admin/users/(\d+)/password", True, password),
    ("DELETE", r"/api/admin/users/(\d+)", True, remove),
]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    world: World
    protocol_version = "HTTP/1.1"

    def answer(self) -> Answer:
        if self.path == "/api/health":
            return OK, {"commit": "standin", "database": "ok", "version": "10.4.0+standin"}
        if self.path == "/metrics":
            return OK, '# TYPE grafana_build_info gauge\ngrafana_build_info{version="10.4.0+standin"} 1\n'
        me = self.who()
        if not me:
            raise Refusal("Unauthorized", 401)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path == "/api/user":
            return OK, me
        for verb, path, needs_admin, call in ROUTES:
            match = re.fullmatch(path, self.path)
            if verb == self.command and match:
                if needs_admin and not me["isAdmin"]:
                    raise Refusal("Permission denied", 403)
                return call(self.world, body, *match.groups())
        raise Refusal("Not found", 404)

    def who(self) -> dict[str, Any] | None:
        kind, _, pair = (self.headers.get("Authorization") or "").partition(" ")
        if kind != "Basic":
            return None
        login, _, word = base64.b64decode(pair).decode().partition(":")
        return self.world.store.who(login, word)

    def do_GET(self) -> None:
        try:
            status, data = self.answer()
        except Refusal as problem:
            status, data = problem.status, {"message": str(problem)}
        text = (data if isinstance(data, str) else json.dumps(data, indent=2)).encode()
        self.send_response(status)
        age = self.world.settings["security"].get("strict_transport_security_max_age_seconds", "86400")
        self.send_header("Strict-Transport-Security", f"max-age={age}")
        self.send_header("Content-Type", "text/plain" if isinstance(data, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        # A request that was refused unread must not be taken for the next one.
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - its library looks for these names


class Server(http.server.ThreadingHTTPServer):
    """TLS in the thread of each connection: a client that says nothing keeps nobody waiting."""

    def __init__(self, world: World) -> None:
        given = world.settings["server"]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(given["cert_file"], given["cert_key"])
        handler = type("Bound", (Handler,), {"world": world})
        super().__init__((given["http_addr"], int(given["http_port"])), handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(30)
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        super().finish_request(secured, client_address)


def main(words: list[str]) -> int:
    given = dict(word.removeprefix("--").partition("=")[::2] for word in words if word != "server")
    os.umask(0o027)
    try:
        world = World(Path(given["config"]), Path(given["cfg:default.paths.data"]))
        server = Server(world)
    except (Refusal, OSError, KeyError) as problem:
        sys.stderr.write(f"grafana-server (stand-in): {problem}\n")
        return 1
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
