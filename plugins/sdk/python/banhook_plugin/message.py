"""Decisions, and the text of messages. Every text that is passed here is shown as it is, whatever an attacker wrote."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union

from wit_world.imports import messages
from wit_world.imports.messages import Block, Date, DateFormat, Link, Message, Span, Style, Styled, Text

from .shape import fail, items, optional, pairs, reader, text_reader, timestamp

try:
    from string.templatelib import Interpolation, Template
except ImportError:  # Before Python 3.14, outside of a component.
    Interpolation = Template = ()  # type: ignore

# Made when the plugin is built, and part of the component: an event has no time for it.
read_message, read_span = reader(Message), reader(Span)

Hints = Union[Mapping[str, str], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Post:
    """Sends a message."""

    message: Message


@dataclass(frozen=True)
class Skip:
    """Sends nothing."""

    reason: str


@dataclass(frozen=True)
class Hold:
    """Holds an event for a digest, or keeps a digest open."""

    key: str | None
    until: float | None
    tags: list[str] | None
    hints: list[tuple[str, str]] | None


Decision = Union[Post, Skip, Hold]


def post(
    text: "str | Text | Span",
    *,
    blocks: "Iterable[Block | None] | None" = None,
    color: "str | messages.Color | None" = None,
    hints: "Hints | None" = None,
    tags: "Iterable[str | None] | None" = None,
    thread: str | None = None,
    name: str | None = None,
    replaces: str | None = None,
) -> Post:
    """Send a message. `color` is "good", "warning", "danger" or "#rrggbb". An item of a list that is None is left out."""
    named: dict[str, Any] = {"blocks": blocks, "color": color, "hints": hints, "tags": tags}
    named |= {"text": text, "thread": thread, "name": name, "replaces": replaces}
    return Post(read_message(Message(**named), "post"))


def skip(reason: str) -> Skip:
    """Send nothing. The reason is counted in `banhook status`."""
    return Skip(text_reader(reason, "skip"))


def hold(
    key: str,
    *,
    until: "float | datetime | None" = None,
    tags: "Iterable[str | None] | None" = None,
    hints: "Hints | None" = None,
) -> Hold:
    """Hold an event for a digest with this key, a day at most."""
    return Hold(
        key=text_reader(key, "hold.key"),
        until=optional(timestamp)(until, "hold.until"),
        tags=optional(items(text_reader, is_sparse=True))(tags, "hold.tags"),
        hints=optional(pairs)(hints, "hold.hints"),
    )


def keep_until(until: "float | datetime") -> Hold:
    """Keep a digest open until then, for more events to join."""
    return Hold(key=None, until=timestamp(until, "keep_until"), tags=None, hints=None)


def rich(*pieces: Any) -> messages.Text_Rich:
    """Make text of pieces: `rich(code(subject), " banned in ", bold(jail))`. None shows nothing.

    A template string does the same: `rich(t"{code(subject)} banned in {bold(jail)}")`.
    """
    spans: list[Span] = []
    for index, piece in enumerate(pieces):
        spans += _spans(piece, f"rich: piece {index + 1}")
    return messages.Text_Rich(spans)


def _spans(piece: Any, path: str) -> list[Span]:
    match piece:
        case None:
            return []
        case messages.Text_Rich(spans):
            return list(spans)
        case str() | bool() | int() | float():
            return [_text(piece, path)] if piece != "" else []
        case _ if isinstance(piece, Template):
            return _merged(span for part in piece for span in _spans(_value(part), path))
        case _ if isinstance(piece, Date):
            return [messages.Span_Date(piece)]
        case _:
            return [read_span(piece, path)]


def _value(part: Any) -> Any:
    if not isinstance(part, Interpolation):
        return part
    value = part.value
    match part.conversion:
        case "s":
            value = str(value)
        case "r":
            value = repr(value)
        case "a":
            value = ascii(value)
    return format(value, part.format_spec) if part.format_spec else value


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Join neighboring plain texts, so that a template gives the fewest pieces."""
    merged: list[Span] = []
    for span in spans:
        match (merged[-1] if merged else None), span:
            case messages.Span_Text(Styled(before, None)), messages.Span_Text(Styled(text, None)):
                merged[-1] = messages.Span_Text(Styled(before + text, None))
            case _:
                merged.append(span)
    return merged


def _inert(value: Any, path: str) -> str:
    """Return the text of a value of a message."""
    if isinstance(value, (bool, int, float)):
        return str(value)
    if not isinstance(value, str):
        fail(path, "a str or a number", value, "write a piece of text such as bold(…), or str(…)")
    return text_reader(value, path)


def _text(value: Any, path: str) -> messages.Span_Text:
    return messages.Span_Text(Styled(text=_inert(value, path), style=None))


def mrkdwn(template: Any, **values: Any) -> messages.Text_Mrkdwn:
    """Make Slack's mrkdwn, in which every value is text: `mrkdwn("*{jail}* on {host}", jail=…, host=…)`.

    A template string does the same: `mrkdwn(t"*{jail}*")`. Do not pass an f-string: nothing of it can be escaped.
    """

    def escaped(value: Any) -> str:
        if isinstance(value, messages.Text_Mrkdwn):
            return value.value
        text = "" if value is None else _inert(value, "mrkdwn")
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    if isinstance(template, Template):
        parts = (escaped(_value(part)) if isinstance(part, Interpolation) else part for part in template)
        return messages.Text_Mrkdwn("".join(parts))
    text = text_reader(template, "mrkdwn")
    return messages.Text_Mrkdwn(
        text.format(**{name: escaped(value) for name, value in values.items()}) if values else text
    )


def _styled(style: Style, text: Any) -> Span:
    name = str(style.name).lower()
    match text:
        case messages.Span_Text(Styled(inner, before)):
            return messages.Span_Text(Styled(inner, style if before is None else before | style))
        case messages.Span_Link(Link(label, url, before)):
            return messages.Span_Link(Link(label=label, url=url, style=style if before is None else before | style))
        case _:
            return messages.Span_Text(Styled(_inert(text, name), style))


def bold(text: "str | int | float | Span") -> Span:
    """Styles can be combined: `bold(strike("x"))`."""
    return _styled(Style.BOLD, text)


def italic(text: "str | int | float | Span") -> Span:
    return _styled(Style.ITALIC, text)


def strike(text: "str | int | float | Span") -> Span:
    return _styled(Style.STRIKE, text)


def code(text: "str | int | float | Span") -> Span:
    """Monospaced."""
    return _styled(Style.CODE, text)


def emoji(name: str) -> Span:
    """An emoji by Slack's name: `no_entry`."""
    return messages.Span_Emoji(text_reader(name, "emoji").strip(":"))


def link(url: str, label: str | None = None) -> Span:
    """A link; without a label the URL is shown."""
    return read_span(messages.Span_Link(Link(label=label, url=url, style=None)), "link")


def date(at: "float | datetime", format: "str | DateFormat | None" = None) -> Span:
    """A moment in the reader's time zone: "date-time", "date", "time" or "relative"."""
    named: dict[str, Any] = {"at": at, "format": format}
    return read_span(messages.Span_Date(Date(**named)), "date")


class mention:
    """Notifies people, if the route permits mentions."""

    channel: Span = messages.Span_Mention(messages.Mention_Channel())
    here: Span = messages.Span_Mention(messages.Mention_Here())

    @staticmethod
    def user(id: str) -> Span:
        return messages.Span_Mention(messages.Mention_User(text_reader(id, "mention.user")))

    @staticmethod
    def group(id: str) -> Span:
        return messages.Span_Mention(messages.Mention_Group(text_reader(id, "mention.group")))
