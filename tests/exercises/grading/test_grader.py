"""The grader against hostile, broken and unusual answers."""

from __future__ import annotations

import functools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from llmlab.exercises import (
    Exercise,
    Mistake,
    all_exercises,
    check,
    exercise,
    grade_source,
    grader,
    prompt,
)
from llmlab.exercises.grading.expectations import expect, expect_close

IDS = [definition.id for definition in all_exercises()]
SOLUTION = exercise("attention.softmax").solution


class Stubborn:
    """Claims to be equal to everything and cannot become an array."""

    __hash__ = None

    def __eq__(self, other):
        return True

    def __array__(self, *_, **__):
        raise RuntimeError("no")


WEIRD = {
    "text": "hello",
    "dictionary": {"a": 1},
    "ragged": [[1.0], [1.0, 2.0]],
    "object array": np.array([None, "x"], dtype=object),
    "text array": np.array(["a", "b"]),
    "complex": np.array([1j]),
    "nan": np.full((2, 2), np.nan),
    "scalar nan": math.nan,
    "empty": np.zeros((0,)),
    "huge integer": 10**400,
    "list of huge integers": [10**400],
    "stubborn": Stubborn(),
    "list of stubborn": [Stubborn()],
    "class": int,
    "module": math,
    "memory view": memoryview(b"abc"),
    "view of a dictionary": {1: 2}.keys(),
    "function": len,
    "open file": sys.__stdin__,
    "list of modules": [math],
    "array of modules": np.array([math], dtype=object),
    "three things": (1, 2, 3),
    "two scalars": (1, 2),
    "true": True,
}


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("value", WEIRD.values(), ids=WEIRD)
def test_strange_returns_fail_with_a_sentence(id, value):
    verdict = grader.grade(exercise(id), lambda *_: value)
    assert verdict.status == "failed", str(verdict)
    assert len(verdict.message) > 20


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize(
    "raised",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), AssertionError("mine"), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_learner_raises_is_a_verdict(id, raised):
    def answer(*_):
        raise raised

    verdict = grader.grade(exercise(id), answer)
    assert verdict.status == "failed"
    assert verdict.line == answer.__code__.co_firstlineno + 1


async def coroutine(*_):
    return 1


async def asynchronous_generator(*_):
    yield 1


def generator(*_):
    yield 1


RETURNED = {
    generator: "returns a generator (`yield` makes one)",
    coroutine: "returns a coroutine (`async def` makes one)",
    asynchronous_generator: "returns an asynchronous generator",
    lambda *_: math: "returns a module",
    lambda *_: {1: 2}.items(): "returns a value of type dict_items",
}


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("answer", RETURNED)
def test_what_cannot_be_read_is_named(id, answer):
    verdict = grader.grade(exercise(id), answer)
    assert verdict.status == "failed", str(verdict)
    assert RETURNED[answer] in verdict.message


def test_closing_what_it_prints_to_is_no_harm():
    source = "import sys\n" + SOLUTION.replace("    return", "    sys.stdout.close()\n    return")
    assert grade_source("attention.softmax", source).passed


def test_putting_an_array_into_the_list_it_is_given_is_no_harm():
    def answer(tokens, pair, new):
        given = list(tokens)
        tokens[:] = [np.zeros(2)]
        return _namespace("pretraining.merge_pair")(given, pair, new)

    verdict = grader.grade(exercise("pretraining.merge_pair"), answer)
    assert verdict.passed
    assert "changes the array or list it is given" in verdict.message


def test_a_wrapper_of_itself_is_called_all_the_same():
    class Endless:
        def __call__(self, x):
            return _softmax(x, -1)

    answer = Endless()
    answer.__wrapped__ = answer
    assert grader.grade(exercise("attention.softmax"), answer).passed


def test_exit_is_explained():
    verdict = grade_source("attention.softmax", "import sys\ndef softmax(x):\n    sys.exit()")
    assert (verdict.status, verdict.line) == ("failed", 3)
    assert "return a value instead" in verdict.message


def test_exit_while_defining_is_explained():
    verdict = grade_source("attention.softmax", "raise SystemExit")
    assert (verdict.status, verdict.line) == ("failed", 1)


def test_endless_recursion_is_explained():
    verdict = grade_source("attention.softmax", "def softmax(x):\n    return softmax(x)")
    assert (verdict.status, verdict.line) == ("failed", 2)
    assert "calls itself without end" in verdict.message


