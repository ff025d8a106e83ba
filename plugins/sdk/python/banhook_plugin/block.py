"""Blocks of a message, in Slack's terms. A text is a str, which is shown as it is, or `rich(…)`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from wit_world.imports import messages
from wit_world.imports.messages import Block, Button, Field, Image, Section, Thumbnail

from .shape import fail, reader, text_reader, textual


read_block, read_thumbnail, read_button = reader(Block), reader(Thumbnail), reader(Button)


def _block(block: Block) -> Block:
    return read_block(block, "block")


def header(text: str) -> Block:
    """Large and bold, one line."""
    return _block(messages.Block_Header(text))


def section(text: Any = None, *, fields: Any = None, accessory: Thumbnail | None = None) -> Block:
    """The usual text. `fields`: a dict of labels and values, of which those that are None are left out."""
    if isinstance(fields, Mapping):
        fields = [_field(label, value) for label, value in fields.items() if value is not None]
    return _block(messages.Block_Section(Section(text=text, fields=fields, accessory=accessory)))


def _field(label: str, value: Any) -> Field:
    value = str(value) if isinstance(value, (bool, int, float)) else value
    return Field(label=text_reader(label, "label"), value=textual(value, f"block.section.fields[{label!r}]"))


def context(*elements: Any) -> Block:
    """Small and gray: texts, and small pictures."""
    return _block(messages.Block_Context([element for element in elements if element is not None]))


def thumbnail(url: str, alt: str) -> Thumbnail:
    """A small picture: an accessory of a section, or `ContextElement_Image`."""
    return read_thumbnail(Thumbnail(url=url, alt=alt), "block.thumbnail")


def divider() -> Block:
    return messages.Block_Divider()


def image(url: str, alt: str, title: str | None = None) -> Block:
    return _block(messages.Block_Image(Image(url=url, alt=alt, title=title)))


def button(label: str, url: str, style: Any = None) -> Button:
    """A link that looks like a button; `style` is "primary" or "danger"."""
    return read_button(Button(label=label, url=url, style=style), "block.button")


def buttons(*buttons: Button | None) -> Block:
    return _block(messages.Block_Buttons([button for button in buttons if button is not None]))


def preformatted(text: str) -> Block:
    """Monospaced; cannot be broken out of."""
    return _block(messages.Block_Preformatted(text))


def table(rows: Iterable[Iterable[Any]]) -> Block:
    """Rows of cells; the first row is the heading."""
    return _block(messages.Block_Table([list(row) for row in rows]))


def raw(block: Any) -> Block:
    """Block Kit JSON, for Slack alone: a dict, a list of them, or JSON."""
    if not isinstance(block, str):
        return messages.Block_Raw(json.dumps(block))
    try:
        json.loads(block)
    except ValueError as error:
        fail("block.raw", "Block Kit JSON", block, f"{error}; pass a dict, which cannot be wrong JSON")
    return messages.Block_Raw(block)


def bullets(items: Iterable[Any]) -> Block:
    return _block(messages.Block_Bullets(list(items)))


def numbers(items: Iterable[Any]) -> Block:
    return _block(messages.Block_Numbers(list(items)))


def quote(text: Any) -> Block:
    """Somebody else's words."""
    return _block(messages.Block_Quote(text))
