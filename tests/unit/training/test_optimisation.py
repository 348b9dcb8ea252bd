"""Learning rate, weight decay, gradient clipping, the order of batches."""

import itertools

import pytest
import torch
from torch import nn

from rlhf_lab.training.loop import keep_freed_memory
from rlhf_lab.training.optimisation import (
    apply_gradients,
    make_optimizer,
    shuffled_batches,
    warmup_cosine,
)


def test_learning_rate_rises_then_falls_to_its_last_value():
    rates = [warmup_cosine(step, 100, 1.0, warmup=10, final_fraction=0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == pytest.approx(1.0) and rates[-1] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert warmup_cosine(0, 1, 1.0, warmup=1) == 1.0


def test_only_matrices_decay():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    groups = make_optimizer(model.parameters(), weight_decay=0.1).param_groups
    assert [(g["weight_decay"], {p.ndim for p in g["params"]}) for g in groups] == [(0.1, {2}), (0.0, {1})]


def test_frozen_parameters_are_left_out():
    model = nn.Linear(4, 4).requires_grad_(False)
    model.bias.requires_grad_(True)
    optimizer = make_optimizer(model.parameters())
    assert [p for g in optimizer.param_groups for p in g["params"]] == [model.bias]


def test_gradients_are_clipped_and_bad_ones_not_applied():
    weight = nn.Parameter(torch.zeros(1, 2))
    optimizer = make_optimizer([weight])
    weight.grad = torch.tensor([[3.0, 4.0]])
    assert apply_gradients(optimizer, 0.1, max_norm=1.0) == pytest.approx(5.0)
    assert weight.grad is None and (weight != 0).all()
    before = weight.detach().clone()
    weight.grad = torch.tensor([[float("nan"), 1.0]])
    assert apply_gradients(optimizer, 0.1, max_norm=1.0) != 1.0
    assert torch.equal(weight.detach(), before)


def test_every_pass_takes_each_index_once_in_a_new_order():
    batches = list(itertools.islice(shuffled_batches(7, 3, seed=5), 14))
    assert all(len(batch) == 3 for batch in batches)
    stream = [i for batch in batches for i in batch]
    passes = [stream[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(p) == list(range(7)) for p in passes)
    assert len({tuple(p) for p in passes}) > 3


def test_order_can_be_taken_up_anywhere():
    whole = list(itertools.islice(shuffled_batches(7, 3, seed=5), 12))
    for start in range(12):
        assert list(itertools.islice(shuffled_batches(7, 3, seed=5, start=start), 12 - start)) == whole[start:]


def test_batches_larger_than_the_data():
    batch = next(shuffled_batches(2, 5, seed=0))
    assert len(batch) == 5 and set(batch) == {0, 1}


def test_allocator_settings_can_be_asked_for_anywhere():
    keep_freed_memory()