def test_errors_name_the_learners_own_line_not_the_librarys():
    source = "def softmax(x):\n    y = np.exp(x)\n    return np.stack(y, axis=7)"
    verdict = grade_source("attention.softmax", source)
    assert verdict.line == 3
    assert verdict.message.startswith("Line 3, `return np.stack(y, axis=7)`")


def test_an_error_in_a_helper_names_the_helpers_line():
    source = "def total(x):\n    return x.nope()\n\ndef softmax(x):\n    return x / total(x)"
    verdict = grade_source("attention.softmax", source)
    assert verdict.line == 2


def test_syntax_errors_point_at_the_line():
    verdict = grade_source("attention.softmax", "def softmax(x):\n    return (x")
    assert (verdict.status, verdict.line) == ("failed", 2)
    assert "is not valid Python" in verdict.message


def test_wrong_number_of_arguments():
    verdict = check("attention.scores", lambda q: q)
    assert verdict.status == "failed"
    assert "could not call your `scores`" in verdict.message


def test_forgotten_return():
    verdict = grade_source("attention.softmax", "def softmax(x):\n    y = np.exp(x)")
    assert verdict.status == "failed"
    assert "did you forget `return`?" in verdict.message
    assert verdict.hint is None


def test_forgotten_return_never_looks_like_a_mistake():
    for id in IDS:
        assert check(id, lambda *args: print(args)).hint is None


def test_inputs_are_copies():
    def answer(q, k):
        result = q @ k.T / np.sqrt(q.shape[-1])
        q[:] = 0
        k[:] = 0
        return result

    verdict = check("attention.scores", answer)
    assert verdict.passed
    assert "changes the array or list it is given" in verdict.message


def test_mutating_the_inputs_to_match_the_output_does_not_help():
    def answer(x):
        x[:] = 0
        return x

    assert check("attention.softmax", answer).status == "failed"


def test_a_reused_buffer_does_not_rewrite_earlier_answers():
    buffer = np.zeros((300, 300), dtype=bool)

    def answer(T):
        buffer[:] = 0
        buffer[:T, :T] = np.tri(T)
        return buffer[:T, :T]

    assert check("attention.causal_mask", answer).passed


def test_replacing_numpy_neither_fools_the_grader_nor_outlives_it():
    names = ("allclose", "isnan", "asarray", "round", "exp")
    originals = {name: getattr(np, name) for name in names}

    def answer(x):
        for name in names:
            setattr(np, name, lambda *_, **__: True)
        del np.max
        return np.zeros(x.shape)

    verdict = check("attention.softmax", answer)
    assert verdict.status == "failed"
    assert verdict.test == "softmax_by_hand"
    assert all(getattr(np, name) is originals[name] for name in names)
    assert hasattr(np, "max")


def test_replacing_numpy_while_defining_neither_fools_nor_outlives():
    original = np.allclose
    source = "np.allclose = lambda *_, **__: True\ndef softmax(x):\n    return np.zeros(x.shape)"
    assert grade_source("attention.softmax", source).status == "failed"
    assert np.allclose is original


def test_settings_and_random_state_outlive_the_check():
    settings, state = np.geterr(), np.random.get_state()[1].copy()  # noqa: NPY002

    def answer(x):
        np.random.seed(3)  # noqa: NPY002
        np.seterr(all="raise")
        return x

    check("attention.softmax", answer)
    assert np.geterr() == settings
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_the_learners_warnings_are_no_errors():
    source = "import warnings\n" + SOLUTION.replace(
        "    weights =", "    warnings.warn('x')\n    weights =", 1
    )
    assert grade_source("attention.softmax", source + "\nx = '\\d'\n").passed


def test_print_is_captured_bounded_and_shown(capsys):
    source = SOLUTION.replace("    weights =", "    print('seen', x.shape)\n    weights =", 1)
    verdict = grade_source("attention.softmax", source)
    assert verdict.passed
    assert verdict.output.startswith("seen (2, 3, 4)")
    flood = source.replace("print('seen', x.shape)", "print('x' * 100_000)")
    assert len(grade_source("attention.softmax", flood).output) <= 2000
    assert capsys.readouterr() == ("", "")


