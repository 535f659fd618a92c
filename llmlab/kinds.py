"""What callers give, checked against the annotations: a list is no tensor, and 0.5 no count.

A package does so once, in the last line of its ``__init__``: ``check_calls(globals())``. Its public
functions, and the methods of its public classes, then refuse an argument of the wrong kind in one
sentence, before anything is computed, and name their tensors when those do not fit one another.
Which values of its kind an argument may have is for ``checks``.
"""

from __future__ import annotations

import inspect
import reprlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import torch


class ArgumentKindError(TypeError, ValueError):
    """An argument of the wrong kind. Either of Python's two names for that catches it."""


class Kind(NamedTuple):
    """What an annotation accepts: words for one and for several of it, and a test of a value."""

    one: str
    several: str
    accepts: Callable[[Any], bool]


def check_calls(package: dict[str, Any]) -> None:
    """From now on, calls of what the package lists in ``__all__`` are checked.

    ``package`` is its namespace. Modules of the package itself, which import from one another, call
    its functions as they were: no check is made twice, and none in the midst of a computation.
    """
    for name in package["__all__"]:
        part = package[name]
        if isinstance(part, types.FunctionType):
            package[name] = checked(part)
            package[name].__module__ = package["__name__"]  # where pickle finds it
        elif isinstance(part, type) and not issubclass(part, (Exception, tuple)):
            for base in part.__mro__:
                if base.__module__.startswith("llmlab."):
                    check_methods(base)


