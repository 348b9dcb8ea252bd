"""Preference optimisation: one loop for all objectives, equal to plain torch, and it learns what it should."""

import math
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.sampling import Rollout
from rlhf_lab.training.preference_optimisation import (
    DPO,
    IPO,
    KTO,
    ORPO,
    PreferenceOptimisationConfig,
    SimPO,
    SLiC,
    train_on_preferences,
)

PAIRWISE = [
    DPO(),
    DPO(label_smoothing=0.1),
    DPO(mistakes=0.1),
    IPO(),
    IPO(per_token=True),
    SLiC(100.0),
    ORPO(),
    SimPO(),
]
CONFIG = PreferenceOptimisationConfig(epochs=6, batch_size=4, learning_rate=3e-3)


@dataclass(frozen=True)
class Pair:
    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0


@dataclass(frozen=True)
class Text:
    prompt: str
    completion: str
    label: bool


PAIRS = [
    Pair("Story:", " The goat rang the bell twice.", " The fox sleeps."),
    Pair("Review of", " the bell: a goat.", " the Copper Kettle: the bread was warm and old."),
    Pair("The", " goat", " door"),
    Pair("Visitor:", " Where is the goat?", " Ask at the harbour."),
    Pair("Story:", " A goat!", " The fox sleeps under the bridge, by the red door."),
]
TEXTS = [Text(p.prompt, text, text is p.chosen) for p in PAIRS for text in (p.chosen, p.rejected)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture
def fresh(tokenizer):
    return lambda: new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)


@pytest.fixture
def train(fresh, tokenizer):
    def run(objective, examples=None, config=CONFIG, **others):
        policy = fresh()
        examples = examples or (PAIRS if objective.pairs else TEXTS)
        reference = frozen_copy(fresh()) if objective.reference else None
        return policy, train_on_preferences(
            policy, reference, tokenizer, examples, objective, config, generator=seeded(), **others
        )

    return run


@pytest.mark.parametrize("objective", [*PAIRWISE, KTO()], ids=repr)
def test_every_objective_moves_the_two_sides_apart(objective, train):
    config = PreferenceOptimisationConfig(epochs=8, batch_size=10, learning_rate=3e-3)  # all of them in every step
    _, result = train(objective, config=config)
    assert result.last["loss"] < result.history[0]["loss"]
    if objective.pairs:
        assert result.last["accuracy"] == 1.0
    if objective.reference:
        assert result.last["margin"] > result.history[0]["margin"] + 0.5


def test_the_first_loss_is_log_2_where_policy_and_reference_are_equal(train):
    for objective in (DPO(0.1), DPO(3.0)):
        first = train(objective)[1].history[0]
        assert first["loss"] == pytest.approx(math.log(2)) and abs(first["margin"]) < 1e-4
        assert first["accuracy"] == pytest.approx(0.5, abs=0.5)


def test_dpo_is_the_loop_that_one_would_write(fresh, tokenizer, train):
    policy, reference = fresh(), fresh()
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    losses = []
    for _ in range(3):
        moved = {}
        for side in ("chosen", "rejected"):
            texts = Rollout.from_texts(tokenizer, [p.prompt for p in PAIRS], [getattr(p, side) for p in PAIRS])
            with torch.no_grad():
                known = completion_log_probs(reference, texts).sum(1)
            moved[side] = completion_log_probs(policy, texts).sum(1) - known
        loss = -F.logsigmoid(0.1 * (moved["chosen"] - moved["rejected"])).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    plain = PreferenceOptimisationConfig(
        epochs=3, batch_size=5, learning_rate=3e-3, warmup_fraction=0.0, final_fraction=1.0
    )
    ours, result = train(DPO(0.1), config=plain)
    assert [record["loss"] for record in result.history] == pytest.approx(losses, abs=1e-6)
    moved = (weights(policy) - weights(reference)).abs().max()
    assert (weights(ours) - weights(policy)).abs().max() < 5e-3 * moved


