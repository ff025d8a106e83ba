"""Readers of what a plugin returns: each takes a value and its path, and returns it as the interface has it.

componentize-py traps without a reason on a value of another type than the interface says, so everything is read here
first. The readers are made of the annotations of `wit_world`, which is generated from the interface.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum, Flag
from functools import cache
from typing import Any, NoReturn, Union

from wit_world.imports import messages

Reader = Callable[[Any, str], Any]

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class ShapeError(TypeError):
    """A value of the wrong shape. Its text says where, what was expected, what was found, and what to do."""


def fail(path: str, expected: str, value: object, remedy: str | None = None) -> NoReturn:
    missing = f"{path} is missing: expected {expected}"
    found = missing if value is None else f"{path}: expected {expected}, found {shown(value)}"
    raise ShapeError(found if remedy is None else f"{found}; {remedy}") from None


def shown(value: object) -> str:
    match value:
        case None:
            return "None"
        case str():
            return f"the text {value[:40] + '…' if len(value) > 40 else value!r}"
        case bool() | int() | float():
            return f"the number {value}" if not isinstance(value, bool) else str(value)
        case list() | tuple():
            return f"a {type(value).__name__} of {len(value)}"
        case type() | types.FunctionType() | types.MethodType():
            return f"{value.__name__} itself; call it"
        case _:
            return f"a value of the type {type(value).__name__}"


def listed(names: Iterable[str]) -> str:
    return " or ".join(f'"{name}"' for name in names)


def listed_types(cases: tuple[type, ...]) -> str:
    """Return how types are called that stand for each other: of a variant with many cases only its own name."""
    if len(cases) > 4:
        return f"a {cases[0].__name__.partition('_')[0]}"
    return " or ".join(case.__name__ for case in cases)


def meant(found: str, names: Iterable[str]) -> str | None:
    """Return which name was probably meant."""
    near = difflib.get_close_matches(found, list(names), n=1)
    return f'did you mean "{near[0]}"?' if near else None


@cache
def reader(annotation: Any) -> Reader:
    """Return the reader for a type of `wit_world`."""
    if annotation in SPECIAL:
        return SPECIAL[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        rest = tuple(argument for argument in arguments if argument is not types.NoneType)
        if len(rest) < len(arguments):
            return optional(reader(Union[rest]))
        return variant(rest)
    if origin is list:
        is_pairs = arguments[0] == tuple[str, str] or arguments[0] == typing.Tuple[str, str]
        return pairs if is_pairs else items(reader(arguments[0]), is_sparse=arguments[0] in SPARSE)
    if origin is tuple:
        return sequence([reader(argument) for argument in arguments])
    if isinstance(annotation, type) and issubclass(annotation, Flag):
        return instance(annotation, f"{annotation.__name__}.{next(iter(annotation)).name}, or several joined by |")
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return enumerator(annotation)
    return record(annotation)


def text_reader(value: Any, path: str) -> str:
    if not isinstance(value, str):
        fail(path, "a str", value, "write str(…) around it" if isinstance(value, (int, float)) else None)
    # A lone surrogate cannot be passed on.
    return value.encode(errors="replace").decode()


def whole(most: int) -> Reader:
    def read(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            fail(path, f"a whole number from 0 to {most}", value)
        return value

    return read


def timestamp(value: Any, path: str) -> float:
    """Read milliseconds since 1970, or a datetime."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            fail(path, "a datetime with a time zone", value, "write datetime(…, tzinfo=…)")
        return float(round((value - EPOCH).total_seconds() * 1000))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        fail(path, "a time: milliseconds since 1970, or a datetime", value)
    return float(round(value))


def optional(of: Reader) -> Reader:
    return lambda value, path: None if value is None else of(value, path)


def instance(of: type, expected: str) -> Reader:
    return lambda value, path: value if isinstance(value, of) else fail(path, expected, value)


def enumerator(of: type[Enum]) -> Reader:
    names = {member.name.lower().replace("_", "-"): member for member in of}

    def read(value: Any, path: str) -> Enum:
        if isinstance(value, of):
            return value
        if isinstance(value, str) and value in names:
            return names[value]
        fail(path, listed(names), value, meant(value, names) if isinstance(value, str) else None)

    return read


