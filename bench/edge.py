"""What the edge's configuration costs, and 10,000 trades a minute through it, or what the machine carries, in a deploy.

nginx with its package's configuration runs beside the role's on one load balancer, with the same certificate and the
same app hosts behind it; wrk on another host asks both by turns, as many clients behind a declared proxy. One JSON
object for bench/run.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import statistics
import sys
import time
from collections.abc import Iterator

import releases
from fleet import address, inside
from probe import Traffic, execute
from releases import well

EDGE, CLIENT, DOMAIN, PORT = "lb1", "world1", "trading.test", 8443
PLACE = "/run/bench-edge"
# Short ones: what the machine does besides changes within a minute. In half of the pairs ours is asked first.
PAIRS, SECONDS, CONNECTIONS = 10, 6, 32
TRADES = 10_000 / 60
SHARES = (1, 0.7, 0.5, 0.35, 0.2)
# Milliseconds, of the documents.
P95 = 100
# None of them near what one client may ask for in a minute.
USERS = 300
# Debian's nginx.conf as the package ships it, and a site as its comments show; the log is where only this run writes.
DEFAULT = """
user www-data;
worker_processes auto;
pid {place}/pid;
error_log {place}/error.log;
include /etc/nginx/modules-enabled/*.conf;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    access_log {place}/access.log;
    gzip on;
    upstream app {{ {servers} }}
    server {{
        listen {port} ssl;
        server_name {domain};
        ssl_certificate {tls}/fullchain.pem;
        ssl_certificate_key {tls}/key.pem;
        location / {{ proxy_pass http://app; proxy_set_header Host $host; }}
    }}
}}
"""
# Each request is another client's: the limits are for one client, and must refuse nobody here.
CLIENTS = """
request = function()
    local key = math.random(0, 65535)
    local address = string.format("100.64.%d.%d", math.floor(key / 256), key % 256)
    return wrk.format("GET", nil, {["X-Forwarded-For"] = address})
end
done = function(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    io.write(string.format("figures %d %d %d\\n", summary.requests, summary.duration, failed))
end
"""


@contextlib.contextmanager
def default_nginx() -> Iterator[None]:
    """Beside the role's own, on a port that the firewall opens for this one client for a while."""
    servers = " ".join(f"server {address(host)}:8080;" for host in releases.HOSTS)
    tls = f"/etc/trading-platform/tls/{DOMAIN}"
    config = DEFAULT.format(place=PLACE, servers=servers, port=PORT, domain=DOMAIN, tls=tls)
    execute(EDGE, "sh", "-c", f"mkdir -p {PLACE} && cat >{PLACE}/nginx.conf", given=config.encode())
    opening = f"ip saddr {address(CLIENT)} tcp dport {PORT} accept"
    inside(EDGE, f"nft insert rule inet trading_platform input {opening} && nginx -c {PLACE}/nginx.conf")
    try:
        yield
    finally:
        handle = f"nft -a list chain inet trading_platform input | sed -n 's/.*dport {PORT} accept # handle //p'"
        inside(EDGE, f"nginx -c {PLACE}/nginx.conf -s stop; rm -r {PLACE}")
        inside(EDGE, f"nft delete rule inet trading_platform input handle $({handle})")


@contextlib.contextmanager
def name_of_the_edge() -> Iterator[None]:
    """wrk takes the name for SNI from where it connects to."""
    inside(CLIENT, f"echo '{address(EDGE)} {DOMAIN}' >>/etc/hosts")
    try:
        yield
    finally:
        # A file that the engine has mounted cannot be renamed over.
        inside(CLIENT, f"kept=$(grep -v '{DOMAIN}$' /etc/hosts); echo \"$kept\" >/etc/hosts")


def rate(port: int, seconds: int = SECONDS) -> float:
    """Requests a second; one that is refused or broken fails the measurement."""
    execute(CLIENT, "sh", "-c", "cat >/run/bench-edge.lua", given=CLIENTS.encode())
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", "/run/bench-edge.lua", f"https://{DOMAIN}:{port}/"]
    said = execute(CLIENT, *wrk)
    found = re.search(r"figures (\d+) (\d+) (\d+)", said)
    if not found or int(found[3]) or not int(found[1]):
        sys.exit(f"bench: port {port} of {EDGE} did not answer all requests\n{said}")
    return int(found[1]) / int(found[2]) * 1e6


def configurations() -> dict[str, float]:
    pairs = []
    with default_nginx(), name_of_the_edge():
        for port in (PORT, 443):
            rate(port, 2)
        for number in range(PAIRS):
            order = (443, PORT) if number % 2 else (PORT, 443)
            told = {port: rate(port) for port in order}
            pairs.append((told[443], told[PORT]))
            sys.stderr.write(f"requests a second: ours {pairs[-1][0]:.0f}, default {pairs[-1][1]:.0f}\n")
    return {
        "ratio": round(statistics.median(ours / theirs for ours, theirs in pairs), 3),
        "requests_per_s": round(statistics.median(ours for ours, _theirs in pairs)),
        "default_requests_per_s": round(statistics.median(theirs for _ours, theirs in pairs)),
    }


def rest_p95(load: Traffic) -> float:
    """In milliseconds, while nothing else happens; endless where the load does not get steady."""
    try:
        load.wait_ready(90)
    except AssertionError as slow:
        sys.stderr.write(f"bench: {slow}\n")
        return math.inf
    with load.window() as seen:
        time.sleep(15)
    sys.stderr.write(f"trades a minute: {seen.trades / seen.seconds * 60:.0f}, p95 at rest {seen.p95_ms:.0f} ms\n")
    return math.inf if seen.failed else float(seen.p95_ms)


def trades() -> dict[str, float]:
    """Each request is an order that is a trade at once. Where they are too many for the machine at rest, fewer."""
    for share in SHARES:
        with Traffic("world1", seconds=1200, rate=TRADES * 1.02 * share, mix="trades", users=USERS) as load:
            calm = rest_p95(load)
            if calm > P95 and share != SHARES[-1]:
                continue
            with load.window() as seen:
                well("deploy", timeout=900, release="v2")
            orders = load.result().orders
        if seen.failed or orders["lost"] or orders["doubled"]:
            sys.exit(f"bench: {json.dumps(seen.figures | {'strays': len(seen.strays)})} {json.dumps(orders)}")
        carried = {"trades_per_min": round(seen.trades / seen.seconds * 60), "trades_p95_ms": seen.p95_ms}
        return {**carried, "trades_rest_p95_ms": calm}
    raise AssertionError("the last share is measured however slow it is")


def main() -> None:
    releases.converge("v1")
    sys.stdout.write(json.dumps({"figures": configurations() | trades()}) + "\n")


if __name__ == "__main__":
    main()
