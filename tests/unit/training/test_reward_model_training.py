"""Reward-model training: preferences are learned, the accuracy is honest, a run resumes to the bit."""

import random
import re
import warnings
from dataclasses import dataclass

import pytest
import torch

from rlhf_lab.feedback.formats.hh import read_hh, write_hh
from rlhf_lab.feedback.pairs import PreferencePair, TiedPair
from rlhf_lab.models.loading import new_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.objectives.preference import bradley_terry_loss
from rlhf_lab.training.reward_examples import Ranking, examples_that_fit, tokenise
from rlhf_lab.training.reward_head import fit_head
from rlhf_lab.training.reward_model import (
    RewardModelConfig,
    backward_loss,
    evaluate_reward_model,
    example_weights,
    train_reward_model,
)
from rlhf_lab.training.reward_objectives import Pairs, PairsWithTies, Rankings


@dataclass(frozen=True)
class Pair:
    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0


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
    def make(outputs=1):
        language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
        return RewardModel.from_language_model(language_model, seeded(4), outputs)

    return make


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


FAST = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16)


def test_preferences_are_learned_and_hold_on_new_pairs(fresh, tokenizer):
    model, records = fresh(), []
    config = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16, micro_batch_tokens=90)
    held_out = make_pairs(100, seed=9)
    assert evaluate_reward_model(model, tokenizer, held_out)["held_out_accuracy"] < 0.85
    result = train_reward_model(
        model,
        tokenizer,
        make_pairs(400),
        config,
        callback=records.append,
        evaluate=lambda: evaluate_reward_model(model, tokenizer, held_out),
        generator=seeded(),
    )
    assert result.last["held_out_accuracy"] > 0.9
    assert len(records) == 50 and result.last["examples"] == 800
    assert {"loss", "accuracy", "difference", "gradient_norm", "learning_rate", "seconds"} <= set(records[0])
    assert sum(m["accuracy"] for m in records[-10:]) / 10 > 0.9


def test_loss_of_the_loop_is_the_loss_of_the_formula(fresh, tokenizer):
    model, pairs = fresh(), make_pairs(11)
    chosen = model.score_texts(tokenizer, ["Story:"] * 11, [pair.chosen for pair in pairs])
    rejected = model.score_texts(tokenizer, ["Story:"] * 11, [pair.rejected for pair in pairs])
    expected = bradley_terry_loss(chosen, rejected, margin=0.2).item()
    gradients = []
    for micro_batch_tokens in (1000, 60):
        rows = tokenise(model, tokenizer, pairs)
        loss, scores = backward_loss(
            model, rows, pairs, Pairs(margin=0.2), example_weights(pairs, 1), micro_batch_tokens
        )
        assert loss == pytest.approx(expected, rel=1e-5)
        assert torch.allclose(scores[:, 0, 0] - scores[:, 1, 0], chosen - rejected, atol=1e-5)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
        model.zero_grad()
    assert torch.allclose(*gradients, atol=1e-6)


def test_an_example_of_weight_two_counts_like_two(fresh, tokenizer):
    model, (one, two, three) = fresh(), make_pairs(3)
    heavy = Pair(one.prompt, one.chosen, one.rejected, weight=2.0)
    with_weight = evaluate_reward_model(model, tokenizer, [heavy, two, three])
    twice = evaluate_reward_model(model, tokenizer, [one, one, two, three])
    assert with_weight["held_out_loss"] == pytest.approx(twice["held_out_loss"], rel=1e-6)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), 0.0])
def test_weights_that_make_no_sense_are_refused(fresh, tokenizer, bad):
    with pytest.raises(ValueError, match="weights of examples"):
        train_reward_model(fresh(), tokenizer, [Pair("Story:", " a", " b", weight=bad)])


def test_swapped_pairs_converge_just_as_well_to_the_negative(fresh, tokenizer):
    model = fresh()
    swapped = [Pair(p.prompt, p.rejected, p.chosen) for p in make_pairs(300)]
    result = train_reward_model(model, tokenizer, swapped, FAST, generator=seeded())
    assert sum(m["accuracy"] for m in result.history[-8:]) / 8 > 0.85  # training looks fine
    assert evaluate_reward_model(model, tokenizer, make_pairs(100, seed=9))["held_out_accuracy"] < 0.15


def test_the_members_of_an_ensemble_learn_from_resamples_of_their_own(fresh, tokenizer):
    model = fresh(outputs=4)
    config = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16, bootstrap=True)
    train_reward_model(model, tokenizer, make_pairs(200), config, generator=seeded())
    held_out = make_pairs(100, seed=9)
    scores = model.score_texts(tokenizer, ["Story:"] * 100, [p.chosen for p in held_out])
    others = model.score_texts(tokenizer, ["Story:"] * 100, [p.rejected for p in held_out])
    assert ((scores - others > 0).float().mean(0) > 0.75).all()
    assert (scores - others).std(1).min() > 1e-3
    drawn = example_weights(held_out, 4, bootstrap_seed=1)
    assert drawn.sum(0).tolist() == [100.0] * 4 and not torch.equal(drawn[:, 0], drawn[:, 1])
    assert 0.3 < (drawn == 0).double().mean() < 0.45  # 1/e of the examples are not in a resample
    assert torch.equal(drawn, example_weights(held_out, 4, bootstrap_seed=1))