def items(of: Reader, *, is_sparse: bool = False) -> Reader:
    def read(value: Any, path: str) -> list:
        if not isinstance(value, (list, tuple)):
            fail(path, "a list", value, "write […] around it")
        return [of(item, f"{path}[{index}]") for index, item in enumerate(value) if not (is_sparse and item is None)]

    return read


def sequence(readers: list[Reader]) -> Reader:
    def read(value: Any, path: str) -> tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(readers):
            fail(path, f"a tuple of {len(readers)}", value)
        return tuple(of(item, f"{path}[{index}]") for index, (of, item) in enumerate(zip(readers, value)))

    return read


def pairs(value: Any, path: str) -> list[tuple[str, str]]:
    """Read pairs of a name and a text, or a dict."""
    if isinstance(value, Mapping):
        return [(text_reader(name, path), text_reader(text, f"{path}[{name!r}]")) for name, text in value.items()]
    return items(sequence([text_reader, text_reader]))(value, path)


def record(of: type) -> Reader:
    hints = typing.get_type_hints(of)
    fields = {field.name: FIELDS.get((of, field.name)) or reader(hints[field.name]) for field in dataclasses.fields(of)}

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, of):
            fail(path, f"{of.__name__}({', '.join(fields)})", value)
        return of(**{name: read_field(getattr(value, name), f"{path}.{name}") for name, read_field in fields.items()})

    return read


def variant(cases: tuple[type, ...]) -> Reader:
    """Read one of several dataclasses, of which each has at most a `value`."""
    readers = {case: case_reader(case) for case in cases}

    def read(value: Any, path: str) -> Any:
        if type(value) not in readers:
            fail(path, listed_types(cases), value)
        return readers[type(value)](value, path)

    return read


def case_reader(case: type) -> Reader:
    fields = dataclasses.fields(case)
    if not fields:
        return lambda value, path: value
    of = FIELDS.get((case, fields[0].name)) or reader(typing.get_type_hints(case)[fields[0].name])
    name = case.__name__.partition("_")[2].lower()
    return lambda value, path: case(of(getattr(value, fields[0].name), f"{path}.{name}"))


def textual(value: Any, path: str) -> messages.Text:
    """Read a text: a plain str is shown as it is, whatever it contains."""
    if isinstance(value, str):
        return messages.Text_Plain(text_reader(value, path))
    if isinstance(value, typing.get_args(messages.Span)):
        return messages.Text_Rich([reader(messages.Span)(value, path)])
    if not isinstance(value, typing.get_args(messages.Text)):
        fail(
            path,
            "a text: a str, rich(…) or mrkdwn(…)",
            value,
            "write str(…)" if isinstance(value, (int, float)) else None,
        )
    return TEXT(value, path)


def context_element(value: Any, path: str) -> messages.ContextElement:
    if isinstance(value, typing.get_args(messages.ContextElement)):
        return CONTEXT_ELEMENT(value, path)
    if isinstance(value, messages.Thumbnail):
        return messages.ContextElement_Image(reader(messages.Thumbnail)(value, path))
    return messages.ContextElement_Text(textual(value, path))


def color(value: Any, path: str) -> messages.Color:
    """Read a color, or its name, or `#rrggbb`."""
    named: dict[str, Any] = {
        "good": messages.Color_Good,
        "warning": messages.Color_Warning,
        "danger": messages.Color_Danger,
    }
    if not isinstance(value, str):
        return COLOR(value, path)
    if value in named:
        return named[value]()
    try:
        if len(value) == 7 and value[0] == "#":
            red, green, blue = bytes.fromhex(value[1:])
            return messages.Color_Rgb((red, green, blue))
    except ValueError:
        pass
    fail(path, '"good", "warning", "danger", or "#rrggbb"', value, meant(value, named))


# Types with a shorter way to write them, and numbers that an annotation does not bound.
SPECIAL: dict[Any, Reader] = {
    str: text_reader,
    int: whole(2**32 - 1),
    float: timestamp,
    messages.Text: textual,
    messages.ContextElement: context_element,
    messages.Color: color,
}
FIELDS: dict[tuple[type, str], Reader] = {(messages.Color_Rgb, "value"): sequence([whole(255)] * 3)}
# Lists of these may have None in them, which is left out.
SPARSE = (messages.Block, str)
TEXT = variant(typing.get_args(messages.Text))
CONTEXT_ELEMENT = variant(typing.get_args(messages.ContextElement))
COLOR = variant(typing.get_args(messages.Color))
