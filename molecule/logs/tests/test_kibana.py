"""Kibana's door and what lies behind it; users and their rights are Elasticsearch's. No page is seen: a stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleet import address, container, docker
from probe import execute, secret

HOST = "ops1"
# Runs on Kibana's host: each line of the argument is a question, asked in one process so that none costs a second.
ASK = """
import base64, json, os, ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context(cafile="/etc/trading-platform/pki/kibana/ca.pem")
def asked(url, method, path, user, body):
    headers = {"kbn-xsrf": "story", "Content-Type": "application/json"}
    if user:
        word = os.environ.get("PASSWORD_" + user.upper(), "guessed")
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()
    one = urllib.request.Request(url + path, body.encode() or None, headers, method=method)
    try:
        with urllib.request.urlopen(one, context=context, timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, "", {}
print(json.dumps([asked(sys.argv[1], *one) for one in json.loads(sys.argv[2])]))
"""
OBJECTS = json.dumps({"type": ["index-pattern", "search", "visualization", "dashboard"]})
QUESTIONS: dict[str, tuple[str, str, str, str]] = {
    "health": ("GET", "/api/status", "", ""),
    "nobody": ("POST", "/api/saved_objects/_export", "", OBJECTS),
    "a guess": ("POST", "/api/saved_objects/_export", "admin", OBJECTS),
    # A user of Elasticsearch who may read logs there, and has no right in Kibana.
    "no right": ("POST", "/api/saved_objects/_export", "logs_reader", OBJECTS),
    "viewer": ("POST", "/api/saved_objects/_export", "viewer", OBJECTS),
    "viewer writes": ("POST", "/api/saved_objects/_import?overwrite=true", "viewer", ""),
}


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[int, str, dict[str, str]]]:
    known = {
        "PASSWORD_VIEWER": secret("vault_kibana_viewer_password"),
        "PASSWORD_LOGS_READER": secret("vault_elasticsearch_reader_password"),
    }
    command = ("python3", "-c", ASK, f"https://{address(HOST)}:5601", json.dumps(list(QUESTIONS.values())))
    answers: list[Any] = json.loads(execute(HOST, *command, given=b"", timeout=60, **known))
    return {name: (one[0], one[1], one[2]) for name, one in zip(QUESTIONS, answers, strict=True)}


def test_it_is_well_by_tls_and_says_no_more_to_a_stranger(said: dict[str, tuple[int, str, dict[str, str]]]) -> None:
    status, text, headers = said["health"]
    assert (status, json.loads(text)) == (200, {"status": {"overall": {"level": "available"}}})
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    plain = docker("exec", container(HOST), "curl", "-sS", "-m", "3", f"http://{address(HOST)}:5601/api/status")
    assert plain.code != 0, plain.output


@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 401), ("a guess", 401), ("no right", 403), ("viewer writes", 403), ("viewer", 200)]
)
def test_who_comes_in(said: dict[str, tuple[int, str, dict[str, str]]], who: str, status: int) -> None:
    assert said[who][0] == status


def test_the_views_and_dashboards_of_the_role_are_there(said: dict[str, tuple[int, str, dict[str, str]]]) -> None:
    found = [json.loads(line) for line in said["viewer"][1].splitlines()]
    ours = {(one["type"], one["attributes"]["title"]) for one in found if one["id"].startswith("trading-")}
    streams = ("app", "edge", "postgresql", "redis", "system", "audit")
    assert {("index-pattern", f"logs-{name}-*") for name in streams} <= ours
    assert {("dashboard", "Logs: what is wrong"), ("dashboard", "Logs: who did what")} <= ours
