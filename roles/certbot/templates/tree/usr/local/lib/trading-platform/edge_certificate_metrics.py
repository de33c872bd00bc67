"""How long the certificate lasts, for Prometheus. Managed by Ansible (role certbot)."""

from __future__ import annotations

from pathlib import Path

from edge_certificate_due import Certificate, Settings
from edge_certificate_host import place

SUCCESS = Path("/var/lib/trading-platform/certbot/success")


def exposition(name: str, ends: float, success: float | None) -> str:
    """For node-exporter's textfile collector."""
    text = (
        "# HELP trading_certificate_not_after_timestamp_seconds When the certificate that nginx is given ends.\n"
        "# TYPE trading_certificate_not_after_timestamp_seconds gauge\n"
        f'trading_certificate_not_after_timestamp_seconds{{domain="{name}"}} {ends:.0f}\n'
    )
    if success is None:
        return text
    return text + (
        "# HELP trading_certificate_last_success_timestamp_seconds When it was last seen to be as it should be.\n"
        "# TYPE trading_certificate_last_success_timestamp_seconds gauge\n"
        f'trading_certificate_last_success_timestamp_seconds{{domain="{name}"}} {success:.0f}\n'
    )


def tell(wanted: Settings, held: Certificate | None) -> None:
    """The metric. Also where there is no exporter yet."""
    success = SUCCESS.stat().st_mtime if SUCCESS.exists() else None
    text = exposition(wanted.name, held.ends.timestamp() if held else 0, success)
    Path(wanted.metrics).parent.mkdir(parents=True, exist_ok=True)
    place(Path(wanted.metrics), text, 0o644)
