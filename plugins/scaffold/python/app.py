"""{{name}}: what becomes of an event."""

from wit_world import exports
# @if check
from wit_world.exports.checker import Level, Problem
from wit_world.exports.descriptor import Description, Setting, SettingKind
# @end
# @if digest
from wit_world.exports import digester
# @end
from wit_world.exports.formatter import Decision, Decision_Post, Decision_Skip
from wit_world.imports import settings
# @if geo
from wit_world.imports import geo
# @end
# @if history
from wit_world.imports import history
# @end
from wit_world.imports.messages import Message, Span_Emoji, Span_Text, Style, Styled, Text_Rich
# @if digest
from wit_world.imports.messages import Text_Plain
# @end
from wit_world.imports.types import Action_Ban, Action_Unban, Ban, Event
# @if history

WEEK = 7 * 86400
# @end


class Formatter(exports.Formatter):
    def format(self, event: Event) -> Decision:
        """Post a message, skip the event for a reason, or hold it for a digest."""
        match event.action:
            case Action_Ban(ban) | Action_Unban(ban):
                pass
            case _:
                return Decision_Skip("only bans and unbans")
        if ban.restored:
            return Decision_Skip("restored after a restart")
        office = settings.get("office")
        if office is not None and ban.subject is not None and ban.subject.startswith(office):
            return Decision_Skip("our own office")
        return Decision_Post(message(event, ban))
# @if digest


class Digester(exports.Digester):
    def digest(self, batch: digester.Batch) -> digester.Decision:
        totals = batch.totals
        if totals.bans == 0:
            # banhook's own text goes out.
            return digester.Decision_Post(plain_message(f"{totals.events} events", [("digest", "built-in")]))
        jails = ", ".join(f"{jail.name} {jail.bans}" for jail in totals.by_jail)
        return digester.Decision_Post(plain_message(f"{totals.bans} bans of {totals.subjects} subjects: {jails}"))
# @end
# @if check


class Descriptor(exports.Descriptor):
    def describe(self) -> Description:
        office = Setting(
            name="office",
            kind=SettingKind.TEXT,
            description="What the addresses of our own office begin with",
            default=None,
        )
        return Description(name="{{name}}", version="0.1.0", settings=[office], hints=None)


class Checker(exports.Checker):
    def check(self) -> list[Problem]:
        if settings.get("office") != "":
            return []
        message = "every address begins with an empty text; leave the setting out instead"
        return [Problem(setting="office", line=None, level=Level.ERROR, message=message, hints=None)]
# @end


def message(event: Event, ban: Ban) -> Message:
    """Text of `Text_Rich` is shown as it is, whatever an attacker wrote into it."""
    is_ban = isinstance(event.action, Action_Ban)
    spans = [
        Span_Emoji("no_entry" if is_ban else "white_check_mark"),
        text(" "),
        text(ban.subject if ban.subject is not None else "somebody", Style.CODE),
        text(" banned in " if is_ban else " unbanned in "),
        text(event.jail, Style.BOLD),
        text(f" on {event.host}"),
    ]
    # @if geo
    if (place := where_from(ban.subject)) is not None:
        spans.append(text(f", from {place}"))
    # @end
    # @if history
    if is_ban and (times := times_banned(ban.subject)) > 1:
        spans.append(text(f", ban {times} within a week"))
    # @end
    return Message(
        text=Text_Rich(spans), blocks=None, color=None, hints=None, tags=None, thread=None, name=None, replaces=None
    )


def text(text: str, style: Style | None = None) -> Span_Text:
    return Span_Text(Styled(text=text, style=style))
# @if digest


def plain_message(text: str, hints: list[tuple[str, str]] | None = None) -> Message:
    return Message(
        text=Text_Plain(text), blocks=None, color=None, hints=hints, tags=None, thread=None, name=None, replaces=None
    )
# @end
# @if history


def times_banned(subject: str | None) -> int:
    """Return how many times a subject was banned within a week, this time included."""
    if subject is None:
        return 1
    query = history.Query(subject=history.SubjectQuery_Exact(subject), jail=None, host=None, within=WEEK, hints=None)
    try:
        return history.bans(query).bans + 1
    except Exception:
        return 1  # banhook has logged why there is no answer.
# @end
# @if geo


def where_from(subject: str | None) -> str | None:
    """Return the country in which an address is registered, if that is known."""
    if subject is None:
        return None
    try:
        place = geo.lookup(subject)
    except Exception:
        return None  # banhook has logged why there is no answer.
    return None if place is None else place.country_name or place.country
# @end
