from __future__ import annotations

import pytest

from llmlab.display import Choice, Question, Quiz

RIGHT, WRONG = Choice("yes", True, "It is."), Choice("no", False, "It is not.")


def test_a_quiz_carries_its_questions_and_a_lasting_name():
    quizzes = [Quiz([Question("Is it?", [RIGHT, WRONG])]) for _ in range(2)]
    assert quizzes[0].name == quizzes[1].name
    assert quizzes[0].name.startswith("quiz-")
    assert quizzes[0].description == "A quiz: 1 question, every answer explained."
    assert quizzes[0].name != Quiz([Question("Is it so?", [RIGHT, WRONG])]).name
    assert quizzes[0].questions[0]["choices"][1] == {
        "text": "no",
        "correct": False,
        "why": "It is not.",
    }


@pytest.mark.parametrize(
    ("choices", "kind", "message"),
    [
        ([RIGHT, RIGHT], "single", "must hold one right choice: got 2"),
        ([WRONG, WRONG], "multiple", "at least one right choice: got none"),
        ([RIGHT], "single", "must be at least two: got 1"),
        ([RIGHT, WRONG], "essay", "must be one of single, multiple, number: got 'essay'"),
        ([RIGHT, Choice("no", False, " ")], "single", "why of choice 'no'"),
        ([RIGHT], "number", "must be numbers such as '0.5': got 'yes'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(choices, kind, message):
    with pytest.raises(ValueError, match=message):
        Question("Is it?", choices, kind=kind)


def test_empty_quizzes_prompts_and_negative_tolerances_are_refused():
    with pytest.raises(ValueError, match="at least one question"):
        Quiz([])
    with pytest.raises(ValueError, match="prompt must not be empty"):
        Question(" ", [RIGHT, WRONG])
    with pytest.raises(ValueError, match="must not be negative: got -1"):
        Question("How many?", [Choice("3", True, "Count.")], kind="number", tolerance=-1)


def test_choices_are_shuffled_and_always_in_the_same_way():
    def first_is_right(number: int, turned: bool) -> bool:
        choices = [Choice(f"{n} of {number}", n == 0, "Because.") for n in range(3)]
        question = Question(f"Which, {number}?", choices[::-1] if turned else choices)
        return Quiz([question]).questions[0]["choices"][0]["correct"]

    ahead = [first_is_right(number, False) for number in range(60)]
    assert ahead == [first_is_right(number, True) for number in range(60)]
    assert 10 <= sum(ahead) <= 30  # a third of 60, though the author put it first
