"""What a language model is trained to do: losses with the signature ``loss_fn(model, batch)``.

Each returns the loss to minimise (nats per predicted token) and a dictionary of metrics. The metric
named ``weight`` is special: it says how many terms the loss averages over, and the loop uses it to
average micro-batches of different weight the way one big batch would; it is not recorded.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from llmlab.data.batches import IGNORE, Batch


def causal_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Predict each next token: mean cross-entropy in nats per token.

    ``batch.targets`` (B, T) are the inputs one position later. Positions whose target is IGNORE
    (padding) do not count.
    """
    return _cross_entropy(model(batch.inputs), batch.targets)


def masked_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Recover the tokens that were hidden: mean cross-entropy in nats per hidden token.

    The same arithmetic as :func:`causal_loss`: the two objectives differ in what the model may see
    and in which positions have a target. Here every position that was not chosen for masking has
    the target IGNORE (Devlin et al. 2019). Where nothing was hidden the loss is 0.
    """
    return _cross_entropy(model(batch.inputs), batch.targets)


def _cross_entropy(logits: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    logits, targets = logits.flatten(0, 1), targets.flatten()  # (B·T, V), (B·T)
    counted = targets != IGNORE
    weight = counted.sum()
    # a sum divided here, because the mean over no token at all would be 0 / 0
    total = F.cross_entropy(logits.float(), targets, ignore_index=IGNORE, reduction="sum")
    # the target's logit is a maximum exactly when the argmax is right, and amax is far cheaper
    rows = logits.detach()
    right = rows.gather(1, targets.clamp(min=0)[:, None])[:, 0] >= rows.amax(dim=-1)
    at_least_one = weight.clamp(min=1)
    accuracy = (right & counted).sum() / at_least_one
    return total / at_least_one, {"accuracy": accuracy, "weight": weight}
