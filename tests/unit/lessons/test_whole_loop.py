"""The first notebook's steps on the shipped model, in small: they fit together, repeat, and refuse what they must."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lessons.whole_loop import (
    ATTRIBUTES,
    TRAINING,
    WholeLoop,
    fit_reader,
    fit_reward,
    improve,
    write_questions,
)

from rlhf_lab.feedback import FeedbackStore, RatingSession, rate_with
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.world import TASTES, SimulatedRater

SETTINGS = WholeLoop(questions=8, fit_texts=400, pool_prompts=24, pool_samples=3)


@pytest.fixture(scope="module")
def stage():
    model, tokenizer = load_language_model("tiny")
    reader = fit_reader(tokenizer, SETTINGS)
    return model, tokenizer, reader, write_questions(model, tokenizer, reader, SETTINGS)


def play(folder, questions, rater, name="somebody"):
    session = RatingSession(FeedbackStore(folder / "f.sqlite"), "t", questions.queue, rater_id=name, source="simulated")
    rate_with(session, rater)
    return session.records


def test_every_aspect_can_be_read(stage):
    _, _, reader, _ = stage
    assert reader.names == ATTRIBUTES
    assert min(reader.r2.values()) > 0.4, reader.r2


def test_questions_pair_different_texts_of_one_prompt_and_do_not_repeat_prompts(stage, tmp_path):
    _, _, _, questions = stage
    for item in questions.items:
        assert item.candidates[0].text != item.candidates[1].text
    records = play(tmp_path, questions, SimulatedRater(TASTES["brief"], seed=0))
    assert len(records) == 8
    assert len({record.prompt for record in records}) == 8


def test_the_same_seed_writes_the_same_questions(stage):
    model, tokenizer, reader, questions = stage
    again = write_questions(model, tokenizer, reader, SETTINGS)
    assert [item.item_id for item in again.items] == [item.item_id for item in questions.items]
    other = write_questions(model, tokenizer, reader, replace(SETTINGS, seed=1))
    assert [item.item_id for item in other.items] != [item.item_id for item in questions.items]


@pytest.mark.parametrize(("taste", "attribute", "sign"), [("brief", "length", -1), ("cheerful", "tone", 1)])
def test_reward_points_where_the_taste_points(stage, tmp_path, taste, attribute, sign):
    _, _, reader, questions = stage
    records = play(tmp_path, questions, SimulatedRater(TASTES[taste], temperature=0.0))
    posterior, reward = fit_reward(records, reader, questions, SETTINGS)
    weights, _ = posterior.weights()
    assert ATTRIBUTES[int(np.abs(weights).argmax())] == attribute
    assert np.sign(weights[ATTRIBUTES.index(attribute)]) == sign
    assert float(reward(questions.rollout).std()) > 0.9  # standardised, less what repetition costs


class NeverDecides:
    name = "undecided"

    def compare(self, prompt, left, right):
        return "tie"


def test_all_ties_are_a_clear_error(stage, tmp_path):
    _, _, reader, questions = stage
    records = play(tmp_path, questions, NeverDecides())
    with pytest.raises(ValueError, match="name no preference yet"):
        fit_reward(records, reader, questions, SETTINGS)


@pytest.mark.slow
def test_training_changes_a_copy_and_reports_each_step(stage, tmp_path):
    model, tokenizer, reader, questions = stage
    before = [p.clone() for p in model.parameters()]
    _, reward = fit_reward(play(tmp_path, questions, SimulatedRater(TASTES["brief"])), reader, questions, SETTINGS)
    seen = []
    training = replace(TRAINING, steps=2, batch_size=16)
    policy, result = improve(model, tokenizer, reward, SETTINGS, training, callback=seen.append)
    assert [m["step"] for m in seen] == [1, 2] and len(result.history) == 2
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), policy.parameters(), strict=True))
    assert result.history[0]["kl"] == pytest.approx(0.0, abs=1e-3)  # it starts as the reference
