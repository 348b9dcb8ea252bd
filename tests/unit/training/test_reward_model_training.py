"""Reward-model training: preferences are learned, the accuracy is honest, a run resumes to the bit."""

import random
from dataclasses import dataclass

import pytest
import torch

from rlhf_lab.losses import bradley_terry_loss
from rlhf_lab.models import RewardModel, new_language_model, tiny_config
from rlhf_lab.training.reward_model import (
    RewardModelConfig,
    _tokenise,
    accuracy,
    backward_bradley_terry,
    evaluate_pairs,
    train_reward_model,
)


@dataclass(frozen=True)
class Pair:
    prompt: str
    chosen: str
    rejected: str


def make_pairs(count, seed=0):
    """The text with more goats is preferred, wherever they stand and however long it is."""
    rng, pairs = random.Random(seed), []
    while len(pairs) < count:
        texts = ["".join(f" {rng.choice(('goat', 'bell', 'door'))}" for _ in range(rng.randint(1, 6))) for _ in "ab"]
        goats = [text.count("goat") for text in texts]
        if goats[0] != goats[1]:
            texts.sort(key=lambda text: -text.count("goat"))
            pairs.append(Pair("Story:", *texts))
    return pairs


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    def make():
        language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
        return RewardModel.from_language_model(language_model, seeded(4))

    return make


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_preferences_are_learned_and_hold_on_new_pairs(fresh, tokenizer):
    model, records = fresh(), []
    config = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16, piece_tokens=90)
    held_out = make_pairs(100, seed=9)
    assert evaluate_pairs(model, tokenizer, held_out)["held_out_accuracy"] < 0.85
    result = train_reward_model(
        model,
        tokenizer,
        make_pairs(400),
        config,
        callback=records.append,
        evaluate=lambda: evaluate_pairs(model, tokenizer, held_out),
        generator=seeded(),
    )
    assert result.last["held_out_accuracy"] > 0.9
    assert len(records) == 50 and result.last["pairs"] == 800
    assert {"loss", "accuracy", "difference", "gradient_norm", "learning_rate", "seconds"} <= set(records[0])
    assert sum(m["accuracy"] for m in records[-10:]) / 10 > 0.9


def test_loss_of_the_loop_is_the_loss_of_the_formula(fresh, tokenizer):
    model, pairs = fresh(), make_pairs(11)
    scores = [model.score_texts(tokenizer, ["Story:"] * 11, [getattr(p, side) for p in pairs]) for side in ("chosen", "rejected")]  # fmt: skip  # noqa: E501
    expected = bradley_terry_loss(*scores, margin=0.2).item()
    for piece_tokens in (1000, 60):
        rows = _tokenise(model, tokenizer, pairs)
        loss, difference = backward_bradley_terry(model, rows, tokenizer.pad_token_id, piece_tokens, margin=0.2)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert torch.allclose(difference, scores[0] - scores[1], atol=1e-5)


def test_swapped_pairs_converge_just_as_well_to_the_negative(fresh, tokenizer):
    model = fresh()
    swapped = [Pair(p.prompt, p.rejected, p.chosen) for p in make_pairs(300)]
    config = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16)
    result = train_reward_model(model, tokenizer, swapped, config, generator=seeded())
    assert sum(m["accuracy"] for m in result.history[-8:]) / 8 > 0.85  # training looks fine
    assert evaluate_pairs(model, tokenizer, make_pairs(100, seed=9))["held_out_accuracy"] < 0.15


def test_accuracy_counts_ties_as_half():
    assert accuracy(torch.tensor([1.0, -1.0, 0.0, 2.0])) == pytest.approx(0.625)


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(fresh, tokenizer, tmp_path):
    config, pairs = RewardModelConfig(epochs=1, batch_size=8, checkpoint_every=1), make_pairs(50)
    whole = fresh()
    train_reward_model(whole, tokenizer, pairs, config, generator=seeded(1))

    def interrupt(metrics):
        if metrics["step"] == 3:
            raise KeyboardInterrupt

    half = train_reward_model(
        fresh(), tokenizer, pairs, config, generator=seeded(1), checkpoint=tmp_path, callback=interrupt
    )
    assert half.interrupted
    second = fresh()
    train_reward_model(second, tokenizer, pairs, config, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(second), weights(whole))


def test_a_handful_of_pairs_is_enough_to_run(fresh, tokenizer):
    result = train_reward_model(fresh(), tokenizer, make_pairs(3))
    assert len(result.history) == 1 and result.last["pairs"] == 3


def test_errors_say_what_to_do(fresh, tokenizer):
    with pytest.raises(ValueError, match="no preference pairs"):
        train_reward_model(fresh(), tokenizer, [])
    with pytest.raises(ValueError, match=r"Pair 1 has a text of \d+ tokens"):
        train_reward_model(fresh(), tokenizer, [*make_pairs(1), Pair("Story:", " long" * 300, " short")])
    model = fresh()
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    result = train_reward_model(model, tokenizer, make_pairs(20))
    assert "not a finite number" in result.stopped and result.history == []
