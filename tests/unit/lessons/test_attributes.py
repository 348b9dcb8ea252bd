"""Reading attributes off tokens: right on what can be read, indifferent to padding, to the prompt and to the batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from lessons.attributes import (
    SHRINK,
    AttributeReader,
    AttributeReward,
    low_probability_tokens,
    repeated_share,
    text_features,
)
from lessons.bayesian_preferences import PreferencePosterior

from rlhf_lab.models.loading import train_tokenizer
from rlhf_lab.models.sampling import Rollout

WORDS = "the goose ate a warm plum tart and it rained on my old hat".split()


@pytest.fixture(scope="module")
def world():
    """300 texts of random words."""
    rng = np.random.default_rng(0)
    texts = [" " + " ".join(rng.choice(WORDS, size=rng.integers(3, 20))) for _ in range(300)]
    tokenizer = train_tokenizer(texts, 320)
    return tokenizer, Rollout.from_texts(tokenizer, ["Review:"] * 300, texts)


def test_features_are_shrunk_counts_of_the_completions_tokens(world):
    tokenizer, _ = world
    short = Rollout.from_texts(tokenizer, ["Review: the goose", "the"], [" ate ate", " goose goose goose a warm plum"])
    features = text_features(short, len(tokenizer))
    (ate,) = tokenizer(" ate")["input_ids"]
    (goose,) = tokenizer(" goose")["input_ids"]
    n = 3  # two words and the end token
    assert features[0, ate] == pytest.approx(2 / (n + SHRINK))
    assert features[0, goose] == 0  # it stands in the prompt only
    assert features[0, tokenizer.pad_token_id] == 0
    assert features[0, -2] == pytest.approx(math.log(n)) and features[0, -1] == pytest.approx(n / (n + SHRINK))


def test_features_do_not_depend_on_padding_or_batch(world):
    tokenizer, rollout = world
    alone = torch.cat([text_features(rollout.select(torch.tensor([i])), len(tokenizer)) for i in range(0, 300, 60)])
    assert torch.equal(text_features(rollout, len(tokenizer))[::60], alone)


def test_reader_finds_what_is_there_and_not_what_is_not(world):
    tokenizer, rollout = world
    scorers = {
        "goose": lambda prompt, text: text.split().count("goose") / len(text.split()),
        "words": lambda prompt, text: len(text.split()),
        "noise": lambda prompt, text: float(np.random.default_rng(len(text) * 7 + ord(text[5])).random()),
    }
    reader = AttributeReader(len(tokenizer), scorers).fit(rollout)
    assert reader.r2["goose"] > 0.8 and reader.r2["words"] > 0.8
    assert reader.r2["noise"] < 0.5
    values = reader(rollout)
    assert values.shape == (300, 3)
    assert np.corrcoef(values[:, 1], reader.measure(rollout)[:, 1])[0, 1] > 0.95


def test_repetition_is_the_share_of_runs_that_stood_before(world):
    tokenizer, _ = world
    texts = [" the goose ate a warm plum", " goose goose goose goose goose", " hat"]
    shares = repeated_share(Rollout.from_texts(tokenizer, ["Review:"] * 3, texts, ended=False), n=3)
    assert shares.tolist() == pytest.approx([0.0, 2 / 3, 0.0])


def test_slips_are_real_tokens_that_their_writer_found_next_to_impossible(world):
    tokenizer, _ = world
    rollout = Rollout.from_texts(tokenizer, ["Review:"] * 2, [" the goose ate a plum", " it rained"])
    assert low_probability_tokens(rollout).tolist() == [0, 0]  # given texts: nobody drew them
    log_probs = torch.full_like(rollout.log_probs, -1.0)
    log_probs[0, :2], log_probs[1, -1] = math.log(1e-4), -50.0  # the last one is padding
    assert low_probability_tokens(replace(rollout, log_probs=log_probs)).tolist() == [2, 0]
    assert low_probability_tokens(replace(rollout, log_probs=log_probs), probability=1e-5).tolist() == [0, 0]


def test_reward_follows_the_weights_and_is_standardised(world):
    tokenizer, rollout = world
    scorers = {"words": lambda prompt, text: len(text.split()), "hats": lambda prompt, text: text.count("hat")}
    reader = AttributeReader(len(tokenizer), scorers).fit(rollout)
    shorter = PreferencePosterior(reader.names).update(np.array([[2.0, 0.0]] * 8), np.zeros(8))
    reward = AttributeReward(reader, shorter, rollout)
    levelled = (reward(rollout) + reward.DISLIKE_OF_REPETITION * repeated_share(rollout)) / reward.ENOUGH
    scores = reward.ENOUGH * torch.atanh(levelled)
    assert scores.mean() == pytest.approx(0, abs=1e-3) and scores.std() == pytest.approx(1, abs=1e-3)
    assert float(levelled.abs().max()) < 1
    assert len(rollout.texts[int(scores.argmax())].split()) < len(rollout.texts[int(scores.argmin())].split())


def test_no_preference_and_too_little_text_are_clear_errors(world):
    tokenizer, rollout = world
    scorers = {"words": lambda prompt, text: len(text.split())}
    reader = AttributeReader(len(tokenizer), scorers).fit(rollout)
    with pytest.raises(ValueError, match="name no preference yet"):
        AttributeReward(reader, PreferencePosterior(reader.names), rollout)
    with pytest.raises(ValueError, match="at least 50"):
        AttributeReader(len(tokenizer), scorers).fit(rollout.select(torch.arange(10)))
    with pytest.raises(ValueError, match=r"\['same'\]"):
        AttributeReader(len(tokenizer), {"same": lambda prompt, text: 1.0}).fit(rollout)
