"""A checkpoint knows its run: what may change when it goes on, how it ends, and that a refusal costs nothing."""

import functools
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rlhf_lab.models.loading import frozen_copy
from rlhf_lab.training.algorithms import GRPO, RLOO
from rlhf_lab.training.checkpoint import FILE_NAME, describe, differences, load_checkpoint, save_checkpoint
from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model
from rlhf_lab.training.optimisation import apply_gradients, make_optimizer
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

DOCUMENTS = [SimpleNamespace(prompt="The", completion=f" {word}.") for word in ("fox", "goat", "bell", "door")]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def interrupted(record):
    if record["step"] == 2:
        raise KeyboardInterrupt


def test_what_is_seen_of_a_run_may_change_when_it_goes_on(model, tokenizer, tmp_path):
    whole, half = frozen_copy(model).requires_grad_(True), frozen_copy(model).requires_grad_(True)
    config = LanguageModelConfig(steps=4, batch_size=2)
    train_language_model(whole, tokenizer, DOCUMENTS, config, generator=torch.Generator().manual_seed(1))
    options = {"checkpoint": tmp_path, "generator": torch.Generator().manual_seed(1)}
    train_language_model(half, tokenizer, DOCUMENTS, config, callback=interrupted, **options)
    other = replace(config, checkpoint_every=1, evaluate_every=1)
    rest = train_language_model(model, tokenizer, DOCUMENTS, other, evaluate=lambda: {"n": 1}, resume=True, **options)
    assert [record["n"] for record in rest.history] == [1, 1]
    assert torch.equal(weights(model), weights(whole))


def test_epochs_said_in_steps_and_smaller_pieces_are_the_same_run(model, tokenizer, tmp_path):
    config = LanguageModelConfig(epochs=2, batch_size=2)
    train_language_model(model, tokenizer, DOCUMENTS, config, checkpoint=tmp_path, callback=interrupted)
    config = LanguageModelConfig(steps=4, batch_size=2, micro_batch_tokens=7)
    assert train_language_model(model, tokenizer, DOCUMENTS, config, checkpoint=tmp_path, resume=True).last["step"] == 4


def test_a_finished_run_says_that_nothing_is_left_to_do_and_gives_its_weights_back(model, tokenizer, tmp_path):
    config, start = LanguageModelConfig(steps=3, batch_size=2), frozen_copy(model).requires_grad_(True)
    train_language_model(model, tokenizer, DOCUMENTS, config, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="all 3 steps are done, and nothing is left to do") as said:
        result = train_language_model(start, tokenizer, DOCUMENTS, config, checkpoint=tmp_path, resume=True)
    assert said[0].filename == __file__
    assert result.history == [] and not result.interrupted and not result.stopped
    assert torch.equal(weights(start), weights(model))


def test_a_refused_checkpoint_changes_nothing(model, tokenizer, prompts, tmp_path):
    config = PolicyGradientConfig(steps=2, batch_size=4, samples_per_prompt=2, max_new_tokens=3, learning_rate=1e-2)

    def train(policy, algorithm, **options):
        reward = lambda rollout: (rollout.completion_ids % 7 == 0).sum(1).float()  # noqa: E731
        train_policy(policy, frozen_copy(model), reward, tokenizer, prompts, algorithm, config, **options)

    train(frozen_copy(model).requires_grad_(True), RLOO, checkpoint=tmp_path)
    before, bytes_before = weights(model), (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(ValueError, match="leave_one_out then, group_relative now"):
        train(model, GRPO, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(model), before)
    assert (tmp_path / FILE_NAME).read_bytes() == bytes_before


def test_moments_that_fit_nowhere_leave_model_and_optimiser_as_they_were(tmp_path):
    """A step with moments of another shape reads beyond them, and can end the process."""
    small, large = nn.Linear(2, 3), nn.Linear(2, 3)
    optimizer = make_optimizer(small.parameters())
    small(torch.ones(4, 2)).sum().backward()
    apply_gradients(optimizer, 0.1, 1.0)
    optimizer.state[small.weight]["exp_avg"] = torch.zeros(1)
    save_checkpoint(tmp_path, {"layer": small}, optimizer, {"step": 1})
    before, fresh = weights(large), make_optimizer(large.parameters())
    with pytest.raises(ValueError, match="moments of another optimiser"):
        load_checkpoint(tmp_path, {"layer": large}, fresh)
    assert torch.equal(weights(large), before) and not fresh.state


@dataclass(frozen=True)
class Judge:
    name: str
    model: nn.Module

    def reward(self, rollout):
        return rollout


def test_a_reward_is_told_by_its_name_and_by_what_it_is_bound_to():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    same = Judge("kind", first).reward, Judge("kind", first).reward
    assert describe(same[0]) == describe(same[1])
    assert "Judge.reward" in str(describe(same[0]))
    assert differences({"reward": describe(same[0])}, {"reward": describe(Judge("brief", first).reward)}) == [
        "reward.of.name: kind then, brief now"
    ]
    (found,) = differences({"reward": describe(same[0])}, {"reward": describe(Judge("kind", second).reward)})
    assert found.startswith("reward.of.model: Linear with weights ")
    assert describe(first.forward) != describe(second.forward)
    assert describe(nn.functional.relu) == "relu" and describe(functools.partial(print)) == "partial"


def test_a_description_survives_a_trip_through_a_file_and_forgets_where_a_tensor_lies():
    x = torch.arange(6.0).view(2, 3)
    assert describe(x) == describe(x.T.contiguous().T) != describe(x + 1)
    assert describe([x, x]) == describe((x.clone(), x))
    assert describe({"a": None}) == "dict" and describe(None) is None and describe(0.1) == 0.1
