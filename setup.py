"""Which packages there are; the run records lie outside ``llmlab/`` and travel inside it.

Everything else about the package stands in pyproject.toml.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["llmlab", "llmlab.*"]), "llmlab.records"],
    package_dir={"llmlab.records": "records"},
)