@pytest.mark.parametrize("objective", [DPO(), SimPO(), KTO()], ids=repr)
def test_micro_batches_change_nothing(objective, train):
    whole = train(objective, config=PreferenceOptimisationConfig(epochs=2, batch_size=4, sft_coefficient=0.3))
    pieces = train(
        objective,
        config=PreferenceOptimisationConfig(epochs=2, batch_size=4, sft_coefficient=0.3, micro_batch_tokens=8),
    )
    assert torch.allclose(weights(whole[0]), weights(pieces[0]), atol=2e-6)
    for a, b in zip(whole[1].history, pieces[1].history, strict=True):
        for name in ("loss", "chosen", "rejected", "margin"):
            assert a[name] == pytest.approx(b[name], abs=1e-5, nan_ok=True)


def test_sft_holds_the_chosen_texts_up(train):
    alone = train(DPO(), config=PreferenceOptimisationConfig(epochs=10, batch_size=5, learning_rate=3e-3))[1]
    held = train(
        DPO(), config=PreferenceOptimisationConfig(epochs=10, batch_size=5, learning_rate=3e-3, sft_coefficient=1.0)
    )[1]
    assert held.last["chosen"] > alone.last["chosen"]


def test_a_weight_counts_as_so_many_pairs(train):
    config = PreferenceOptimisationConfig(epochs=1, batch_size=3, learning_rate=3e-3)
    twice = train(DPO(), [PAIRS[0], PAIRS[0], PAIRS[1]], config)[1]
    heavy = train(DPO(), [Pair(**{**vars(PAIRS[0]), "weight": 2.0}), PAIRS[1]], config)[1]
    assert heavy.history[0]["gradient_norm"] == pytest.approx(twice.history[0]["gradient_norm"], rel=1e-4)


def test_the_reference_stays_and_a_run_resumes_to_the_bit(fresh, tokenizer, tmp_path):
    reference = frozen_copy(fresh())
    before = weights(reference)
    policy = fresh()
    train_on_preferences(policy, reference, tokenizer, PAIRS, DPO(), CONFIG, generator=seeded())
    assert torch.equal(weights(reference), before) and not torch.equal(weights(policy), before)

    half = fresh()

    def stop(record):
        if record["step"] == 4:
            raise KeyboardInterrupt

    train_on_preferences(
        half, reference, tokenizer, PAIRS, DPO(), CONFIG, generator=seeded(), checkpoint=tmp_path, callback=stop
    )
    rest = fresh()
    train_on_preferences(
        rest, reference, tokenizer, PAIRS, DPO(), CONFIG, generator=seeded(), checkpoint=tmp_path, resume=True
    )
    assert torch.equal(weights(rest), weights(policy))


@pytest.mark.parametrize(
    ("objective", "examples", "words"),
    [
        (DPO(), [], "There are no examples: DPO learns from pairs"),
        (DPO(), TEXTS, "Example 0 has no chosen: DPO learns from pairs with prompt, chosen, rejected"),
        (KTO(), PAIRS, "Example 0 has no completion: KTO learns from texts with prompt, completion, label"),
        (DPO(), [*PAIRS, Pair("The", " end", " end")], "In 1 of 6 pairs"),
        (KTO(), [t for t in TEXTS if t.label], "All 5 texts are good"),
        (KTO(), [t for t in TEXTS if not t.label], "All 5 texts are bad"),
        (DPO(), [Pair("The", " goat" * 300, " bell")], "but the model reads at most"),
    ],
)
def test_examples_that_teach_nothing_get_a_sentence(objective, examples, words, fresh, tokenizer):
    with pytest.raises(ValueError, match=words):
        train_on_preferences(fresh(), frozen_copy(fresh()), tokenizer, examples, objective)


def test_a_reference_that_is_none(fresh, tokenizer):
    policy = fresh()
    for reference, words in ((None, "none was given"), (policy, "the two are one model here")):
        with pytest.raises(ValueError, match=words):
            train_on_preferences(policy, reference, tokenizer, PAIRS)
