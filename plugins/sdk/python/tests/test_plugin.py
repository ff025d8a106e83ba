"""Runs the package against the modules of the interface, in `stubs`.

`componentize-py --wit-path wit --world everything bindings stubs` generates them.
"""

import sys
import unittest
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "stubs"), str(HERE.parent)]

import banhook_plugin as sdk
from banhook_plugin import block, bold, code, emoji, italic, link, mrkdwn, post, rich, skip, strike
from banhook_plugin.message import Post
from componentize_py_types import Err
from wit_world.exports import digester, formatter
from wit_world.imports import log, messages, types

logged: list[str] = []
log.write = lambda level, message: logged.append(message)


def passed(value, base=sdk.Formatter, name="Formatter", method="format"):
    """Return what a plugin passes to banhook whose method returns or calls this."""
    body = {method: lambda self, event: value(event) if callable(value) else value}
    return getattr(type(name, (base,), body)(), method)("event")


def failure(value, **named) -> str:
    try:
        found = passed(value, **named)
    except Err as error:
        return error.value
    raise AssertionError(f"returned {found}")


def plain(text):
    return messages.Span_Text(messages.Styled(text, None))


class Text(unittest.TestCase):
    def test_pieces_of_rich_text_are_inert(self):
        hostile = "<!channel> *b* `c`"
        spans = rich(emoji(":no_entry:"), " ", code(hostile), f" on {hostile}", None, rich("a"), 1).value
        self.assertEqual(
            spans,
            [
                messages.Span_Emoji("no_entry"),
                plain(" "),
                messages.Span_Text(messages.Styled(hostile, messages.Style.CODE)),
                plain(f" on {hostile}"),
                plain("a"),
                plain("1"),
            ],
        )

    def test_styles_combine(self):
        self.assertEqual(bold(strike("x")).value.style, messages.Style.BOLD | messages.Style.STRIKE)
        self.assertEqual(italic(link("https://example.org", "x")).value.style, messages.Style.ITALIC)
        self.assertRaisesRegex(TypeError, "bold: expected a str or a number, found a list of 0", bold, [])

    def test_mrkdwn_escapes_values_once(self):
        inner = mrkdwn("_{x}_", x="&")
        self.assertEqual(mrkdwn("*{a}* {b}", a="<!channel>", b=inner).value, "*&lt;!channel&gt;* _&amp;_")
        self.assertEqual(mrkdwn("*{not a value}*").value, "*{not a value}*")

    def test_lone_surrogate_is_replaced(self):
        self.assertEqual(skip("\ud83d").reason, "?")


class Messages(unittest.TestCase):
    def test_shorter_forms_are_read(self):
        message = post(
            "x",
            color="#8040c0",
            hints={"digest": "never"},
            tags=["DE", None],
            blocks=[
                None,
                block.section(bold("x"), fields={"Failures": 5, "By hand": None}),
                block.context("a", block.thumbnail("https://x", "x")),
                block.buttons(block.button("l", "u", "danger")),
                block.raw({"type": "divider"}),
                block.table([["a"], [mrkdwn("b")]]),
            ],
        ).message
        self.assertEqual(message.color, messages.Color_Rgb((128, 64, 192)))
        self.assertEqual(message.hints, [("digest", "never")])
        self.assertEqual(message.tags, ["DE"])
        section, context, buttons, raw, _table = message.blocks
        self.assertEqual(section.value.fields, [messages.Field("Failures", messages.Text_Plain("5"))])
        self.assertEqual(context.value[0], messages.ContextElement_Text(messages.Text_Plain("a")))
        self.assertEqual(buttons.value[0].style, messages.ButtonStyle.DANGER)
        self.assertEqual(raw.value, '{"type": "divider"}')
        self.assertEqual(passed(Post(message)), formatter.Decision_Post(message))

    def test_times_are_milliseconds(self):
        at = datetime(2026, 11, 22, 10, 56, 55, 601000, tzinfo=UTC)
        self.assertEqual(sdk.date(at, "relative").value, messages.Date(1795345015601.0, messages.DateFormat.RELATIVE))
        self.assertEqual(passed(sdk.hold("k", until=at)).value.until, 1795345015601.0)
        self.assertRaisesRegex(TypeError, "with a time zone", sdk.date, datetime(2026, 1, 1))
        self.assertRaisesRegex(TypeError, "expected a time", sdk.date, float("nan"))

    def test_plain_types_of_the_interface_are_checked(self):
        message = messages.Message(
            text=messages.Text_Plain("x"),
            blocks=None,
            color=None,
            hints=None,
            tags=None,
            thread=7,
            name=None,
            replaces=None,
        )
        self.assertIn(
            "decision.post.thread: expected a str, found the number 7", failure(formatter.Decision_Post(message))
        )


