"""What base, firewall and pki promise, asked of each host."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from fleet import HOSTS, ROOT, inside
from slow_looks import LYNIS, SlowLooks

PKI = "/etc/trading-platform/pki/host"


def test_releases_under_test_are_both_supported_ones() -> None:
    seen = {inside(name, ". /etc/os-release; echo $VERSION_CODENAME").strip() for name in HOSTS}
    assert seen == {"bookworm", "trixie"}


def test_no_unit_failed(host: Any) -> None:
    assert host.check_output("systemctl list-units --state=failed --plain --no-legend") == ""


def test_certificate_is_the_hosts_own_and_the_ca_vouches_for_it(host: Any) -> None:
    name = host.check_output("hostname")
    assert host.check_output(f"openssl verify -CAfile {PKI}/ca.pem {PKI}/cert.pem").endswith("OK")
    assert f"DNS:{name}" in host.check_output(f"openssl x509 -in {PKI}/cert.pem -noout -ext subjectAltName")
    of_key = host.check_output(f"openssl pkey -in {PKI}/key.pem -pubout")
    assert of_key == host.check_output(f"openssl x509 -in {PKI}/cert.pem -noout -pubkey")


def test_host_keys_are_born_apart() -> None:
    keys = {inside(name, f"openssl pkey -in {PKI}/key.pem -pubout") for name in HOSTS}
    ssh = {inside(name, "cat /etc/ssh/ssh_host_ed25519_key.pub") for name in HOSTS}
    assert len(keys) == len(ssh) == len(HOSTS)


def test_the_ca_key_reached_no_host(host: Any) -> None:
    """An EC P-384 key, which no host makes for itself, is nowhere under /etc, /var, /root, /home or /tmp."""
    found = host.check_output(
        "grep -rlIs '^-----BEGIN.*PRIVATE KEY' /etc /var /root /home /tmp | while read -r file; do"
        " sed -n '/^-----BEGIN.*PRIVATE KEY/,/^-----END/p' $file | openssl pkey -noout -text 2>/dev/null |"
        " grep -q secp384r1 && echo $file; done; true"
    )
    assert found == ""


def test_core_dumps_are_off(host: Any) -> None:
    assert host.check_output("su ansible -s /bin/bash -lc 'ulimit -c'").splitlines()[-1] == "0"


def test_updates_leave_data_alone(host: Any) -> None:
    held = host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")
    assert all(name in held for name in ("postgresql", "redis", "etcd", "docker"))


@pytest.mark.parametrize("timer", ["apt-daily.timer", "apt-daily-upgrade.timer", "logrotate.timer"])
def test_timers_of_updates_and_logs_run(host: Any, timer: str) -> None:
    """apt-daily fetches the lists, apt-daily-upgrade installs from them; an image may come with all timers off."""
    assert host.service(timer).is_enabled
    assert host.service(timer).is_running


def test_no_dead_process_stays(host: Any) -> None:
    """A parent that never asks how its child ended fills the process table."""
    dead = "ps -eo stat=,pid=,ppid=,comm= | grep ^Z; true"
    first = set(host.check_output(dead).splitlines())
    if first:
        time.sleep(10)
        assert not first & set(host.check_output(dead).splitlines())


def test_sudo_log_is_rotated(host: Any) -> None:
    assert "/var/log/sudo.log" in host.run("logrotate --debug /etc/logrotate.conf").stderr


def test_only_admins_become_root(host: Any) -> None:
    assert re.search(r"NOPASSWD", host.check_output("sudo -l -U ansible"))
    assert "not allowed" in host.run("sudo -l -U daemon").stdout


def explained() -> set[str]:
    """Ids that docs/security.md lists with a reason."""
    return set(re.findall(r"^\| `?([A-Z]{3,}-?[0-9]*)`? \|", (ROOT / "docs/security.md").read_text(), re.M))


@pytest.mark.parametrize("name", LYNIS)
def test_lynis_index_and_every_finding_explained(name: str, slow_looks: SlowLooks) -> None:
    report = slow_looks.lynis[name].result()
    index = re.search(r"^hardening_index=(\d+)", report, re.M)
    assert index, report[-500:]
    print(f"lynis index of {name}: {index[1]}")  # noqa: T201  # the figure belongs into CI's output
    assert int(index[1]) >= 78
    found = set(re.findall(r"^(?:warning|suggestion)\[\]=([^|]+)\|", report, re.M))
    assert found <= explained(), f"not in docs/security.md: {sorted(found - explained())}"
