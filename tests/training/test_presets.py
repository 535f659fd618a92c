import pytest

from llmlab.models import build
from llmlab.training.presets import PRESETS, preset, shakespeare_char_cpu


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_describes_a_model_and_its_training(name):
    recipe = preset(name)
    config = recipe.model_config(vocab_size=65)
    assert recipe.name == name
    assert (config.vocab_size, config.context) == (65, recipe.context)
    assert recipe.train.warmup < recipe.train.steps


def test_the_published_recipe_has_its_published_size():
    # nanoGPT counts 0.80 M for vocabulary 65, without the positions
    model = build(shakespeare_char_cpu().model_config(65))
    positions = 64 * 128
    assert sum(p.numel() for p in model.parameters()) - positions == 795_904


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match=r"preset must be one of cpu, t4, h100.*got preset='a100'"):
        preset("a100")
