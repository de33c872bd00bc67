# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logstash's language of pipelines, as much of it as the role writes: read, and followed for one event. Pure.

What is read otherwise than Logstash reads it would be a lie of the tests: whatever is not known here is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
TOKEN = re.compile(
    r"""\s+ | \#[^\n]*
    | (?P<arrow>=>) | (?P<operator>==|!=|=~|!~|<=|>=|<|>)
    | (?P<mark>[{}(),!])
    | (?P<field>\[[^\[\]\s,"']+\](?:\[[^\[\]\s,"']+\])*)
    | (?P<open>\[) | (?P<close>\])
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<regex>/(?:\\/|[^/\n])+/)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w-]*)""",
    re.VERBOSE,
)


class PipelineError(Exception):
    """What Logstash could not read, and where."""


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Plugin:
    section: str
    name: str
    options: Mapping[str, Any]
    line: int


@dataclass(frozen=True)
class Codec:
    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Branch:
    """if, else if, else: the first whose condition holds."""

    arms: tuple[tuple[Callable[[Event], bool] | None, tuple[Any, ...]], ...]


@dataclass
class Pipeline:
    sections: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def plugins(self, section: str) -> list[Plugin]:
        return list(plugins(self.sections.get(section, ())))


def plugins(body: tuple[Any, ...]) -> Iterator[Plugin]:
    for one in body:
        if isinstance(one, Branch):
            for _condition, inner in one.arms:
                yield from plugins(inner)
        else:
            yield one


def tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if not match:
            raise PipelineError(f"line {line}: cannot be read: {text[at : at + 20]!r}")
        if match.lastgroup:
            found.append(Token(match.lastgroup, match.group(), line))
        at = match.end()
    return found


