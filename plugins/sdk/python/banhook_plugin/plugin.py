"""The base classes of a plugin. What a method returns is read before it is passed on, and an exception becomes a text
that names the author's line.
"""

import functools
import importlib
import os
import traceback
import types
from collections.abc import Callable
from typing import Any, ClassVar

from componentize_py_types import Err
from wit_world.imports import log

from .message import Hold, Post, Skip
from .shape import ShapeError, listed, reader, shown

OWN = os.path.dirname(os.path.abspath(__file__))
# The innermost places of an exception that are logged.
LOGGED_PLACES = 10
# The plugin's directory: this package is in it.
ROOT = os.path.dirname(OWN)


class _Part:
    """What the four classes have in common: a name that the interface gives them, and one method."""

    _name: ClassVar[str]
    _method: ClassVar[str]
    # The module of its types, and the world that has it.
    _module: ClassVar[str]
    _world: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if _Part in cls.__bases__:
            return
        if cls.__name__ != cls._name:
            raise TypeError(f'the class "{cls.__name__}" must be called "{cls._name}": banhook asks for that name')
        method = cls.__dict__.get(cls._method)
        if not callable(method):
            others = [name for name in cls.__dict__ if not name.startswith("_")]
            found = f"; did you mean that by {listed(others)}?" if others else f"; write def {cls._method}(self, …)"
            raise TypeError(f'the class "{cls._name}" has no method "{cls._method}"{found}')
        try:
            module = importlib.import_module(f"wit_world.exports.{cls._module}")
        except ImportError:
            raise TypeError(
                f'the plugin has no {cls._name} in its world; add "include {cls._world};" to wit/mine.wit'
            ) from None
        setattr(cls, cls._method, explained(method, cls._reader(module), cls._instead))

    @classmethod
    def _reader(cls, module: Any) -> Callable[[Any], Any]:
        """Return what reads a result of the method."""
        return decision(module, cls._method)

    @staticmethod
    def _instead(text: str) -> Any:
        """Return what stands for a failure where the interface has no error."""
        raise Err(text)


class Formatter(_Part):
    """Decides on events. A subclass of the same name has `format(self, event: Event) -> Decision`."""

    _name, _method, _module, _world = "Formatter", "format", "formatter", "plugin"


class Digester(_Part):
    """Decides on digests. A subclass of the same name has `digest(self, batch: Batch) -> Decision`."""

    _name, _method, _module, _world = "Digester", "digest", "digester", "plugin-with-digest"


class Checker(_Part):
    """Finds bad settings. A subclass of the same name has `check(self)`, which returns a list of `problem(…)`."""

    _name, _method, _module, _world = "Checker", "check", "checker", "plugin-with-settings"

    @classmethod
    def _reader(cls, module: Any) -> Callable[[Any], Any]:
        read = reader(list[module.Problem])
        return lambda value: read([] if value is None else value, "problems")

    @staticmethod
    def _instead(text: str) -> Any:
        return [problem(text)]


class Descriptor(_Part):
    """Says which settings there are. A subclass of the same name has `describe(self)`, which returns `description(…)`."""

    _name, _method, _module, _world = "Descriptor", "describe", "descriptor", "plugin-with-settings"

    @classmethod
    def _reader(cls, module: Any) -> Callable[[Any], Any]:
        read = reader(module.Description)
        return lambda value: read(value, "description")

    @staticmethod
    def _instead(text: str) -> Any:
        raise RuntimeError(text)


def problem(message: str, *, setting: str | None = None, line: int | None = None, level: Any = "error") -> Any:
    """Say what is wrong with the settings. With the level "warn" the plugin is used all the same."""
    from wit_world.exports.checker import Problem

    found = Problem(setting=setting, line=line, level=level, message=message, hints=None)
    return reader(Problem)(found, "problem")


def setting(name: str, description: str, *, kind: Any = "text", default: str | None = None) -> Any:
    """Describe a setting; its kind is "text", "number", "boolean" or "lines"."""
    from wit_world.exports.descriptor import Setting

    return reader(Setting)(Setting(name=name, kind=kind, description=description, default=default), f"setting {name}")