def check_methods(part: type) -> None:
    """From now on, calls of the class, and of the public methods that it defines, are checked."""
    if "_calls_are_checked" in vars(part):
        return
    part._calls_are_checked = True
    for name, method in list(vars(part).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(method, types.FunctionType):
            setattr(part, name, checked(method))
        elif isinstance(method, (classmethod, staticmethod)):
            setattr(part, name, type(method)(checked(method.__func__)))


def checked(function: Callable) -> Callable:
    """The function, which refuses arguments that its annotations do not accept.

    Raises:
        ArgumentKindError: when called with such an argument, or with tensors of shapes or types
            that cannot be computed with.
    """
    kinds: dict[str, Kind] = {}  # filled at the first call: names may be defined further down

    @wraps(function)
    def checking(*values, **named):
        if torch.compiler.is_compiling():  # what is compiled has been called before
            return function(*values, **named)
        if not kinds:
            kinds.update(kinds_of(function))
        for name, value in (*zip(kinds, values, strict=False), *named.items()):
            kind = kinds.get(name)
            if kind is not None and not kind.accepts(value):
                raise ArgumentKindError(f"{name} must be {kind.one}: got {in_short(value, name)}.")
        try:
            return function(*values, **named)
        except (RuntimeError, IndexError) as error:
            given = {**dict(zip(kinds, values, strict=False)), **named}
            if type(error) not in _MISFITS or _TENSOR not in map(kinds.get, given):
                raise
            raise ArgumentKindError(_misfit(function, given, error)) from error

    return checking


def kinds_of(function: Callable) -> dict[str, Kind]:
    """The kind of each parameter that has a name of its own, in their order."""
    hints = typing.get_type_hints(function)
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.items()
    names = [name for name, parameter in parameters if parameter.kind not in starred]
    return {name: kind(hints.get(name, Any)) for name in names}


def kind(hint: Any) -> Kind:
    """What an annotation accepts: of a union any part; of a sequence, items are looked at too."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if getattr(hint, "_is_protocol", False):
        return _able(hint)
    origin, inside = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union([kind(each) for each in inside])
    if origin is tuple and Ellipsis not in inside:
        return _row([kind(each) for each in inside])
    if origin in (list, tuple, Sequence):
        return _sequence(kind(inside[0]))
    if origin is dict:
        return _dictionary(kind(inside[1] if inside else Any))
    if origin is Iterable:
        return Kind("an iterable", "iterables", _is_iterable)
    if origin in _GENERIC:
        one, several = _GENERIC[origin]
    else:
        name = f"torch.{hint.__name__}" if hint.__module__.startswith("torch") else hint.__name__
        one, several = _article(name), f"{name} objects"
    return Kind(one, several, lambda value: isinstance(value, origin))


def in_short(value: Any, name: str) -> str:
    """A value of this name as a sentence can hold it: of a tensor its shape, of others the kind."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (bool, int, float, complex, str, bytes, list, tuple, dict, type(None))):
        return f"{name}={reprlib.repr(value)}"
    return _article(getattr(value, "__name__", type(value).__name__))


def _misfit(function: Callable, given: dict[str, Any], error: Exception) -> str:
    """What PyTorch says of tensors that do not fit, after the tensors that were given."""
    tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
    shapes = ", ".join(f"{name} {tuple(t.shape)} of {t.dtype}" for name, t in tensors.items())
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{function.__qualname__} cannot compute with {shapes}: {said}."


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"


def _able(protocol: type) -> Kind:
    """What can do what a protocol asks for; its first sentence says that in words."""
    asked = [name for name in (*protocol.__annotations__, *vars(protocol)) if _is_asked(name)]
    words = protocol.__doc__.partition(".")[0]
    words = words[0].lower() + words[1:]
    return Kind(words, words, lambda value: all(hasattr(value, name) for name in asked))


def _is_asked(name: str) -> bool:
    return not name.startswith("_") or name == "__getitem__"


def _union(kinds: list[Kind]) -> Kind:
    return Kind(
        " or ".join(each.one for each in kinds),
        " or ".join(each.several for each in kinds),
        lambda value: any(each.accepts(value) for each in kinds),
    )


def _sequence(item: Kind) -> Kind:
    def accepts(value: Any) -> bool:
        if isinstance(value, (str, bytes)) and item is not _PLAIN[str]:
            return False  # not even an empty one, which has no item that would tell
        return isinstance(value, Sequence) and all(map(item.accepts, value))

    return Kind(f"a sequence of {item.several}", f"sequences of {item.several}", accepts)


def _dictionary(item: Kind) -> Kind:
    def accepts(value: Any) -> bool:
        return isinstance(value, dict) and all(map(item.accepts, value.values()))

    of = "" if item is _PLAIN[Any] else f" of {item.several}"
    return Kind(f"a dictionary{of}", f"dictionaries{of}", accepts)


def _row(items: list[Kind]) -> Kind:
    """A tuple of so many; JSON knows lists alone, so a list of them will do."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, (list, tuple)) or len(value) != len(items):
            return False
        return all(each.accepts(one) for each, one in zip(items, value, strict=True))

    words = f"({', '.join(each.one for each in items)})"
    return Kind(words, f"rows of {words}", accepts)


def _is_number(value: Any) -> bool:
    """NaN says of itself that it is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _is_iterable(value: Any) -> bool:
    """A tensor of no dimension has the method, and raises in it."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


_TENSOR = Kind("a tensor", "tensors", lambda value: isinstance(value, torch.Tensor))
# PyTorch's ways to say that shapes or types do not fit; memory that is full is another class
_MISFITS = (RuntimeError, IndexError, NotImplementedError)
_PLAIN = {
    Any: Kind("anything", "anything", lambda value: True),
    object: Kind("anything", "anything", lambda value: True),
    None: Kind("None", "None", lambda value: value is None),
    type(None): Kind("None", "None", lambda value: value is None),
    bool: Kind("True or False", "True or False", lambda value: isinstance(value, bool)),
    int: Kind("an integer", "integers", lambda value: _is_number(value) and isinstance(value, int)),
    float: Kind("a number", "numbers", _is_number),
    str: Kind("a string", "strings", lambda value: isinstance(value, str)),
    torch.Tensor: _TENSOR,
    torch.nn.Module: Kind(
        "a torch.nn.Module", "modules", lambda value: isinstance(value, torch.nn.Module)
    ),
}
_GENERIC = {
    Callable: ("a function", "functions"),
    Mapping: ("a dictionary", "dictionaries"),
    Path: ("a path", "paths"),
}
