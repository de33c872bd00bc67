# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads when a change of the firewall was not confirmed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

UNCHANGED_AT_BOOT = "The rules for the next boot were not changed."


def reverted(host: str, within: int, last_error: str | None, port: int, sources: Sequence[str]) -> str:
    """The host answers again, and has the old rules."""
    if last_error is None:
        return (
            f"The new firewall rules of {host} were loaded, but are not pending any more: "
            f"they were not confirmed within {within} s, or another run replaced them. "
            f"The host has its previous rules. {UNCHANGED_AT_BOOT} "
            "Make sure that no other run works on this host, then run again."
        )
    return (
        f"The new firewall rules cut Ansible off from {host}: no new connection came through within {within} s. "
        f"The host has put the previous rules back by itself and answers again. {UNCHANGED_AT_BOOT} "
        f"{_fix(port, sources)} On the host, 'journalctl -u trading-firewall-revert' tells when it reverted. "
        f"The last attempt said: {last_error}"
    )


def unreachable(host: str, within: int, waited: int, last_error: str, *, port: int, sources: Sequence[str]) -> str:
    """The host does not answer even after it should have put the old rules back."""
    return (
        f"After a change of its firewall rules {host} could not be reached by a new connection for {waited} s. "
        f"The host puts the previous rules back by itself {within} s after the change, so if it stays unreachable "
        f"the cause may lie elsewhere (network, sshd, the host itself). {UNCHANGED_AT_BOOT} "
        "On its console look at 'nft list table inet trading_platform', "
        "'systemctl list-timers trading-firewall-revert' and 'journalctl -u trading-firewall-revert'; "
        "'nft delete table inet trading_platform' opens the host. "
        f"{_fix(port, sources)} The last attempt said: {last_error}"
    )


def confirm_failed(host: str, within: int, said: str) -> str:
    """The new connection works, but making the rules permanent did not."""
    return (
        f"The new firewall rules of {host} let Ansible in, but could not be made permanent: {said} "
        f"Unless confirmed, the host puts the previous rules back {within} s after the change. "
        "Repair what the message names and run again."
    )


def _fix(port: int, sources: Sequence[str]) -> str:
    return (
        f"Port {port} is open to {', '.join(sources)}: "
        "check that this includes the address from which this controller reaches the host."
    )
