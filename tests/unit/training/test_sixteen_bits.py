"""A model in bfloat16 learns what it would learn in float32."""

import warnings
from dataclasses import dataclass, replace

import pytest
import torch

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.training.algorithms import GSPO, PPO
from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model

CONFIG = PolicyGradientConfig(
    steps=20, batch_size=48, max_new_tokens=10, learning_rate=1e-2, kl_coefficient=0.0, missing_eos_penalty=0.0
)
LITTLE = 1e-5  # a learning rate for models of a hundred million parameters

pytestmark = pytest.mark.filterwarnings("ignore:The .* came in bfloat16")


@dataclass(frozen=True)
class Text:
    prompt: str
    completion: str


@dataclass(frozen=True)
class Pair:
    prompt: str
    chosen: str
    rejected: str


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    return lambda dtype: new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3).to(dtype)


def weights(model):
    return torch.cat([p.detach().float().flatten() for p in model.parameters()])


def good_tokens(rollout):
    """Reward: the share of a completion's tokens with ids 100 to 199."""
    good = (rollout.completion_ids >= 100) & (rollout.completion_ids < 200) & rollout.completion_mask
    return good.sum(1) / rollout.lengths


def train(policy, tokenizer, prompts, config=CONFIG, algorithm=PPO, **others):
    reference = others.pop("reference", None) or frozen_copy(policy)
    return train_policy(
        policy, reference, good_tokens, tokenizer, prompts, algorithm, config, generator=seeded(), **others
    )


@pytest.mark.slow
def test_ppo_raises_the_reward_as_far_as_in_float32(fresh, tokenizer, prompts):
    runs = [train(fresh(dtype), tokenizer, prompts) for dtype in (torch.float32, torch.bfloat16)]
    gains = [run.last["reward"] - run.history[0]["reward"] for run in runs]
    assert gains[0] > 0.5 and gains[1] == pytest.approx(gains[0], abs=0.1)
    assert max(record["first_ratio_error"] for record in runs[1].history) < 0.02


def test_small_steps_are_not_rounded_away(fresh, tokenizer, prompts):
    """Of weights in bfloat16 only the smallest move by 1e-5. Here all in the block do, for each has a gradient."""
    document, pair = Text("Story:", " The goat sleeps."), Pair("Story:", " goat", " door")
    policy, model = fresh(torch.bfloat16), fresh(torch.bfloat16)
    reward_model = RewardModel.from_language_model(fresh(torch.bfloat16), seeded())
    before = weights(model.transformer.h)
    train(policy, tokenizer, prompts, replace(CONFIG, steps=1, learning_rate=LITTLE))
    config = LanguageModelConfig(steps=1, learning_rate=LITTLE, weight_decay=0.0)
    train_language_model(model, tokenizer, [document], config)
    config = RewardModelConfig(learning_rate=LITTLE, weight_decay=0.0)
    train_reward_model(reward_model, tokenizer, [pair], config)
    for trunk in (policy.transformer, model.transformer, reward_model.trunk):
        assert {p.dtype for p in trunk.parameters()} == {torch.float32}
        assert (weights(trunk.h) != before).float().mean() > 0.95


def test_the_first_update_clips_next_to_nothing(model, tokenizer, prompts):
    """GSPO's clip is 3e-4: where the log-probabilities of sampling and learning differ by roundings, it cuts half."""
    config = replace(CONFIG, steps=1, max_new_tokens=20, samples_per_prompt=6, learning_rate=LITTLE)
    result = train(model.bfloat16(), tokenizer, prompts, config, replace(GSPO, epochs=1))
    assert result.last["clip_fraction"] < 0.05
    assert result.last["first_ratio_error"] > 4e-4  # which says by how much sampling and learning differ


def test_policy_and_reference_start_as_one(model, tokenizer, prompts):
    policy = model.bfloat16()
    reference = frozen_copy(policy)
    result = train(policy, tokenizer, prompts, replace(CONFIG, steps=1), reference=reference)
    assert abs(result.last["kl"]) < 2e-3 and result.last["kl_k3"] < 1e-5
    assert {p.dtype for p in reference.parameters()} == {torch.float32}


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(fresh, tokenizer, prompts, tmp_path):
    config = replace(CONFIG, steps=3, learning_rate=LITTLE)
    whole, first, second = (fresh(torch.bfloat16) for _ in range(3))
    train(whole, tokenizer, prompts, config)

    def interrupt(record):
        if record["step"] == 1:
            raise KeyboardInterrupt

    assert train(first, tokenizer, prompts, config, checkpoint=tmp_path, callback=interrupt).interrupted
    train(second, tokenizer, prompts, config, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(second), weights(whole))
    assert not torch.equal(weights(second), weights(second).bfloat16().float())  # what a file in 16 bits would lose


def test_a_policy_that_does_not_agree_with_itself_is_said_once(fresh, tokenizer, prompts):
    """Noise in every pass, as of dropout: nothing of the ratios is to be trusted."""
    policy = fresh(torch.float32)
    noise = seeded(1)

    def disturb(module, inputs, output):
        output.last_hidden_state = output.last_hidden_state + 0.3 * torch.randn(
            output.last_hidden_state.shape, generator=noise
        )

    policy.transformer.register_forward_hook(disturb)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = train(
            policy, tokenizer, prompts, replace(CONFIG, steps=3), reference=frozen_copy(fresh(torch.float32))
        )
    said = [str(warning.message) for warning in caught]
    assert len(said) == 1 and "off by" in said[0] and "16 bits" in said[0]
    assert all(record["first_ratio_error"] > 0.1 for record in result.history)