class Reader:
    """From tokens to sections. `known` has the plugins and the types of their options."""

    def __init__(self, text: str, known: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.rest = tokens(text)
        self.known, self.environment = known, environment
        self.at = 0

    def peek(self) -> Token:
        return self.rest[self.at] if self.at < len(self.rest) else Token("end", "the end", -1)

    def take(self, kind: str = "", text: str = "") -> Token:
        one = self.peek()
        if (kind and one.kind != kind) or (text and one.text != text):
            raise PipelineError(f"line {one.line}: {text or kind} is wanted, there is {one.text!r}")
        self.at += 1
        return one

    def pipeline(self) -> Pipeline:
        made = Pipeline()
        while self.peek().kind != "end":
            section = self.take("word")
            if section.text not in ("input", "filter", "output") or section.text in made.sections:
                raise PipelineError(f"line {section.line}: {section.text} is no section, or is there twice")
            made.sections[section.text] = self.body(section.text)
        return made

    def body(self, section: str) -> tuple[Any, ...]:
        self.take("mark", "{")
        found: list[Any] = []
        while self.peek().text != "}":
            found.append(self.branch(section) if self.peek().text == "if" else self.plugin(section))
        self.take("mark", "}")
        return tuple(found)

    def branch(self, section: str) -> Branch:
        if section == "input":
            raise PipelineError(f"line {self.peek().line}: inputs have no conditions")
        self.take("word", "if")
        arms: list[tuple[Callable[[Event], bool] | None, tuple[Any, ...]]] = [(self.either(), self.body(section))]
        while self.peek().text == "else":
            self.take("word", "else")
            if self.peek().text == "if":
                self.take("word", "if")
                arms.append((self.either(), self.body(section)))
            else:
                arms.append((None, self.body(section)))
                break
        return Branch(tuple(arms))

    # ----- conditions

    def either(self) -> Callable[[Event], bool]:
        one = self.both()
        while self.peek().text == "or":
            self.take()
            one = _or(one, self.both())
        return one

    def both(self) -> Callable[[Event], bool]:
        one = self.single()
        while self.peek().text == "and":
            self.take()
            one = _and(one, self.single())
        return one

    def single(self) -> Callable[[Event], bool]:
        if self.peek().text == "!":
            self.take()
            inner = self.single()
            return lambda event: not inner(event)
        if self.peek().text == "(":
            self.take()
            inner = self.either()
            self.take("mark", ")")
            return inner
        return self.comparison()

    def comparison(self) -> Callable[[Event], bool]:
        left = self.operand()
        said = self.peek()
        if said.text == "not":
            self.take()
            self.take("word", "in")
            right = self.operand()
            return lambda event: not within(left(event), right(event))
        if said.text == "in":
            self.take()
            right = self.operand()
            return lambda event: within(left(event), right(event))
        if said.text in ("=~", "!~"):
            self.take()
            pattern = re.compile(self.take("regex").text[1:-1])
            wanted = said.text == "=~"
            return lambda event: bool(pattern.search(str(left(event) or ""))) is wanted
        if said.text in ("==", "!="):
            self.take()
            right = self.operand()
            same = said.text == "=="
            return lambda event: (left(event) == right(event)) is same
        if said.kind == "operator":
            raise PipelineError(f"line {said.line}: {said.text} is not known here")
        # A field by itself: whether it is there, and neither false nor null.
        return lambda event: left(event) not in (None, False)

    def operand(self) -> Callable[[Event], Any]:
        one = self.peek()
        if one.kind == "field":
            self.take()
            return lambda event: get(event, one.text)
        if one.kind == "open":
            listed = self.array()
            if len(listed) == 1:
                raise PipelineError(f"line {one.line}: Logstash takes a list of one in a condition for something else")
            return lambda _event: listed
        if one.kind in ("text", "number"):
            value = self.value("string")
            return lambda _event: value
        raise PipelineError(f"line {one.line}: {one.text!r} cannot be compared")

    # ----- plugins and their options

    def plugin(self, section: str) -> Plugin:
        name = self.take("word")
        known = self.known[section].get(name.text)
        if known is None:
            raise PipelineError(f"line {name.line}: there is no {section} plugin {name.text}")
        return Plugin(section, name.text, self.options(known, f"{section} {name.text}"), name.line)

    def options(self, known: Mapping[str, str], where: str) -> dict[str, Any]:
        self.take("mark", "{")
        found: dict[str, Any] = {}
        while self.peek().text != "}":
            name = self.take("word")
            if name.text not in known:
                raise PipelineError(f"line {name.line}: {where} has no option {name.text}")
            if name.text in found:
                raise PipelineError(f"line {name.line}: {where}: {name.text} is there twice")
            self.take("arrow")
            found[name.text] = self.value(known[name.text])
        self.take("mark", "}")
        return found

    def value(self, kind: str) -> Any:
        one = self.peek()
        if kind == "codec":
            name = self.take("word")
            if name.text not in self.known["codec"]:
                raise PipelineError(f"line {name.line}: there is no codec {name.text}")
            inner = self.known["codec"][name.text]
            return Codec(name.text, self.options(inner, f"codec {name.text}") if self.peek().text == "{" else {})
        if kind == "array":
            return self.array()
        if kind == "hash":
            return self.hash()
        self.take()
        if kind == "boolean" and one.text in ("true", "false"):
            return one.text == "true"
        if kind == "number" and one.kind == "number":
            return float(one.text) if "." in one.text else int(one.text)
        if kind == "string" and one.kind in ("text", "number", "word"):
            return self.expanded(one.text[1:-1] if one.kind == "text" else one.text, one.line)
        raise PipelineError(f"line {one.line}: {one.text!r} is no {kind}")

    def array(self) -> list[Any]:
        # ["a"] looks like a field's name until one sees the quotes.
        self.take("open")
        found: list[Any] = []
        while self.peek().kind != "close":
            found.append(self.value("string"))
            if self.peek().kind != "close":
                self.take("mark", ",")
        self.take("close")
        return found

    def hash(self) -> dict[str, Any]:
        self.take("mark", "{")
        found: dict[str, Any] = {}
        while self.peek().text != "}":
            name = self.value("string")
            self.take("arrow")
            found[name] = self.value("string")
        self.take("mark", "}")
        return found

    def expanded(self, text: str, line: int) -> str:
        def content(match: re.Match[str]) -> str:
            if match[1] not in self.environment:
                raise PipelineError(f"line {line}: cannot evaluate `{match[0]}`: no such variable")
            return self.environment[match[1]]

        return re.sub(r"\$\{(\w+)\}", content, text)


def _or(one: Callable[[Event], bool], two: Callable[[Event], bool]) -> Callable[[Event], bool]:
    return lambda event: one(event) or two(event)


def _and(one: Callable[[Event], bool], two: Callable[[Event], bool]) -> Callable[[Event], bool]:
    return lambda event: one(event) and two(event)


def within(one: Any, many: Any) -> bool:
    return isinstance(many, (list, str)) and one is not None and one in many


def read(text: str, known: Mapping[str, Any], environment: Mapping[str, str]) -> Pipeline:
    return Reader(text, known, environment).pipeline()


# ----- events


def path(name: str) -> list[str]:
    return re.findall(r"\[([^\[\]]+)\]", name) or [name]


def get(event: Event, name: str) -> Any:
    found: Any = event
    for word in path(name):
        found = found.get(word) if isinstance(found, dict) else None
    return found


def put(event: Event, name: str, value: Any) -> None:
    *parents, last = path(name)
    inner = event
    for word in parents:
        inner = inner.setdefault(word, {})
    inner[last] = value


def remove(event: Event, name: str) -> None:
    *parents, last = path(name)
    inner: Any = event
    for word in parents:
        inner = inner.get(word) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)


