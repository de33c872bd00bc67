#!/usr/bin/python3
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Kibana in tests: it is not Kibana, and shows no page.

It reads kibana.yml as strictly as it can: a setting that it does not know, a secret that stands in the file or is not
there, a connection that checks no certificate ends it here. Then it logs in to Elasticsearch by TLS as Kibana would,
has everybody who asks log in there too, and answers the parts of the API that the role and the stories ask. What the
roles of a user mean to Kibana is asked of Elasticsearch; saved objects are kept in a file. Names are those of Kibana 8.
"""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KNOWN = Path("/usr/share/kibana/known.json")
VARIABLE = re.compile(r"\$\{(\w+)\}")
SHORTEST = 32
SECRETS = (
    "elasticsearch.password",
    "xpack.security.encryptionKey",
    "xpack.encryptedSavedObjects.encryptionKey",
    "xpack.reporting.encryptionKey",
)
Answer = tuple[int, Any]


class Refusal(Exception):  # noqa: N818 - what it says to whoever asks
    """Why it does not start, or what it answers."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


# ----- what it reads


def settings(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """kibana.yml as the role writes it: one dotted name in each line, with a value in JSON, which is YAML too."""
    known = set(json.loads(KNOWN.read_text()))
    found: dict[str, Any] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(": ")
        if name not in known:
            raise Refusal(f"{path}:{number}: unknown configuration key {name}")
        if not colon or name in found:
            raise Refusal(f"{path}:{number}: {name} has no value, or is there twice")
        try:
            found[name] = json.loads(value)
        except ValueError as problem:
            raise Refusal(f"{path}:{number}: {name}: {problem}") from None
        if name in SECRETS and not VARIABLE.fullmatch(str(found[name])):
            raise Refusal(f"{path}:{number}: {name} stands in the file itself")
    return {name: expanded(name, value, environment) for name, value in found.items()}


def expanded(name: str, value: Any, environment: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value

    def content(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise Refusal(f"{name}: unknown environment variable {match[1]} referenced in config")
        return environment[match[1]]

    return VARIABLE.sub(content, value)


def judged(given: Mapping[str, Any]) -> None:
    """What the role promises, and a default of Kibana would break."""
    wanted: dict[str, Any] = {
        "server.ssl.enabled": True,
        "server.securityResponseHeaders.disableEmbedding": True,
        "elasticsearch.ssl.verificationMode": "full",
        "telemetry.optIn": False,
        "telemetry.allowChangingOptInStatus": False,
        "newsfeed.enabled": False,
        "xpack.fleet.isAirGapped": True,
        "map.includeElasticMapsService": False,
        "status.allowAnonymous": False,
        "xpack.security.secureCookies": True,
    }
    for name, good in wanted.items():
        if given.get(name) != good or type(given.get(name)) is not type(good):
            raise Refusal(f"{name} is {given.get(name)!r}, not {good!r}")
    judged_secrets(given)
    hosts = given.get("elasticsearch.hosts")
    if not isinstance(hosts, list) or not hosts or not all(str(host).startswith("https://") for host in hosts):
        raise Refusal("elasticsearch.hosts: without TLS, or none")
    if not given.get("elasticsearch.ssl.certificateAuthorities"):
        raise Refusal("elasticsearch.ssl.certificateAuthorities: whom is it to trust?")
    for name in ("xpack.security.session.idleTimeout", "xpack.security.session.lifespan"):
        if not re.fullmatch(r"\d+(ms|[smhdwMY])", str(given.get(name))):
            raise Refusal(f"{name} is no duration")
    if not isinstance(given.get("server.port"), int):
        raise Refusal("server.port is no number")
    if str(given.get("server.publicBaseUrl", "https://x")).endswith("/"):
        raise Refusal("server.publicBaseUrl must not end with a slash")


def judged_secrets(given: Mapping[str, Any]) -> None:
    for name in SECRETS[1:]:
        if len(str(given.get(name, ""))) < SHORTEST:
            raise Refusal(f"{name} has fewer than {SHORTEST} characters")
    if not given.get("elasticsearch.password"):
        raise Refusal("elasticsearch.password is empty")
    if len({given[name] for name in SECRETS}) < len(SECRETS):
        raise Refusal("one secret serves twice")
    if given.get("elasticsearch.username") in (None, "elastic"):
        raise Refusal("elasticsearch.username: Kibana does not take the superuser")


# ----- whom it asks


class Elasticsearch:
    """The real one."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.hosts = [urlsplit(host) for host in given["elasticsearch.hosts"]]
        self.context = ssl.create_default_context(cafile=given["elasticsearch.ssl.certificateAuthorities"][0])
        self.own = self.basic(given["elasticsearch.username"], given["elasticsearch.password"])
        self.kept: dict[str, tuple[float, dict[str, Any] | None]] = {}

    @staticmethod
    def basic(name: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()

    def ask(self, verb: str, path: str, login: str, body: Any = None) -> Answer:
        said = ""
        for host in self.hosts:
            connection = http.client.HTTPSConnection(str(host.hostname), host.port, timeout=10, context=self.context)
            try:
                text = None if body is None else json.dumps(body)
                headers = {"Authorization": login, "Content-Type": "application/json"}
                connection.request(verb, path, text, headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read() or b"{}")
            except (OSError, ValueError, http.client.HTTPException) as problem:
                said = f"{host.netloc}: {problem!r}"
            finally:
                connection.close()
        raise Refusal(f"Elasticsearch does not answer: {said}", 503)

    def who(self, login: str) -> dict[str, Any] | None:
        """Asked again after some seconds: Elasticsearch takes a hashed password to be dear."""
        at, found = self.kept.get(login, (-60.0, None))
        if time.monotonic() - at > 5:
            status, said = self.ask("GET", "/_security/_authenticate", login)
            found = said if status == 200 else None
            self.kept[login] = (time.monotonic(), found)
        return found

    def level(self) -> str:
        """As Kibana says of itself: it needs Elasticsearch, and a user who may do what kibana_system may."""
        try:
            me = self.who(self.own)
        except Refusal:
            return "unavailable"
        return "available" if me and "kibana_system" in me["roles"] else "critical"

    def may(self, login: str, privilege: str) -> bool:
        """Whether the user's roles name that privilege of the default space: Elasticsearch knows, and not we."""
        asked = {"application": "kibana-.kibana", "privileges": [privilege], "resources": ["space:default"]}
        status, said = self.ask("POST", "/_security/user/_has_privileges", login, {"application": [asked]})
        return status == 200 and bool(said.get("has_all_requested"))


# ----- what it keeps


class Store:
    """Saved objects, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()

    def all(self) -> dict[str, dict[str, Any]]:
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}

    def bring(self, objects: Sequence[dict[str, Any]], overwrite: bool) -> dict[str, Any]:
        """All or nothing, as an import is once it has been looked at."""
        with self.lock:
            have = self.all()
            coming = {f"{one['type']}/{one['id']}" for one in objects}
            errors = []
            for one in objects:
                key = f"{one['type']}/{one['id']}"
                missing = [
                    {"type": ref["type"], "id": ref["id"]}
                    for ref in one.get("references", [])
                    if f"{ref['type']}/{ref['id']}" not in have.keys() | coming
                ]
                if missing:
                    error: dict[str, Any] = {"type": "missing_references", "references": missing}
                    errors.append({"type": one["type"], "id": one["id"], "error": error})
                elif key in have and not overwrite:
                    errors.append({"type": one["type"], "id": one["id"], "error": {"type": "conflict"}})
            if errors:
                return {"success": False, "successCount": 0, "errors": errors}
            for one in objects:
                # Kibana adds what it calculates.
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                have[f"{one['type']}/{one['id']}"] = {**one, "updated_at": now, "managed": False, "version": "WzEsMV0="}
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(have))
            new.replace(self.path)
            return {"success": True, "successCount": len(objects)}


def checked(one: Any) -> dict[str, Any]:
    """What Kibana's parts could not read. Strings that hold JSON are looked into, for Kibana does so too late."""
    if not isinstance(one, dict) or not {"type", "id", "attributes"} <= set(one):
        raise Refusal("an object without type, id or attributes")
    where = f"{one['type']} {one['id']}"
    if one["type"] not in ("index-pattern", "search", "visualization", "dashboard", "lens", "tag"):
        raise Refusal(f"{where}: unsupported type")
    attributes = one["attributes"]
    inner = {
        name: json.loads(attributes[name])
        for name in ("visState", "uiStateJSON", "panelsJSON", "optionsJSON")
        if name in attributes
    }
    source = json.loads(attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "{}"))
    names = {ref["name"] for ref in one.get("references", [])}
    if source.get("indexRefName", SOURCE_OF_NONE) not in names | {SOURCE_OF_NONE}:
        raise Refusal(f"{where}: its search names a reference that it does not have")
    for panel in inner.get("panelsJSON", []):
        if f"{panel['panelIndex']}:{panel['panelRefName']}" not in names:
            raise Refusal(f"{where}: panel {panel['panelIndex']} names a reference that it does not have")
        grid = panel["gridData"]
        if grid["x"] + grid["w"] > 48 or grid["i"] != panel["panelIndex"]:
            raise Refusal(f"{where}: panel {panel['panelIndex']} does not fit")
    if "visState" in inner and not any(agg["schema"] == "metric" for agg in inner["visState"]["aggs"]):
        raise Refusal(f"{where}: counts nothing")
    return one


SOURCE_OF_NONE = ""


class World:
    """Everything it knows."""

    def __init__(self, config: Path, data: Path) -> None:
        self.settings = settings(config, os.environ)
        judged(self.settings)
        self.elasticsearch = Elasticsearch(self.settings)
        self.store = Store(data / "saved-objects.json")


# ----- what it answers


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    world: World
    protocol_version = "HTTP/1.1"

    def answer(self) -> Answer:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        login = self.headers.get("Authorization") or ""
        elasticsearch = self.world.elasticsearch
        if where.path == "/api/status":
            level = elasticsearch.level()
            return (200 if level == "available" else 503), {"status": {"overall": {"level": level}}}
        me = elasticsearch.who(login) if login.startswith("Basic ") else None
        if not me:
            raise Refusal("Unauthorized", 401)
        if self.command != "GET" and not self.headers.get("kbn-xsrf"):
            raise Refusal("Request must contain a kbn-xsrf header.")
        if where.path == "/internal/security/me":
            return 200, me
        if not elasticsearch.may(login, "space_read") and not elasticsearch.may(login, "space_all"):
            raise Refusal("Forbidden", 403)
        if (self.command, where.path) == ("POST", "/api/saved_objects/_export"):
            kinds = json.loads(body)["type"]
            found = [one for one in self.world.store.all().values() if one["type"] in kinds]
            return 200, "".join(json.dumps(one) + "\n" for one in found)
        if (self.command, where.path) == ("GET", "/api/saved_objects/_find"):
            kinds = parse_qs(where.query).get("type", [])
            found = [one for one in self.world.store.all().values() if one["type"] in kinds]
            return 200, {"total": len(found), "saved_objects": found}
        if (self.command, where.path) == ("POST", "/api/saved_objects/_import"):
            if not elasticsearch.may(login, "space_all"):
                raise Refusal("Forbidden", 403)
            overwrite = parse_qs(where.query).get("overwrite") == ["true"]
            return 200, self.world.store.bring([checked(one) for one in self.sent(body)], overwrite)
        raise Refusal("Not Found", 404)

    def sent(self, body: bytes) -> list[Any]:
        """The lines of the file in the form."""
        head = f"Content-Type: {self.headers.get('Content-Type')}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + body)
        if not form.is_multipart():
            raise Refusal("expected multipart/form-data", 415)
        file = next(part for part in form.walk() if part.get_param("name", header="content-disposition") == "file")
        text = bytes(file.get_payload(decode=True) or b"").decode()
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def do_GET(self) -> None:
        try:
            status, data = self.answer()
        except Refusal as problem:
            status = problem.status
            data = {"statusCode": status, "error": http.client.responses.get(status, ""), "message": str(problem)}
        except (ValueError, KeyError, TypeError, StopIteration) as problem:
            status, data = 400, {"statusCode": 400, "error": "Bad Request", "message": repr(problem)}
        text = (data if isinstance(data, str) else json.dumps(data)).encode()
        self.send_response(status)
        given = self.world.settings
        self.send_header("Strict-Transport-Security", given["server.securityResponseHeaders.strictTransportSecurity"])
        self.send_header("kbn-name", given["server.name"])
        self.send_header("Content-Type", "application/ndjson" if isinstance(data, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - its library looks for these names

    def log_message(self, format: str, *words: Any) -> None:
        """Nothing of each request."""


class Server(http.server.ThreadingHTTPServer):
    """TLS in the thread of each connection: a client that says nothing keeps nobody waiting."""

    def __init__(self, world: World) -> None:
        given = world.settings
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(given["server.ssl.certificate"], given["server.ssl.key"])
        handler = type("Bound", (Handler,), {"world": world})
        super().__init__((given["server.host"], given["server.port"]), handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(30)
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        super().finish_request(secured, client_address)


def main() -> int:
    os.umask(0o027)
    try:
        world = World(Path(os.environ["KBN_PATH_CONF"]) / "kibana.yml", Path("/var/lib/kibana"))
        server = Server(world)
    except (Refusal, OSError, KeyError) as problem:
        sys.stderr.write(f"FATAL: kibana (stand-in): {problem}\n")
        return 1
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
