"""What an annotation accepts, and what a checked call says, leaves alone and still is."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llmlab import models
from llmlab.kinds import ArgumentKindError, checked, kind

SAMPLES = {
    "None": None, "True": True, "3": 3, "0.5": 0.5, "nan": float("nan"), "text": "text",
    "empty": "", "bytes": b"ab", "[]": [], "[1, 2]": [1, 2], "(1, 2)": (1, 2), "[0.5]": [0.5],
    "{}": {}, "{a: 1}": {"a": 1}, "tensor": torch.ones(2), "scalar": torch.ones(()),
    "module": nn.Identity(), "function": len, "path": Path("."),
}  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "words", "accepted"),
    [
        (int, "an integer", "3"),
        (float, "a number", "3|0.5"),
        (bool, "True or False", "True"),
        (str, "a string", "text|empty"),
        (int | None, "an integer or None", "3|None"),
        (str | Path, "a string or a path", "text|empty|path"),
        (Tensor, "a tensor", "tensor|scalar"),
        (nn.Module, "a torch.nn.Module", "module"),
        (torch.Generator, "a torch.Generator", ""),
        (models.GPTConfig, "a GPTConfig", ""),
        (models.ALiBi | None, "an ALiBi or None", "None"),
        (Callable[[int], str], "a function", "module|function"),
        (Sequence[int], "a sequence of integers", "[]|[1, 2]|(1, 2)"),
        (Sequence[float], "a sequence of numbers", "[]|[1, 2]|(1, 2)|[0.5]"),
        (Sequence[str], "a sequence of strings", "text|empty|[]"),
        (tuple[int, int], "(an integer, an integer)", "[1, 2]|(1, 2)"),
        (dict[str, int], "a dictionary of integers", "{}|{a: 1}"),
        (dict[str, Tensor], "a dictionary of tensors", "{}"),
        (Iterable[int], "an iterable", "text|empty|bytes|[]|[1, 2]|(1, 2)|[0.5]|{}|{a: 1}|tensor"),
    ],
)
def test_an_annotation_accepts_its_kind_alone(hint, words, accepted):
    found = kind(hint)
    assert found.one == words
    assert [name for name, value in SAMPLES.items() if found.accepts(value)] == [
        name for name in SAMPLES if name in accepted.split("|")
    ]


@checked
def scaled(x: Tensor, by: Tensor | float = 2.0, *rest: int, times: int = 1, **more: str) -> Tensor:
    return x * by * times


@pytest.mark.parametrize(
    ("arguments", "named", "sentence"),
    [
        (([1.0, 2.0],), {}, "x must be a tensor: got x=[1.0, 2.0]."),
        ((torch.ones(2), "2"), {}, "by must be a tensor or a number: got by='2'."),
        ((torch.ones(2),), {"times": 1.5}, "times must be an integer: got times=1.5."),
        ((nn.Linear(2, 2),), {}, "x must be a tensor: got a Linear."),
        ((list(range(99)),), {}, "x must be a tensor: got x=[0, 1, 2, 3, 4, 5, ...]."),
        (
            (torch.ones(2), torch.ones(3)),
            {},
            "scaled cannot compute with x (2,) of torch.float32, by (3,) of torch.float32: The "
            "size of tensor a (2) must match the size of tensor b (3) at non-singleton "
            "dimension 0.",
        ),
    ],
)
def test_a_sentence_says_what_is_wrong(arguments, named, sentence):
    with pytest.raises(ArgumentKindError, match=f"^{re.escape(sentence)}$"):
        scaled(*arguments, **named)


def test_either_name_of_the_error_catches_it():
    for kind_of_error in (TypeError, ValueError):
        with pytest.raises(kind_of_error):
            scaled([1.0])


def test_a_good_call_and_what_has_no_name_of_its_own_pass():
    assert scaled(torch.ones(2), 3.0, 1, "any", times=2, more=5).tolist() == [6.0, 6.0]


def test_a_failure_that_is_not_about_tensors_is_left_alone():
    @checked
    def fail(count: int) -> None:
        raise RuntimeError("the disk is full")

    @checked
    def too_much(x: Tensor) -> None:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(RuntimeError, match=r"^the disk is full$"):
        fail(1)
    with pytest.raises(torch.OutOfMemoryError, match=r"^full$"):
        too_much(torch.ones(1))


def test_python_says_itself_what_is_missing_or_unknown():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        scaled()


def test_a_checked_function_is_still_the_public_one():
    function = models.layer_norm
    assert pickle.loads(pickle.dumps(function)) is function
    assert list(inspect.signature(function).parameters) == ["x", "weight", "bias", "epsilon"]
    assert inspect.getsource(function).startswith("def layer_norm(")
    assert function.__doc__.startswith("Each vector of x")


def test_each_method_is_checked_once():
    method = inspect.getattr_static(models.GPT, "forward")
    assert hasattr(method, "__wrapped__")
    assert not hasattr(method.__wrapped__, "__wrapped__")


def test_inside_a_package_functions_call_one_another_as_they_are():
    from llmlab.models import norms

    assert not hasattr(norms.layer_norm, "__wrapped__")
