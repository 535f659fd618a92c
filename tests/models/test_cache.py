from __future__ import annotations

import pytest
import torch

from llmlab.models import GPT, GPTConfig, KeyValueCache, LayerCache, WindowCache


def rows(*numbers: float) -> torch.Tensor:
    """Keys (1, 1, T, 1) that hold one number a token."""
    return torch.tensor(numbers, dtype=torch.float32).view(1, 1, -1, 1)


def test_append_returns_everything_so_far_in_order():
    cache = LayerCache()
    keys, values = cache.append(rows(1, 2), rows(-1, -2))
    assert keys.flatten().tolist() == [1, 2]
    keys, values = cache.append(rows(3), rows(-3))
    assert keys.flatten().tolist() == [1, 2, 3]
    assert values.flatten().tolist() == [-1, -2, -3]
    assert cache.length == 3


def test_keys_and_values_may_differ_in_width():
    cache = LayerCache(capacity=4)
    keys, values = cache.append(torch.ones(2, 3, 1, 8), torch.ones(2, 3, 1, 5))
    assert keys.shape == (2, 3, 1, 8)
    assert values.shape == (2, 3, 1, 5)
    assert cache.nbytes == 4 * 2 * 3 * 4 * (8 + 5)


def test_appending_within_capacity_never_moves_the_buffer():
    cache = LayerCache(capacity=50)
    places = {cache.append(rows(n), rows(n))[0].data_ptr() for n in range(50)}
    assert len(places) == 1


def test_growing_doubles_so_few_moves_are_needed():
    cache = LayerCache()
    seen = [cache.append(rows(n), rows(n))[0] for n in range(1000)]
    sizes = {keys.untyped_storage().nbytes() // 4 for keys in seen}
    assert sorted(sizes) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert seen[-1].flatten().tolist() == list(range(1000))


def test_model_cache_has_one_entry_a_layer():
    cache = KeyValueCache(LayerCache(capacity=8) for _ in range(2))
    assert (len(cache), cache.length, cache.nbytes) == (2, 0, 0)
    for layer in range(2):
        cache[layer].append(rows(1, 2, 3), rows(1, 2, 3))
    assert cache.length == 3
    assert cache.nbytes == 2 * 2 * 8 * 4  # layers, keys and values, capacity, bytes a number


@pytest.mark.parametrize("kind", [LayerCache, lambda: WindowCache(4)])
def test_a_tensor_that_does_not_fit_is_refused_by_name(kind):
    cache = kind()
    cache.append(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4))
    with pytest.raises(ValueError, match=r"^keys must .*\(1, 2, 4\): got \(2, 2, 4\)"):
        cache.append(torch.ones(2, 2, 1, 4), torch.ones(1, 2, 1, 4))
    assert cache.length == 3


def test_a_model_makes_the_caches_of_its_layers():
    cache = GPT(GPTConfig(11, 8, layers=3, heads=2, width=8)).new_cache(capacity=8)
    assert [type(layer) for layer in (cache[0], cache[1], cache[2])] == [LayerCache] * 3
    assert len(cache) == 3


def test_a_negative_capacity_is_refused():
    message = "capacity must be an integer of at least 0: got capacity=-1."
    with pytest.raises(ValueError, match=message):
        LayerCache(capacity=-1)


def test_a_window_returns_what_new_queries_see_and_keeps_no_more():
    cache = WindowCache(3)
    keys, _ = cache.append(rows(1, 2, 3, 4, 5), rows(1, 2, 3, 4, 5))
    assert keys.flatten().tolist() == [1, 2, 3, 4, 5]  # each of them is a query now
    keys, values = cache.append(rows(6), rows(-6))
    assert keys.flatten().tolist() == [4, 5, 6]
    assert values.flatten().tolist() == [4, 5, -6]
    keys, _ = cache.append(rows(7, 8), rows(7, 8))
    assert keys.flatten().tolist() == [5, 6, 7, 8]
    assert cache.length == 8
    assert cache.nbytes == 2 * 2 * 4  # keys and values of two tokens


def test_a_window_of_one_keeps_nothing():
    cache = WindowCache(1)
    assert cache.append(rows(1), rows(1))[0].flatten().tolist() == [1]
    assert cache.append(rows(2), rows(2))[0].flatten().tolist() == [2]
    assert (cache.length, cache.nbytes) == (2, 0)
