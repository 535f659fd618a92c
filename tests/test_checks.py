"""Each check accepts what it says and refuses the rest in one sentence."""

from __future__ import annotations

import math
import re

import pytest

from llmlab.checks import check_choice, check_integers, check_numbers, check_sizes


@pytest.mark.parametrize("value", [0, -4, 2.0, True, "8", None])
def test_a_size_is_an_integer_of_at_least_one(value):
    sentence = f"width must be an integer of at least 1: got width={value!r}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check_sizes(layers=1, width=value)


def test_an_integer_may_have_another_least():
    check_integers(0, seed=0, warmup=10**9)
    with pytest.raises(ValueError, match=r"^seed must be an integer of at least 0: got seed=-1\.$"):
        check_integers(0, warmup=0, seed=-1)


@pytest.mark.parametrize("value", [-1e-9, math.inf, math.nan, True, "1"])
def test_a_number_is_finite_and_not_negative(value):
    check_numbers(clip=0, weight_decay=0.1)
    with pytest.raises(ValueError, match=r"^clip must be a finite number of at least 0: got clip="):
        check_numbers(clip=value)


def test_a_choice_lists_what_is_accepted():
    check_choice("norm", "rms", ("layer", "rms"))
    with pytest.raises(ValueError, match=r"^norm must be one of layer, rms: got norm='batch'\.$"):
        check_choice("norm", "batch", ("layer", "rms"))
