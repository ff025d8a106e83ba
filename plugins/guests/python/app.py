"""The example plugin in Python: posts bans, skips events that are not news, and holds flushes for a digest."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.formatter import Decision, Decision_Hold, Decision_Post, Decision_Skip, Hold
from wit_world.imports import clock, log, settings
from wit_world.imports.messages import (
    Block_Bullets,
    Block_Context,
    Block_Preformatted,
    Block_Section,
    Color_Danger,
    Color_Rgb,
    ContextElement_Text,
    Date,
    DateFormat,
    Field,
    Link,
    Mention_User,
    Message,
    Section,
    Span,
    Span_Date,
    Span_Emoji,
    Span_Link,
    Span_Mention,
    Span_Text,
    Style,
    Styled,
    Text,
    Text_Plain,
    Text_Rich,
    Thumbnail,
)
from wit_world.imports.types import Action_Ban, Action_Flush, Ban, Duration_Permanent, Duration_Seconds, Event


class Formatter(exports.Formatter):
    def format(self, event: Event) -> Decision:
        log.write(log.Level.INFO, f"{event.jail} on {event.host}")
        log.write(log.Level.DEBUG, f"settings: {', '.join(key for key, _ in settings.all())}")

        if settings.get("retired") == event.host:
            raise Err(f"{event.host} is retired and should not ban anybody")
        match event.action:
            case Action_Flush():
                tags = [tag for tag in [site(event)] if tag is not None]
                return Decision_Hold(Hold(key=event.jail, until=until(), tags=tags, hints=None))
            case Action_Ban(Ban(restored=True)):
                return Decision_Skip("told before the restart")
            case Action_Ban(ban):
                return Decision_Post(message(event, ban))
            case _:
                return Decision_Skip("only bans are told")


def until() -> float | None:
    """Return when the digest closes, from the setting `hold` (seconds), or None if it is not set."""
    hold = settings.get("hold")
    if hold is None:
        return None
    if not (hold.isascii() and hold.isdigit()):
        raise Err(f'setting "hold" is no number of seconds: {hold}')
    return clock.now() + int(hold) * 1000


def message(event: Event, ban: Ban) -> Message:
    text = headline(event, ban)
    picture = settings.get("picture")
    accessory = Thumbnail(url=picture, alt="a picture") if picture is not None else None
    blocks = [Block_Section(Section(text=text, fields=fields(event, ban), accessory=accessory))]
    if len(ban.matches) == 1:
        blocks.append(Block_Preformatted(ban.matches[0]))
    elif ban.matches:
        blocks.append(Block_Bullets([Text_Plain(line) for line in ban.matches]))
    if (url := settings.get("runbook")) is not None:
        link = Span_Link(Link(label="What to do", url=url, style=None))
        blocks.append(Block_Context([ContextElement_Text(Text_Rich([link]))]))
    permanent = isinstance(ban.duration, Duration_Permanent)
    color = Color_Danger() if permanent else Color_Rgb((0x80, 0x40, 0xC0)) if ban.by_hand else None
    return Message(
        text=text,
        blocks=blocks,
        color=color,
        # A permanent ban does not vanish in a storm's digest; in that of a backlog it counts as permanent.
        hints=[("digest", "never")] if permanent else None,
        tags=["permanent"] if permanent else None,
        # All bans in a jail are one conversation.
        thread=event.jail,
        name=event.id,
        replaces=None,
    )


def site(event: Event) -> str | None:
    """Return the label `site` of the configuration."""
    return dict(event.labels).get("site")


def headline(event: Event, ban: Ban) -> Text:
    """The host escapes spans of `rich` text, so text from outside needs no escaping here."""
    place = site(event)
    spans = [
        Span_Emoji("no_entry"),
        plain(" "),
        plain(ban.subject if ban.subject is not None else "somebody", Style.CODE),
        plain(" banned in "),
        plain(event.jail, Style.BOLD),
        plain(f" on {event.host}" + (f" ({place})" if place is not None else "")),
    ]
    if ban.began is not None:
        spans += [plain(", "), Span_Date(Date(at=ban.began, format=DateFormat.RELATIVE))]
    if (user := settings.get("call")) is not None:
        spans += [plain(" "), Span_Mention(Mention_User(user))]
    return Text_Rich(spans)


def plain(text: str, style: Style | None = None) -> Span:
    return Span_Text(Styled(text=text, style=style))


def fields(event: Event, ban: Ban) -> list[Field]:
    match ban.duration:
        case Duration_Seconds(seconds):
            duration = f"{seconds} s"
        case Duration_Permanent():
            duration = "permanent"
        case _:
            duration = None
    known = {
        "Failures": ban.failures,
        "By hand": "yes" if ban.by_hand else None,
        "Bans so far": ban.count,
        "For": duration,
        "Local time": local_time(event.at),
    }
    return [Field(label, Text_Plain(str(value))) for label, value in known.items() if value is not None]


def local_time(at: float) -> str:
    """Format in the route's time zone, as in `Sunday 2026-11-22 11:56`."""
    at = clock.local(at)
    weekday = at.weekday.name.capitalize()
    return f"{weekday} {at.year}-{at.month:02}-{at.day:02} {at.hour:02}:{at.minute:02}"
