"""{{name}}: what becomes of an event."""

import banhook_plugin
from banhook_plugin import Decision, bold, code, emoji, post, rich, skip
# @if check
from banhook_plugin import description, problem, setting
# @end
# @if geo
from wit_world.imports import geo
# @end
# @if history
from wit_world.imports import history
# @end
from wit_world.imports import settings
from wit_world.imports.types import Action_Ban, Action_Unban, Event
# @if digest
from wit_world.exports.digester import Batch
# @end
# @if history

WEEK = 7 * 86400
# @end


class Formatter(banhook_plugin.Formatter):
    def format(self, event: Event) -> Decision:
        """Post a message, skip the event for a reason, or hold it for a digest."""
        match event.action:
            case Action_Ban(ban) | Action_Unban(ban):
                is_ban = isinstance(event.action, Action_Ban)
            case _:
                return skip("only bans and unbans")
        if ban.restored:
            return skip("restored after a restart")
        office = settings.get("office")
        if office is not None and ban.subject is not None and ban.subject.startswith(office):
            return skip("our own office")

        # A piece of `rich` is shown as it is, whatever an attacker wrote into it.
        text = [
            emoji("no_entry" if is_ban else "white_check_mark"),
            " ",
            code("somebody" if ban.subject is None else ban.subject),
            " banned in " if is_ban else " unbanned in ",
            bold(event.jail),
            f" on {event.host}",
        ]
        # @if geo
        if (place := where_from(ban.subject)) is not None:
            text.append(f", from {place}")
        # @end
        # @if history
        if is_ban and (times := times_banned(ban.subject)) > 1:
            text.append(f", ban {times} within a week")
        # @end
        return post(rich(*text))
# @if digest


class Digester(banhook_plugin.Digester):
    def digest(self, batch: Batch) -> Decision:
        totals = batch.totals
        if totals.bans == 0:
            # banhook's own text goes out.
            return post(f"{totals.events} events", hints={"digest": "built-in"})
        jails = ", ".join(f"{jail.name} {jail.bans}" for jail in totals.by_jail)
        return post(f"{totals.bans} bans of {totals.subjects} subjects: {jails}")
# @end
# @if check


class Descriptor(banhook_plugin.Descriptor):
    def describe(self):
        office = setting("office", "What the addresses of our own office begin with")
        return description("{{name}}", office, version="0.1.0")


class Checker(banhook_plugin.Checker):
    def check(self):
        if settings.get("office") != "":
            return []
        return [problem("every address begins with an empty text; leave the setting out instead", setting="office")]
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