def test_integers_floats_lists_and_other_callables():
    softmax = functools.partial(lambda axis, x: _softmax(x, axis), -1)
    assert check("attention.softmax", softmax).passed
    assert check("attention.softmax", lambda x: _softmax(x, -1).tolist()).passed
    assert check("attention.softmax", lambda x: _softmax(x, -1).astype(np.float32)).passed
    assert check("attention.causal_mask", lambda T: np.tri(T, dtype=bool)).passed
    assert check("attention.causal_mask", lambda T: np.tri(T) > 0).passed
    count = exercise("transformer.count_parameters").id
    assert check(count, lambda V, T, L, D: np.int64(V * D + T * D + 12 * L * D * D)).passed


def test_torch_tensors_are_understood():
    answer = lambda x: torch.softmax(torch.tensor(x, requires_grad=True), dim=-1)  # noqa: E731
    assert check("attention.softmax", answer).passed
    assert check("attention.causal_mask", lambda T: torch.ones(T, T).tril().bool()).passed


def test_an_answer_with_two_mistakes_earns_the_first_hint():
    def answer(q, k, v, mask):
        weights = np.exp(q @ k.T)  # neither scaled nor masked
        return weights / weights.sum(axis=-1, keepdims=True) @ v

    verdict = check("attention.attend", answer)
    assert verdict.test == "attend_by_hand"
    assert "too sharp" in verdict.hint


def test_an_unknown_mistake_gets_the_smallest_counterexample_and_no_hint():
    verdict = check("attention.softmax", lambda x: np.full(x.shape, 1 / x.shape[-1]))
    assert verdict.hint is None
    assert "For `softmax([0, 0.6931, 1.609])` you return" in verdict.message
    assert "expected `[0.125, 0.25, 0.625]`" in verdict.message


@pytest.mark.parametrize("seed", range(5))
def test_random_answers_are_graded_by_what_they_do(seed):
    """Other draws than the solution's: right ones pass, wrong ones are still recognised."""

    def play(tokens, mask_id, vocab_size, generator, rate=0.15, overwrite=False):
        generator.random(seed)  # a different stream of numbers for every seed
        selected = generator.random(tokens.shape) < rate
        fate = generator.random(tokens.shape)
        stranger = generator.integers(vocab_size, size=tokens.shape)
        again = generator.random(tokens.shape) < 0.1 if overwrite else fate > 0.9
        inputs = np.where(selected & (fate < 0.8), mask_id, tokens)
        inputs = np.where(selected & again, stranger, inputs)
        return inputs, np.where(selected, tokens, -100)

    verdict = check("pretraining.mask_tokens", play)
    assert verdict.passed, str(verdict)
    wrong = check("pretraining.mask_tokens", functools.partial(play, overwrite=True))
    assert wrong.hint.startswith("You draw once for the mask and again")


def test_what_is_not_a_function():
    assert check("attention.softmax", ...).status == "not attempted"
    for value in (None, np.zeros(3), "def softmax(x): return x"):
        verdict = check("attention.softmax", value)
        assert verdict.status == "failed"
        assert "pass `softmax`, not its result" in verdict.message


def test_source_without_the_function():
    assert grade_source("attention.softmax", "").status == "not attempted"
    assert grade_source("attention.softmax", "x = 1").status == "not attempted"
    verdict = grade_source("attention.softmax", "def soft_max(x):\n    return x")
    assert verdict.status == "failed"
    assert "you define `soft_max`" in verdict.message


def test_source_may_hold_the_check_line_and_imports():
    definition = exercise("attention.softmax")
    cell = definition.starter_code().replace(definition.starter, definition.solution)
    assert grade_source(definition.id, cell).passed
    imports = "import numpy as np\nfrom llmlab.exercises import check\n\n"
    assert grade_source(definition.id, imports + cell).passed
    assert grade_source(definition.id, definition.starter_code()).status == "not attempted"


def test_sources_do_not_share_names():
    assert grade_source("attention.softmax", "helper = 1\n" + SOLUTION).passed
    verdict = grade_source("attention.softmax", "def softmax(x):\n    return helper")
    assert "uses a name that nothing has defined" in verdict.message


def _namespace(id):
    namespace = {"np": np}
    exec(exercise(id).solution, namespace)
    return namespace[exercise(id).function]


