"""Weights in 32 bits, computing in 16: copies do as well, and the sampler and the learner agree."""

import warnings

import pytest
import torch

from rlhf_lab.models.loading import frozen_copy, load_language_model
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.precision import computes_in, keep_in_float32, ready_to_learn
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import draw, sample


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["model", "llama"])
def test_sampler_and_learner_agree_in_16_bits(name, request, tokenizer, prompts):
    model = request.getfixturevalue(name)
    keep_in_float32(model)
    rollout = sample(model, tokenizer, prompts * 4, max_new_tokens=20, generator=seeded(), keep_hidden=True)
    assert rollout.log_probs.dtype == rollout.hidden.dtype == torch.float32
    log_probs = completion_log_probs(model, rollout)
    assert (log_probs - rollout.log_probs).abs().max() < 0.05
    log_probs.sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters() if p.grad is not None)
    del model.compute_dtype  # of this part; the others know it by themselves
    assert torch.equal(completion_log_probs(model, rollout), log_probs)
    for part in model.modules():
        part.__dict__.pop("compute_dtype", None)
    in_float32 = (completion_log_probs(model, rollout) - log_probs).abs().max()
    assert 1e-4 < in_float32 < 0.1  # so it was another computation


def test_a_real_vocabulary_keeps_its_probabilities(prompts):
    """Logits of the shipped model are 10 to 20: in 16 bits they would be rounded by up to 0.06 nats each."""
    model, tokenizer = load_language_model("tiny", dtype=torch.bfloat16)
    errors = []
    for _ in range(2):
        rollout = sample(model, tokenizer, ["Review of"] * 24, max_new_tokens=24, generator=seeded())
        with torch.no_grad():
            errors.append(float((completion_log_probs(model, rollout) - rollout.log_probs).abs().max()))
        keep_in_float32(model)
    assert errors[1] < 0.04 < errors[0]


def test_copies_and_reward_models_compute_alike(model):
    keep_in_float32(model)
    assert computes_in(frozen_copy(model)) == torch.bfloat16
    reward_model = RewardModel.from_language_model(model, seeded())
    assert computes_in(reward_model.trunk) == torch.bfloat16 and reward_model.head.weight.dtype == torch.float32
    ids = torch.arange(5, 15)[None]
    exact = RewardModel.from_language_model(model, seeded())
    for part in exact.modules():
        part.__dict__.pop("compute_dtype", None)
    scores, expected = (m(ids, ids > 0) for m in (reward_model, exact))
    assert not torch.equal(scores, expected) and torch.allclose(scores, expected, atol=0.05)


def test_a_model_in_16_bits_is_made_ready_and_that_is_said_once(model):
    values = [p.detach().bfloat16().float() for p in model.parameters()]
    model = model.bfloat16()
    weights = list(model.parameters())
    with pytest.warns(UserWarning, match=r"policy came in bfloat16.*twice the memory"):
        ready_to_learn(model, "policy")
    assert all(a is b for a, b in zip(weights, model.parameters(), strict=True))  # an optimiser may have them already
    assert all(torch.equal(a, b) for a, b in zip(values, model.parameters(), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ready_to_learn(model, "policy")


def test_a_token_is_drawn_within_the_vocabulary_whatever_the_probabilities():
    probabilities = torch.tensor([[torch.nan] * 4, [0.0] * 4, [torch.inf] * 4])
    assert (draw(probabilities, torch.tensor([0.1, 0.5, 0.9])) < 4).all()
