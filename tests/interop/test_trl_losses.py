"""Our preference optimisation gives TRL's loss, on the same pairs, policy and reference, through its whole pipeline.

See `test_trl.py` for how it is run.
"""

import os

import pytest

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

if not os.environ.get("RLHF_LAB_REQUIRE_INTEROP"):
    pytest.importorskip("trl", reason="TRL is not installed: see tests/interop/requirements.txt")

import random

import torch
from datasets import Dataset
from trainers import settings
from trl import DPOConfig, DPOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from rlhf_lab.feedback.formats import trl
from rlhf_lab.feedback.pairs import PreferencePair
from rlhf_lab.models.loading import frozen_copy, load_language_model
from rlhf_lab.training.preference_optimisation import (
    DPO,
    IPO,
    ORPO,
    PreferenceOptimisationConfig,
    SimPO,
    train_on_preferences,
)
from rlhf_lab.world import generate_completion, generate_prompt


@pytest.fixture(scope="module")
def tokenizer():
    return load_language_model("tiny")[1]


@pytest.fixture(scope="module")
def pairs():
    rng, found = random.Random(7), []
    while len(found) < 4:
        prompt = generate_prompt("review", rng)
        found.append(PreferencePair(prompt, *(generate_completion(prompt, rng) for _ in "ab"), prompt))
    return found


def moved(seed):
    """The tiny model with its weights shaken, so that policy and reference differ and no loss is trivial."""
    model = load_language_model("tiny")[0].requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.02)
    return model


def first_loss(trainer):
    trainer.train()
    return next(record["loss"] for record in trainer.state.log_history if "loss" in record)


def ours(objective, tokenizer, pairs):
    config = PreferenceOptimisationConfig(batch_size=4, learning_rate=1e-6)
    reference = frozen_copy(moved(2)) if objective.reference else None
    return train_on_preferences(moved(1), reference, tokenizer, pairs, objective, config).history[0]["loss"]


@pytest.mark.parametrize(
    ("objective", "more"),
    [
        (DPO(beta=0.3), {"loss_type": ["sigmoid"], "beta": 0.3}),
        (DPO(beta=0.3, mistakes=0.1), {"loss_type": ["robust"], "beta": 0.3, "label_smoothing": 0.1}),
        (IPO(beta=0.3, per_token=True), {"loss_type": ["ipo"], "beta": 0.3}),
    ],
    ids=repr,
)
def test_with_a_reference(objective, more, tokenizer, pairs, tmp_path):
    arguments = settings(DPOConfig, tmp_path, learning_rate=1e-6, **more)
    trainer = DPOTrainer(
        moved(1),
        ref_model=moved(2),
        args=arguments,
        train_dataset=Dataset.from_list(trl.to_preference(pairs)),
        processing_class=tokenizer,
    )
    assert first_loss(trainer) == pytest.approx(ours(objective, tokenizer, pairs), rel=2e-4)


def test_simpo(tokenizer, pairs, tmp_path):
    arguments = settings(
        CPOConfig, tmp_path, learning_rate=1e-6, loss_type="simpo", beta=2.0, simpo_gamma=0.7, cpo_alpha=0.0
    )
    dataset = Dataset.from_list(trl.to_preference(pairs))
    trainer = CPOTrainer(moved(1), args=arguments, train_dataset=dataset, processing_class=tokenizer)
    assert first_loss(trainer) == pytest.approx(ours(SimPO(2.0, 0.7), tokenizer, pairs), rel=2e-4)


def test_the_odds_of_orpo(tokenizer, pairs, tmp_path):
    """Its odds only: TRL's cross-entropy is over the prompt, too, and a mean over tokens; ours is that of the paper."""
    arguments = settings(ORPOConfig, tmp_path, learning_rate=1e-6, beta=0.4)
    dataset = Dataset.from_list(trl.to_preference(pairs))
    trainer = ORPOTrainer(moved(1), args=arguments, train_dataset=dataset, processing_class=tokenizer)
    trainer.train()
    record = next(record for record in trainer.state.log_history if "log_odds_ratio" in record)
    of_odds = ours(ORPO(1.0), tokenizer, pairs) - ours(ORPO(0.0), tokenizer, pairs)
    assert -record["log_odds_ratio"] == pytest.approx(of_odds, rel=2e-4)
