"""Run records for the chapter on the transformer: its ablations, trained with two more seeds.

python records/02_transformer/make.py      all twelve, about two minutes on 2 cores
"""

from llmlab.commands.recording import make_records

INGREDIENTS = (None, "attention", "feed-forward", "residuals", "norms", "position")
RECORDS = {
    f"{f'no-{ingredient}' if ingredient else 'whole-model'}-{seed}": (
        lambda names, i=ingredient, s=seed: names["fit"](i, s)[1]
    )
    for ingredient in INGREDIENTS
    for seed in (1, 2)  # the notebook itself trains seed 0
}

if __name__ == "__main__":
    make_records(__file__, RECORDS)