@pytest.mark.parametrize("bootstrap", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(fresh, tokenizer, tmp_path, bootstrap):
    config = RewardModelConfig(epochs=1, batch_size=8, checkpoint_every=1, bootstrap=bootstrap)
    whole, pairs = fresh(2), make_pairs(50)
    train_reward_model(whole, tokenizer, pairs, config, generator=seeded(1))

    def interrupt(metrics):
        if metrics["step"] == 3:
            raise KeyboardInterrupt

    half = train_reward_model(
        fresh(2), tokenizer, pairs, config, generator=seeded(1), checkpoint=tmp_path, callback=interrupt
    )
    assert half.interrupted
    second = fresh(2)
    train_reward_model(second, tokenizer, pairs, config, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(second), weights(whole))


def test_a_handful_of_pairs_is_enough_to_run(fresh, tokenizer):
    result = train_reward_model(fresh(), tokenizer, make_pairs(3))
    assert len(result.history) == 1 and result.last["examples"] == 3


def test_errors_say_what_to_do(fresh, tokenizer):
    with pytest.raises(ValueError, match="There are no ratings"):
        train_reward_model(fresh(), tokenizer, [])
    with pytest.raises(ValueError, match="Prompt 1 of 2 is empty"):
        train_reward_model(fresh(), tokenizer, [*make_pairs(1), Pair("", " a", " b")])


def test_a_run_that_breaks_ends_with_the_best_weights_and_without_their_average(fresh, tokenizer):
    model = fresh()
    seen = [weights(model)]

    def break_it(*_):
        if len(seen) == 4:
            model.head.bias.data.fill_(float("nan"))

    model.trunk.register_forward_pre_hook(break_it)
    result = train_reward_model(
        model,
        tokenizer,
        make_pairs(64),
        RewardModelConfig(batch_size=8, average_last=1.0),
        callback=lambda _: seen.append(weights(model)),
        generator=seeded(),
    )
    assert "step 4" in result.stopped and len(result.history) == 3
    step = re.search(r"after step (\d), where the loss was lowest", result.stopped)
    assert torch.equal(weights(model), seen[int(step[1])])


def test_pairs_of_equal_texts_are_counted_and_said(fresh, tokenizer):
    alike = Pair("Story:", " goat", " goat")
    with pytest.warns(UserWarning, match=r"2 of 7 examples prefer a text to itself.*example 0"):
        train_reward_model(fresh(), tokenizer, [alike, *make_pairs(5), alike])
    with pytest.warns(UserWarning, match=r"1 of 1 examples"):
        evaluate_reward_model(fresh(), tokenizer, [alike])  # which of the two gets more is decided by roundings
    ranking = Ranking("Story:", ((" goat", " door"), (" bell", " door")))
    with pytest.warns(UserWarning, match=r"1 of 2 examples prefer a text to itself.*example 1"):
        fit_head(
            fresh(), tokenizer, [Ranking("Story:", ((" goat", " goat"), (" bell",))), ranking], objective=Rankings()
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # two equal texts may well be a tie
        objective = PairsWithTies.for_examples([TiedPair("Story:", " goat", " goat", "Story:"), *make_pairs(2)])
        train_reward_model(
            fresh(), tokenizer, [TiedPair("Story:", " goat", " goat", "Story:"), *make_pairs(2)], objective=objective
        )


def test_texts_longer_than_the_context_are_refused_or_left_out(fresh, tokenizer):
    model, pairs = fresh(), [*make_pairs(1), Pair("Story:", " long" * 300, " short")]
    with pytest.raises(ValueError, match=r"Example 1 has a text of \d+ tokens.*examples_that_fit"):
        train_reward_model(model, tokenizer, pairs)
    assert examples_that_fit(model, tokenizer, pairs) == pairs[:1]
    assert examples_that_fit(model, tokenizer, []) == []


def test_from_transcripts_of_hh_to_a_reward_model_on_disk(fresh, tokenizer, tmp_path):
    """A small file of our own in the form of hh-rlhf: read, trained on, judged on new transcripts, saved, read."""
    prompt = "\n\nHuman: Where is the goat?\n\nAssistant:"
    pairs = [PreferencePair(prompt, p.chosen, p.rejected, prompt) for p in make_pairs(400)]
    too_long = PreferencePair(prompt, " goat" * 200, " door", prompt)
    write_hh(tmp_path / "train.jsonl.gz", [*pairs, too_long])
    write_hh(tmp_path / "test.jsonl", [PreferencePair(prompt, p.chosen, p.rejected, prompt) for p in make_pairs(80, 9)])

    model = fresh()
    train = examples_that_fit(model, tokenizer, read_hh(tmp_path / "train.jsonl.gz"))
    assert len(train) == 400 and train[0].prompt == prompt
    train_reward_model(model, tokenizer, train, FAST, generator=seeded())
    test = read_hh(tmp_path / "test.jsonl")
    found = evaluate_reward_model(model, tokenizer, test)
    assert found["held_out_accuracy"] > 0.85
    loaded = RewardModel.load(model.save(tmp_path / "judge", tokenizer))
    assert evaluate_reward_model(loaded, tokenizer, test)["held_out_loss"] == pytest.approx(
        found["held_out_loss"], abs=1e-4
    )


def test_the_last_weights_are_averaged_also_across_a_checkpoint(fresh, tokenizer, tmp_path):
    pairs, config = make_pairs(32), RewardModelConfig(epochs=2, batch_size=8, average_last=0.5)
    model, seen = fresh(), []
    train_reward_model(
        model, tokenizer, pairs, config, callback=lambda _: seen.append(weights(model)), generator=seeded()
    )
    assert len(seen) == 8
    torch.testing.assert_close(weights(model), torch.stack(seen[4:]).mean(0), rtol=1e-5, atol=1e-6)

    def stop(record):
        if record["step"] == 6:
            raise KeyboardInterrupt

    again = fresh()
    options = {"generator": seeded(), "checkpoint": tmp_path / "run"}
    assert train_reward_model(again, tokenizer, pairs, config, callback=stop, **options).interrupted
    train_reward_model(again, tokenizer, pairs, config, resume=True, **options)
    assert torch.equal(weights(again), weights(model))
