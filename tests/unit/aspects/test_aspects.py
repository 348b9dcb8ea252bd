"""Reading aspects off hidden states: right on what can be read, indifferent to padding and to the batch."""

import numpy as np
import pytest
import torch

from rlhf_lab.aspects import AspectReader, AspectReward, text_features
from rlhf_lab.few_ratings import PreferencePosterior
from rlhf_lab.models import new_language_model, tiny_config, train_tokenizer
from rlhf_lab.sampling import Rollout

WORDS = "the goose ate a warm plum tart and it rained on my old hat".split()


@pytest.fixture(scope="module")
def world():
    """A small random model and 300 texts of random words."""
    rng = np.random.default_rng(0)
    texts = [" " + " ".join(rng.choice(WORDS, size=rng.integers(3, 20))) for _ in range(300)]
    tokenizer = train_tokenizer(texts, 320)
    model = new_language_model(tiny_config(tokenizer, layers=2, width=48, heads=4), seed=0)
    return model, tokenizer, Rollout.from_texts(tokenizer, ["Review:"] * 300, texts)


def test_features_do_not_depend_on_padding_or_batch(world):
    model, tokenizer, rollout = world
    together = text_features(model, rollout, batch_size=64)
    alone = torch.cat([text_features(model, rollout.select(torch.tensor([i]))) for i in range(0, 300, 60)])
    assert torch.allclose(together[::60], alone, atol=1e-5)


def test_features_know_nothing_of_the_prompts_own_states(world):
    """Averages run over the completion: of one token, they are that token's states."""
    model, tokenizer, _ = world
    rollout = Rollout.from_texts(tokenizer, ["Review: the goose"], [" ate"], ended=False)
    states = model(rollout.sequences()[0], output_hidden_states=True).hidden_states
    n = int(rollout.lengths[0])
    expected = torch.cat([layer[0, -n:].mean(0) for layer in states])
    assert torch.allclose(text_features(model, rollout)[0, :-2], expected, atol=1e-5)


def test_reader_finds_what_is_there(world):
    model, _, rollout = world
    scorers = {
        "goose": lambda prompt, text: text.split().count("goose") / len(text.split()),
        "words": lambda prompt, text: len(text.split()),
        "noise": lambda prompt, text: float(np.random.default_rng(len(text) * 7 + ord(text[5])).random()),
    }
    reader = AspectReader(model, scorers).fit(rollout)
    assert reader.r2["goose"] > 0.9 and reader.r2["words"] > 0.9
    assert reader.r2["noise"] < 0.5
    values = reader(rollout)
    assert values.shape == (300, 3)
    truth = reader.measure(rollout)[:, 1]
    assert np.corrcoef(values[:, 1], truth)[0, 1] > 0.95


def test_reward_follows_the_weights_and_is_standardised(world):
    model, _, rollout = world
    scorers = {"words": lambda prompt, text: len(text.split()), "hats": lambda prompt, text: text.count("hat")}
    reader = AspectReader(model, scorers).fit(rollout)
    shorter = PreferencePosterior(reader.names).update(np.array([[2.0, 0.0]] * 8), np.zeros(8))
    reward = AspectReward(reader, shorter, rollout)
    scores = reward(rollout)
    assert scores.mean() == pytest.approx(0, abs=1e-5) and scores.std() == pytest.approx(1, abs=1e-4)
    assert len(rollout.texts[int(scores.argmax())].split()) < len(rollout.texts[int(scores.argmin())].split())


def test_no_preference_and_too_little_text_are_clear_errors(world):
    model, _, rollout = world
    scorers = {"words": lambda prompt, text: len(text.split())}
    reader = AspectReader(model, scorers).fit(rollout)
    with pytest.raises(ValueError, match="name no preference yet"):
        AspectReward(reader, PreferencePosterior(reader.names), rollout)
    with pytest.raises(ValueError, match="at least 50"):
        AspectReader(model, scorers).fit(rollout.select(torch.arange(10)))
    with pytest.raises(ValueError, match=r"\['same'\]"):
        AspectReader(model, {"same": lambda prompt, text: 1.0}).fit(rollout)
