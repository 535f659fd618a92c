"""What the ``llmlab`` command does, one module a subject; ``llmlab.cli`` reads the arguments.

Each command is a function from parsed arguments to an exit code. Results go to standard output,
progress and errors to standard error, so that ``--json`` can be piped.
"""
