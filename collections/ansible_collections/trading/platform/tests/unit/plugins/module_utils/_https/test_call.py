# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call, to a server of the test's own with a certificate of the test's own."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._https.call import basic, call

Serve = Callable[[bytes], str]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file)]
    made = subprocess.run([*words[:-1], "-"], capture_output=True, check=True).stdout
    file.write_bytes(file.read_bytes() + made)
    return file


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def serve(certificate: Path, heard: list[bytes]) -> Iterator[Serve]:
    """Answers one call with these bytes, whatever they are; keeps what it was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        threads = []

        def answer(said: bytes) -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            plain, _where = listening.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as client:
                    heard.append(client.recv(65536))
                    client.sendall(said)
            except OSError:
                return

        def begin(said: bytes) -> str:
            threads.append(threading.Thread(target=answer, args=(said,)))
            threads[-1].start()
            return f"https://127.0.0.1:{listening.getsockname()[1]}"

        yield begin
        for thread in threads:
            thread.join(10)


def test_an_answer(serve: Serve, certificate: Path, heard: list[bytes]) -> None:
    url = serve(b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnever")
    trusted = ssl.create_default_context(cafile=str(certificate))
    answer = call("PUT", f"{url}/a/b?c=d", trusted, {"Authorization": basic("me", "word")}, timeout=5)
    assert (answer.status, answer.text, answer.refused) == (403, "never", True)
    assert heard[0].startswith(b"PUT /a/b?c=d HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6d29yZA==\r\n" in heard[0]


def test_what_is_no_http_is_no_answer(serve: Serve, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises(OSError, match="no HTTP answer"):
        call("GET", serve(b"SSH-2.0-x\r\n"), trusted, {}, timeout=5)


def test_nothing_is_said_to_a_stranger(serve: Serve, heard: list[bytes]) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        call("GET", serve(b"HTTP/1.1 200 OK\r\n\r\n"), ssl.create_default_context(), {}, timeout=5)
    assert heard == []