def description(name: str, *settings: Any, version: str | None = None) -> Any:
    """Describe the plugin, with all settings that it has."""
    from wit_world.exports.descriptor import Description

    found = Description(name=name, version=version, settings=list(settings), hints=None)
    return reader(Description)(found, "description")


def decision(module: Any, name: str) -> Callable[[Any], Any]:
    read_decision = reader(module.Decision)
    of_hold = "hold(…)" if name == "format" else "keep_until(…)"

    def read(value: Any) -> Any:
        match value:
            case Post(message):
                return module.Decision_Post(message)
            case Skip(reason):
                return module.Decision_Skip(reason)
            case Hold(key=None) if name == "digest":
                return module.Decision_Hold(value.until)
            case Hold(key=str()) if name == "format":
                return module.Decision_Hold(module.Hold(value.key, value.until, value.tags, value.hints))
            case _ if isinstance(value, (module.Decision_Post, module.Decision_Skip, module.Decision_Hold)):
                return read_decision(value, "decision")
        wrong = f"{name} must return post(…), skip(…) or {of_hold}, and returned {shown(value)}"
        raise ShapeError(f"{wrong}; return one of them on every path")

    return read


class _Questions:
    """Questions to banhook. `app.py` is executed when the plugin is built, and nobody answers then."""

    are_answered = False

    @classmethod
    def guard(cls, name: str) -> None:
        """Have the functions of a module say where they belong, instead of a trap without a reason."""
        try:
            module = importlib.import_module(f"wit_world.imports.{name}")
        except ImportError:
            return  # The plugin's world does not have it.
        for function_name, function in list(vars(module).items()):
            if isinstance(function, types.FunctionType) and function.__module__ == module.__name__:
                setattr(module, function_name, cls._guarded(f"{name}.{function_name}", function))

    @classmethod
    def _guarded(cls, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def ask(*arguments: Any, **named: Any) -> Any:
            if not cls.are_answered:
                raise RuntimeError(f"{name} has no answer while the plugin is built; call it in a method")
            return function(*arguments, **named)

        return ask


for _name in ("clock", "geo", "history", "log", "settings"):
    _Questions.guard(_name)


def explained(
    method: Callable[..., Any], read: Callable[[Any], Any], instead: Callable[[str], Any]
) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        _Questions.are_answered = True
        try:
            return read(method(*arguments))
        except Exception as error:  # Every exception: one that leaves here traps.
            text = explanation(error, method)
        return instead(text)

    return call


def explanation(error: Exception, method: Callable[..., Any]) -> str:
    if isinstance(error, Err) and isinstance(error.value, str):
        return error.value
    # Not the thousand places of a recursion, which take longer to write than an event may.
    for line in "".join(traceback.format_exception(error, limit=-LOGGED_PLACES)).splitlines():
        log.write(log.Level.ERROR, line)
    place = place_of(error)
    if place is None:
        code = method.__code__
        place = f"{short(code.co_filename)}:{code.co_firstlineno}"
    return f"{reason_of(error)} ({place})"


def reason_of(error: Exception) -> str:
    if isinstance(error, ShapeError):
        return str(error)
    if isinstance(error, Err):
        why = getattr(error.value, "message", error.value)
        code = getattr(error.value, "code", "error")
        return f"a question has no answer: {why} ({code}); catch Err, and the message goes out without the answer"
    reason = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, RecursionError):
        return f"{reason}; a function calls itself without end"
    if isinstance(error, MemoryError):
        return f"{reason or 'MemoryError'}; it may use as much as limits.memory allows"
    if isinstance(error, ImportError):
        remedy = (
            "import it at the top of the file: a component has only the modules that were imported when it was built"
        )
        return f"{reason}; {remedy}"
    if "'NoneType' object" in reason:
        return f"{reason}; a field that is not known is None: check for that first"
    return reason


def place_of(error: BaseException) -> str | None:
    """Return where the author's code was: the innermost place that is not in this package."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path.startswith(ROOT + os.sep) and not path.startswith(OWN + os.sep):
            place = f"{short(path)}:{line}"
    return place


def short(path: str) -> str:
    return os.path.relpath(path, ROOT)