def sprintf(event: Event, text: str) -> str:
    """%{[a][b]} as Logstash has it: what is not there stays as it is written. Times are the caller's."""

    def content(match: re.Match[str]) -> str:
        value = get(event, match[1])
        if value is None:
            return match[0]
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))

    return re.sub(r"%\{((?!\+)[^}]+)\}", content, text)


def dissected(text: str, mapping: str) -> dict[str, str] | None:
    """Fields by the delimiters between them; the last one has the rest. Nothing where one delimiter is missing."""
    parts = re.split(r"%\{([^}]*)\}", mapping)
    if not text.startswith(parts[0]):
        return None
    at, found = len(parts[0]), {}
    for name, delimiter in zip(parts[1::2], parts[2::2], strict=True):
        end = text.find(delimiter, at) if delimiter else len(text)
        if end < 0:
            return None
        if name and not name.startswith("?"):
            found[name] = text[at:end]
        at = end + len(delimiter)
    return found


def tag(event: Event, name: str) -> None:
    event["tags"] = [*event.get("tags", []), name]


def filtered(event: Event, plugin: Plugin) -> None:
    """One filter. add_field and remove_field are for those that went well."""
    options = plugin.options
    if plugin.name == "dissect":
        for name, mapping in options["mapping"].items():
            found = dissected(str(get(event, name) or ""), mapping)
            if found is None:
                tag(event, "_dissectfailure")
                return
            for key, value in found.items():
                put(event, key, value)
    elif plugin.name == "json":
        try:
            said = json.loads(str(get(event, options["source"])))
        except ValueError:
            said = None
        if not isinstance(said, dict):
            tag(event, "_jsonparsefailure")
            return
        event.update(said)
    for name, value in options.get("add_field", {}).items():
        put(event, name, sprintf(event, value))
    for name in options.get("remove_field", []):
        remove(event, name)


def follow(body: tuple[Any, ...], event: Event) -> Iterator[Plugin]:
    """The plugins that the event comes to, one after the other: what one does, the next condition sees."""
    for one in body:
        if isinstance(one, Branch):
            for condition, inner in one.arms:
                if condition is None or condition(event):
                    yield from follow(inner, event)
                    break
        else:
            yield one


def through(pipeline: Pipeline, event: Event) -> list[Plugin]:
    """The event after all filters, in place; and the outputs that it goes to."""
    for plugin in follow(pipeline.sections.get("filter", ()), event):
        filtered(event, plugin)
    return list(follow(pipeline.sections["output"], event))
