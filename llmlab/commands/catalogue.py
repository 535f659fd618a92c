"""``llmlab data`` and ``llmlab exercises``: what there is to train on, and what there is to do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from llmlab.commands.reporting import UsageError, print_json, print_table, say, usage_errors

if TYPE_CHECKING:
    from llmlab.exercises import Exercise


def list_data(arguments: argparse.Namespace) -> int:
    """List the files the book can fetch; with ``--fetch`` put them into the cache first."""
    from llmlab.data.artifacts import ARTIFACTS, fetch
    from llmlab.files import cache_folder

    wanted = arguments.fetch
    if wanted is not None:
        for name in wanted or ARTIFACTS:
            if name not in ARTIFACTS:
                known = ", ".join(ARTIFACTS)
                raise UsageError(f"--fetch must name artifacts among {known}: got {name!r}.")
        for name in wanted or ARTIFACTS:
            say(f"{name}: {fetch(name)}")
    entries = [
        {
            "name": name,
            "cached": (cache_folder() / artifact.filename).is_file(),
            "megabytes": artifact.megabytes,
            "package": f"{artifact.package} {artifact.version}",
            "licence": artifact.licence,
            "credit": artifact.credit,
            "corpora": _corpora_of(name),
        }
        for name, artifact in ARTIFACTS.items()
    ]
    if arguments.json:
        print_json({"cache": str(cache_folder()), "artifacts": entries})
        return 0
    rows = [["artifact", "corpus", "cached", "MB", "licence"]]
    for entry in entries:
        cached = "yes" if entry["cached"] else "no"
        corpora = ", ".join(entry["corpora"]) or "-"
        size = f"{entry['megabytes']:.1f}"
        rows.append([entry["name"], corpora, cached, size, entry["licence"]])
    print_table(rows, numbers=[3])
    print(f"\nCache: {cache_folder()} (LLMLAB_CACHE moves it).")
    print("Any text file or folder is a corpus too: llmlab train --corpus my_notes.txt")
    return 0


def list_exercises(arguments: argparse.Namespace) -> int:
    """List every exercise with its difficulty and minutes."""
    from llmlab.exercises import all_exercises

    exercises = list(all_exercises())
    if arguments.json:
        print_json(
            [
                {"id": e.id, "title": e.title, "difficulty": e.difficulty, "minutes": e.minutes}
                for e in exercises
            ]
        )
        return 0
    rows = [["exercise", "difficulty", "minutes", "title"]]
    rows += [[e.id, "*" * e.difficulty, str(e.minutes), e.title] for e in exercises]
    print_table(rows, numbers=[2])
    print("\nStart one:  llmlab exercises show ID > answer.py")
    print("Check it:   llmlab exercises check ID answer.py")
    return 0


def show_exercise(arguments: argparse.Namespace) -> int:
    """Print an exercise as a Python file to fill in: the task as comments, then the starter."""
    exercise = _exercise(arguments.id)
    if arguments.json:
        print_json({"id": exercise.id, "prompt": exercise.prompt, "starter": exercise.starter})
        return 0
    print("\n".join(f"# {line}".rstrip() for line in exercise.prompt_markdown().splitlines()))
    print(f"\nimport numpy as np\n\n\n{exercise.starter}")
    return 0


def check_exercise(arguments: argparse.Namespace) -> int:
    """Grade a file; exit code 0 if it passes."""
    from llmlab.exercises import check_source

    exercise, file = _exercise(arguments.id), Path(arguments.file)
    if not file.is_file():
        raise UsageError(f"FILE must be a Python file with your answer: {file} is none.")
    with usage_errors():  # UnicodeDecodeError is a ValueError
        source = file.read_text(encoding="utf-8-sig")
    verdict = check_source(exercise.id, source)
    if arguments.json:
        print_json(verdict.to_dict())
    else:
        print(verdict)
    return 0 if verdict.passed else 1


def _corpora_of(artifact: str) -> list[str]:
    from llmlab.data.corpora import corpus_artifact, corpus_names

    return [corpus for corpus in corpus_names() if corpus_artifact(corpus).name == artifact]


def _exercise(exercise_id: str) -> Exercise:
    from llmlab.exercises import exercise

    with usage_errors():
        return exercise(exercise_id)