def _softmax(x, axis):
    weights = np.exp(x - x.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def _doubling(*tests, solution="def double(x):\n    return 2 * x", mistakes=()):
    return Exercise(
        id="chapter.double", title="Double", difficulty=1, minutes=1, prompt="", solution=solution,
        starter="def double(x):\n    ...", tests=tests, mistakes=mistakes,
    )  # fmt: skip


def doubles_two(answer):
    expect_close(answer(2.0), 4.0, "Twice 2 is 4.")


def doubles_zero(answer):
    expect_close(answer(0.0), 0.0, "Twice 0 is 0.")


def test_no_tests_is_no_success():
    verdict = grader.grade(_doubling(), lambda x: 2 * x)
    assert verdict.status == "grader error"
    assert not verdict.passed


def test_a_test_that_never_calls_the_answer_is_no_success():
    def idle(answer):
        expect(True, "")

    assert grader.grade(_doubling(idle), lambda x: 2 * x).status == "grader error"


def test_a_broken_test_is_the_graders_fault():
    def broken(answer):
        answer(1.0)
        raise KeyError("oops")

    verdict = grader.grade(_doubling(doubles_two, broken), lambda x: 2 * x)
    assert verdict.status == "grader error"
    assert "not scored" in verdict.message


def test_a_broken_reference_is_the_graders_fault():
    wrong = _doubling(doubles_two, solution="def double(x):\n    return x")
    assert grader.grade(wrong, lambda x: x).status == "grader error"
    assert grader.grade_source(wrong, "def double(x):\n    return x").status == "grader error"


def test_a_mistake_is_not_recognised_by_agreement_where_it_is_right():
    """x + x * x equals the mistake x * x at 0 only; that is no reason for its hint."""
    mistake = Mistake("squares", "def double(x):\n    return x * x + (x == 2)", "doubles_two", "H")
    definition = _doubling(doubles_two, doubles_zero, mistakes=(mistake,))
    assert grader.grade(definition, lambda x: x + x * x).hint is None
    assert grader.grade(definition, lambda x: x * x + (x == 2)).hint == "H"


def test_hints_are_true():
    """What looks like a mistake on a small input only, or by being nan, earns no hint."""
    norm, attend = exercise("transformer.layer_norm"), exercise("attention.attend")
    variance, added = "x.var(axis=-1, keepdims=True)", "((x - mean) ** 2).sum(-1)[..., None]"
    verdict = grade_source(norm.id, norm.solution.replace(variance, added))
    assert (verdict.status, verdict.hint) == ("failed", None)
    verdict = grade_source(
        attend.id,
        attend.solution.replace("np.where(mask, scores, -np.inf)", "scores + (1 - mask) * -np.inf"),
    )
    assert (verdict.status, verdict.hint) == ("failed", None)


def test_what_differs_looks_different():
    attend = exercise("attention.attend")
    verdict = grade_source(attend.id, attend.solution.replace("-np.inf)", "-10)"))
    assert verdict.status == "failed"
    shown = verdict.message.split("you return `")[1].split("`")
    assert shown[0] != shown[2], verdict.message


def test_unknown_ids_name_the_nearest():
    for call in (exercise, prompt, lambda id: check(id, len), lambda id: grade_source(id, "")):
        with pytest.raises(
            ValueError, match=r"got 'attention\.sotfmax'; the nearest: 'attention\.so"
        ):
            call("attention.sotfmax")
        with pytest.raises(ValueError, match=r"the nearest: 'attention\.softmax'"):
            call("softmax")
        with pytest.raises(TypeError, match=r"id must be an exercise's name .* got function"):
            call(_softmax)
    with pytest.raises(TypeError, match="source must be the text of a program: got function"):
        grade_source("attention.softmax", _softmax)


def test_prompt_renders_as_markdown():
    shown = prompt("attention.softmax")
    assert shown._repr_markdown_() == str(shown)
    assert shown.startswith("### Exercise: ")


def test_imports_need_numpy_alone():
    """The package loads, and grades, where torch, IPython and matplotlib do not exist."""
    program = """
import sys
for name in ("torch", "IPython", "matplotlib", "ipywidgets", "anywidget", "transformers"):
    sys.modules[name] = None
from llmlab.exercises import all_exercises, grade_source
assert all(grade_source(e.id, e.solution).passed for e in all_exercises())
assert sys.modules["torch"] is None
"""
    subprocess.run([sys.executable, "-O", "-c", program], check=True, timeout=120)
