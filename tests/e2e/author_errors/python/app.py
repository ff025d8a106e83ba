"""Makes the mistake that the setting `mistake` names. Each is on a line of its own, which the author must be shown."""

import banhook_plugin
from banhook_plugin import Decision, block, description, link, mention, post, rich, setting, skip
from wit_world.imports import messages, settings
from wit_world.imports.types import Event


def wrong_type(event: Event) -> Decision:
    return post(event.jail, thread=event.action.value.failures)


def missing_field(event: Event) -> Decision:
    return post(event.jail, blocks=[block.image("https://example.org/map.png")])


def unknown_tag(event: Event) -> Decision:
    return post(messages.Text_Plian(event.jail))


def misspelt_field(event: Event) -> Decision:
    return post(event.jail, colour="danger")


def nothing_returned(event: Event) -> Decision:
    if event.jail == "nginx":
        return skip("not that one")


def exception(event: Event) -> Decision:
    return skip(event.action.value.by_hand.upper())


def wrong_setting(event: Event) -> Decision:
    return skip(f"at most {settings.get('most')}")


def recursion(event: Event) -> Decision:
    return recursion(event)


def memory(event: Event) -> Decision:
    texts = []
    while True:
        texts.append(event.jail * 1_000_000)


def loop(event: Event) -> Decision:
    while True:
        pass


def import_in_function(event: Event) -> Decision:
    import fractions

    return skip(str(fractions.Fraction(1)))


def header_long(event: Event) -> Decision:
    return post(event.jail, blocks=[block.header(event.jail * 50)])


def bad_url(event: Event) -> Decision:
    return post(rich(event.jail, ": ", link("example.org/runbook", "what to do")))


def bad_button(event: Event) -> Decision:
    return post(event.jail, blocks=[block.buttons(block.button("Look it up", "javascript:alert(1)"))])


def raw_no_json(event: Event) -> Decision:
    return post(event.jail, blocks=[block.raw('{"type": "divider"')])


def call_somebody(event: Event) -> Decision:
    return post(rich(mention.user("U012AB3CD"), " ", event.jail))


MISTAKES = {
    "wrong-type": wrong_type,
    "missing-field": missing_field,
    "unknown-tag": unknown_tag,
    "misspelt-field": misspelt_field,
    "nothing-returned": nothing_returned,
    "exception": exception,
    "wrong-setting": wrong_setting,
    "recursion": recursion,
    "memory": memory,
    "loop": loop,
    "import-in-function": import_in_function,
    "header-long": header_long,
    "bad-url": bad_url,
    "bad-button": bad_button,
    "raw-no-json": raw_no_json,
    "mention": call_somebody,
}


class Formatter(banhook_plugin.Formatter):
    def format(self, event: Event) -> Decision:
        return MISTAKES[settings.get("mistake")](event)


class Checker(banhook_plugin.Checker):
    def check(self):
        return []


class Descriptor(banhook_plugin.Descriptor):
    def describe(self):
        return description("mistakes", setting("mistake", "Which one"), setting("most", "How many", kind="number"))
