# Managed by Ansible, role log_shipper.
"""Masks secrets and personal data in a document, by the role's rules. For log_edge.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


def luhn(text: str) -> bool:
    """Whether the digits are those of a payment card."""
    digits = [int(one) for one in text if one.isdigit()][::-1]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits are those of an account."""
    packed = "".join(text.split())
    return int("".join(str(int(one, 36)) for one in packed[4:] + packed[:4])) % 97 == 1


CHECKS: Mapping[str, Callable[[str], bool]] = {"luhn": luhn, "iban": iban}


# Anchors speak of one text's ends; such a rule is asked of each text.
ANCHOR = re.compile(r"\^|\$|\\[AZ]")


@dataclass(frozen=True)
class Mask:
    """One rule. `hints`: lower-case words of which one is in every text that the rule can be about; it saves the
    search."""

    pattern: re.Pattern[str]
    replacement: str
    check: Callable[[str], bool] | None = None
    hints: tuple[str, ...] = ()

    def concerns(self, together: str, low: str) -> bool:
        """Whether any of the texts, put together with NULs between, may hold what the rule is about."""
        # A loop, for a generator costs several times as much, and every line comes through here.
        for hint in self.hints:
            if hint in low:
                return True
        return not self.hints and (self.anchored or bool(self.pattern.search(together)))

    @cached_property
    def anchored(self) -> bool:
        return bool(ANCHOR.search(self.pattern.pattern))

    def __call__(self, text: str) -> str:
        check = self.check
        if check is None:
            return self.pattern.sub(self.replacement, text)
        return self.pattern.sub(lambda found: found.expand(self.replacement) if check(found[0]) else found[0], text)


def masks(rules: Iterable[Mapping[str, Any]]) -> tuple[Mask, ...]:
    return tuple(
        Mask(
            re.compile(one["regex"]), one["replacement"], CHECKS.get(one.get("check", "")), tuple(one.get("hints", ()))
        )
        for one in rules
    )


def texts(value: Any) -> list[str]:
    """All that are in it, however deep. Every line comes through here: a list, for a generator costs twice as much."""
    found: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found


def rewritten(value: Any, rules: Sequence[Mask]) -> Any:
    if isinstance(value, str):
        for rule in rules:
            value = rule(value)
        return value
    if isinstance(value, dict):
        return {key: rewritten(one, rules) for key, one in value.items()}
    return [rewritten(one, rules) for one in value] if isinstance(value, list) else value


def masked(value: Any, rules: Sequence[Mask]) -> Any:
    """Every text in it, however deep, without what the rules find. Keys are the programs' own words."""
    together = "\0".join(texts(value))
    low = together.lower()
    due = [rule for rule in rules if rule.concerns(together, low)]
    return rewritten(value, due) if due else value