class Plugin(unittest.TestCase):
    def test_wrong_decision_names_path_expectation_finding_and_remedy(self):
        for decide, *parts in [
            (
                None,
                "format must return post(…), skip(…) or hold(…), and returned None; return one of them on every path",
            ),
            ("x", "returned the text 'x'"),
            (
                lambda _: post("x", thread=7),
                "post.thread: expected a str, found the number 7",
                "(tests/test_plugin.py:",
            ),
            (lambda _: post("x", color="dangr"), 'post.color: expected "good"', 'did you mean "danger"?'),
            (lambda _: post("x", colour="danger"), "unexpected keyword argument 'colour'"),
            (lambda _: post(7), "post.text: expected a text", "write str(…)"),
            (
                lambda _: post("x", blocks=[block.header]),
                "post.blocks[0]: expected a Block, found header itself; call it",
            ),
            (lambda _: block.raw("{"), "block.raw: expected Block Kit JSON", "pass a dict"),
            (lambda _: post("x", blocks=[messages.Block_Context([7])]), "post.blocks[0].context[0]: expected a text"),
            (sdk.keep_until(5), "format must return post(…), skip(…) or hold(…)"),
        ]:
            with self.subTest(parts):
                text = failure(decide)
                for part in parts:
                    self.assertIn(part, text)

    def test_exception_names_its_line_and_logs_its_traceback(self):
        logged.clear()
        text = failure(lambda _: None.upper())
        self.assertRegex(
            text, r"^AttributeError: 'NoneType' .*; a field that is not known is None.* \(tests/test_plugin.py:\d+\)$"
        )
        self.assertEqual(logged[0], "Traceback (most recent call last):")

        def again(event):
            return again(event)

        self.assertIn("a function calls itself without end", failure(again))

    def test_err_of_the_author_and_of_a_question(self):
        def raises(value):
            def decide(_):
                raise Err(value)

            return decide

        self.assertEqual(failure(raises("retired")), "retired")
        unanswered = failure(raises(types.Error(code="timeout", message="too long")))
        self.assertIn("too long (timeout); catch Err", unanswered)

    def test_wrong_names_fail_the_build(self):
        self.assertRaisesRegex(TypeError, 'must be called "Formatter"', passed, skip("x"), name="Formater")
        self.assertRaisesRegex(TypeError, 'no method "format".*"fromat"', passed, skip("x"), method="fromat")

    def test_the_other_classes(self):
        digest = {"base": sdk.Digester, "name": "Digester", "method": "digest"}
        self.assertEqual(passed(sdk.keep_until(5), **digest), digester.Decision_Hold(5.0))
        self.assertIn("keep_until(…)", failure(sdk.hold("k"), **digest))

        class Checker(sdk.Checker):
            def check(self):
                return [7]

        (problem,) = Checker().check()
        self.assertIn("problems[0]: expected Problem(", problem.message)

        class Descriptor(sdk.Descriptor):
            def describe(self):
                return sdk.description("x", sdk.setting("a", "b", kind="number"))

        self.assertEqual(Descriptor().describe().settings[0].name, "a")


if __name__ == "__main__":
    unittest.main()
