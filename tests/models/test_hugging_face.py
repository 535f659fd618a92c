import pytest
import torch
import transformers

from llmlab.models import BERT, GPT, BERTConfig, GPTConfig, GRUConfig, build, padding_mask
from llmlab.models.hugging_face import from_hugging_face, to_hugging_face

TOLERANCE = 1e-4


def shake(model):
    """Weights far from their initial values, biases and norms included."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model.eval()


def tokens(vocab_size=37, batch=3, time=16):
    return torch.randint(vocab_size, (batch, time), generator=torch.Generator().manual_seed(1))


def hugging_gpt(**changes):
    sizes = {"vocab_size": 37, "n_positions": 16, "n_layer": 3, "n_head": 4, "n_embd": 32}
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = transformers.GPT2Config(**{**sizes, **ends, **changes})
    return shake(transformers.GPT2LMHeadModel(config))


def hugging_bert(**changes):
    sizes = {"vocab_size": 37, "max_position_embeddings": 16, "num_hidden_layers": 3}
    widths = {"num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 128}
    return shake(
        transformers.BertForMaskedLM(transformers.BertConfig(**{**sizes, **widths, **changes}))
    )


def same_logits(ours, theirs, **padding):
    mask = padding.get("padding")
    given = {} if mask is None else {"attention_mask": mask.long()}
    with torch.no_grad():
        mine = ours(tokens(), **padding)
        other = theirs(tokens(), **given).logits
    assert mine.std() > 0.1, "logits too small for the comparison to mean anything"
    where = slice(None) if mask is None else mask
    torch.testing.assert_close(mine[where], other[where], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("feed_forward", ["gelu", "gelu_tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_gpt_goes_to_hugging_face_with_its_logits(feed_forward, bias):
    model = shake(GPT(GPTConfig(37, 16, 3, 4, 32, feed_forward=feed_forward, bias=bias)))
    same_logits(model, to_hugging_face(model))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "gelu_pytorch_tanh"])
def test_gpt_comes_from_hugging_face_with_its_logits(activation):
    theirs = hugging_gpt(activation_function=activation)
    same_logits(from_hugging_face(theirs), theirs)


def test_bert_goes_to_hugging_face_with_its_logits():
    model = shake(BERT(BERTConfig(37, 16, 3, 4, 32)))
    same_logits(model, to_hugging_face(model))


def test_bert_comes_from_hugging_face_with_its_logits():
    theirs = hugging_bert()
    same_logits(from_hugging_face(theirs), theirs)


def test_bert_agrees_under_padding():
    theirs = hugging_bert()
    padding = padding_mask([16, 9, 1], 16)[:, 0, 0]
    same_logits(from_hugging_face(theirs), theirs, padding=padding)


@pytest.mark.parametrize(
    "config", [GPTConfig(37, 16, 2, 4, 32, dropout=0.1), BERTConfig(37, 16, 2, 4, 32, dropout=0.1)]
)
def test_there_and_back_is_the_same_model(config):
    model = shake(build(config))
    back = from_hugging_face(to_hugging_face(model))
    assert back.config == config
    assert not back.training
    theirs = back.state_dict()
    assert list(theirs) == list(model.state_dict())
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, theirs[name]), name


def test_the_copy_is_a_copy():
    model = shake(GPT(GPTConfig(37, 16, 1, 4, 32)))
    before = model(tokens())
    shake(to_hugging_face(model))
    assert torch.equal(model(tokens()), before)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"position": "rotary"}, "position must be 'learned' for Hugging Face's GPT-2"),
        ({"norm": "rms"}, "norm must be 'layer' for Hugging Face's GPT-2: got norm='rms'"),
        ({"feed_forward": "swiglu"}, "feed_forward must be 'gelu' or 'gelu_tanh'"),
    ],
)
def test_what_hugging_face_cannot_hold_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        to_hugging_face(GPT(GPTConfig(37, 16, 1, 4, 32, **change)))


@pytest.mark.parametrize(
    "change",
    [
        {"activation_function": "relu"},
        {"n_inner": 100},
        {"layer_norm_epsilon": 1e-6},
        {"scale_attn_by_inverse_layer_idx": True},
        {"tie_word_embeddings": False},
        {"attn_pdrop": 0.3},
    ],
)
def test_a_gpt2_that_ours_cannot_hold_is_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be .* for GPT: got {name}="):
        from_hugging_face(hugging_gpt(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_act": "relu"},
        {"intermediate_size": 100},
        {"layer_norm_eps": 1e-5},
        {"type_vocab_size": 3},
        {"tie_word_embeddings": False},
        {"attention_probs_dropout_prob": 0.3},
    ],
)
def test_a_bert_that_ours_cannot_hold_is_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be .* for BERT: got {name}="):
        from_hugging_face(hugging_bert(**change))


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="model must be a GPT or a BERT: got GRULanguageModel"):
        to_hugging_face(build(GRUConfig(37, 8)))
    with pytest.raises(TypeError, match=r"other must be a GPT2LMHeadModel .* got Linear"):
        from_hugging_face(torch.nn.Linear(2, 2))
