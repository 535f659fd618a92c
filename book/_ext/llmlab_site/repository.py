"""Where the repository and the site are: only the environment knows, when the book is built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REPOSITORY = "LLMLAB_REPOSITORY"  # https://github.com/OWNER/NAME
SITE = "LLMLAB_SITE"  # where the pages will be, for links from the Colab edition
BRANCH = "colab"  # the branch that holds the Colab edition
COLAB = "https://colab.research.google.com"

GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")


def colab_address(repository: str, path: str) -> str | None:
    """Return where Colab opens a file of the edition; None if the repository is not on GitHub."""
    found = GITHUB.fullmatch(repository)
    return f"{COLAB}/github/{found[1]}/blob/{BRANCH}/{path}" if found else None


def copy_command(environment: Mapping[str, str]) -> str:
    """Return how to get a copy of the repository, as Markdown."""
    repository = environment.get(REPOSITORY, "")
    if repository:
        return f"Get the repository:\n\n```bash\ngit clone {repository}\n```\n"
    return "You need a copy of the book's repository, the folder with its `README.md`.\n"


def colab_buttons(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the theme's options for a Colab button on every chapter; none without a repository.

    Raises:
        ValueError: the repository is not one that Colab can open.
    """
    repository = environment.get(REPOSITORY, "")
    if not repository:
        return {}
    found = GITHUB.fullmatch(repository)
    if not found:
        raise ValueError(f"{REPOSITORY} must be https://github.com/OWNER/NAME: got {repository!r}.")
    return {
        "repository_url": f"https://github.com/{found[1]}",
        "repository_branch": BRANCH,
        "launch_buttons": {"colab_url": COLAB},
    }
