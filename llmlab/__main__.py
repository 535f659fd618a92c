"""``python -m llmlab`` is the ``llmlab`` command."""

from llmlab.cli import program

if __name__ == "__main__":
    program()
