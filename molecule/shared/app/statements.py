"""What a statement looks like to psycopg2, and what its error says. No I/O, and no psycopg2."""

from __future__ import annotations

import functools
import re
from contextvars import ContextVar

# The connection went away, the server was stopped or is not the primary, or two transactions stood in each other's way.
PASSING = ("08", "57P", "25006", "40001", "40P01", "53")
# The id of the request that is being answered; none in what goes on by itself.
REQUEST: ContextVar[str] = ContextVar("request", default="")


def marked(text: str) -> str:
    """Said by PostgreSQL's log with each statement that fails or is slow. First, for the log has a line for each of its
    lines. Values are quoted into the text, so that no two are the same anyway: nobody's cache suffers."""
    request = REQUEST.get()
    return f"/* request_id={request} */ {text}" if request else text


@functools.lru_cache(maxsize=256)
def named(sql: str) -> str:
    """$1 as PostgreSQL writes it, the way psycopg2 wants it."""
    return re.sub(r"\$(\d+)", r"%(\1)s", sql.replace("%", "%%"))


def numbered(values: tuple[object, ...]) -> dict[str, object]:
    """The values by the names that `named` gives them."""
    return {str(number): value for number, value in enumerate(values, 1)}


def passes(state: str) -> bool:
    """Whether what SQLSTATE says may well be over in a moment."""
    return state.startswith(PASSING)
