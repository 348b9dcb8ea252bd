"""Sittings: time is kept, each kind teaches what was said, and the measure knows chances."""

import math

import pytest
import torch
from lessons.label_budgets import CONTENDERS, KnownPairs, Pace, ReadOnce, new_words, sitting, write_pool

from rlhf_lab.evaluation import accuracy_ceiling
from rlhf_lab.feedback.pairs import TiedPair
from rlhf_lab.models.loading import new_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.training.reward_head import fit_head
from rlhf_lab.training.reward_objectives import Pairs, PairsWithTies
from rlhf_lab.world import TASTES, SimulatedRater, load_corpus

CHEERFUL = TASTES["cheerful"]


@pytest.fixture(scope="module")
def pool():
    """Short reviews of the corpus, four to a prompt. (That they were written for other prompts does not matter.)"""
    documents = [d for d in load_corpus("train", "review")[:600] if len(d.completion.split()) < 25]
    texts = [document.completion for document in documents[:160]]
    return [(documents[i].prompt, texts[4 * i : 4 * i + 4]) for i in range(40)]


@pytest.mark.parametrize("kind", CONTENDERS)
def test_the_time_is_kept_and_nearly_used(pool, kind):
    pace = Pace()
    found = sitting(kind, pool, CHEERFUL, 400, pace, seed=1)
    assert found.answers >= len(found.examples) > 0
    assert found.seconds <= 400 < found.seconds + 150
    twice = sitting(kind, pool, CHEERFUL, 400, Pace(words_read_a_minute=480, words_written_a_minute=40), seed=1)
    assert twice.answers > found.answers


def test_seconds_are_reading_deciding_and_writing():
    pace = Pace(words_read_a_minute=60, words_written_a_minute=30, compare=5, edit=7)
    assert pace.seconds("compare", "a prompt", ["three words here", "two words"]) == 2 + 3 + 2 + 5
    assert pace.seconds("edit", "a prompt", ["it was dull"], "it was very nice") == 2 + 3 + 7 + 2 * 2
    assert (new_words("a b c", "a c"), new_words("a b", "a b"), new_words("", "x y")) == (0, 0, 2)


def test_every_answer_teaches_what_was_said(pool):
    """A rater who never errs: what is preferred, ranked, scored or liked is what its taste says."""
    calm = {"temperature": 0.0, "seed": 3}
    worth = CHEERFUL.utility
    for pair in sitting("compare", pool, CHEERFUL, 300, **calm).examples:
        assert worth(pair.prompt, pair.chosen) > worth(pair.prompt, pair.rejected)
    for pair in sitting("edit", pool, CHEERFUL, 600, **calm).examples:
        assert worth(pair.prompt, pair.chosen) >= worth(pair.prompt, pair.rejected)
    for ranking in sitting("rank", pool, CHEERFUL, 300, **calm).examples:
        values = [worth(ranking.prompt, text) for text in ranking.completions]
        assert len(values) == 4 and values == sorted(values, reverse=True)
    for labelled in sitting("label", pool, CHEERFUL, 300, **calm).examples:
        assert bool(labelled.tags) == (worth(labelled.prompt, labelled.completion) > 0)
    for scored in sitting("score", pool, CHEERFUL, 300, **calm).examples:
        assert scored.scores["overall"] == min(max(round(4 + worth(scored.prompt, scored.completion)), 1), 7)


def test_all_prompts_have_their_turn_before_any_has_a_second(pool):
    found = sitting("score", pool, CHEERFUL, 700, Pace(score=0.0))
    assert len(found.examples) > 40
    assert len({example.prompt for example in found.examples[:40]}) == 40


def test_without_a_limit_the_whole_pool_is_asked_about(pool):
    for kind, answers in (("compare", 80), ("score", 160), ("rank", 40)):
        assert sitting(kind, pool, CHEERFUL, math.inf).answers == answers


def test_what_cannot_be_asked_is_said(pool):
    with pytest.raises(ValueError, match="more prompts"):
        sitting("rank", pool[:2], CHEERFUL, 1000)
    with pytest.raises(ValueError, match="compare, score"):
        sitting("shout", pool, CHEERFUL, 1000)
    with pytest.raises(ValueError, match="temperature above zero"):
        KnownPairs(pool, SimulatedRater(CHEERFUL, temperature=0.0))


def test_accuracy_against_chances(pool):
    rater = SimulatedRater(CHEERFUL, temperature=0.5)
    known = KnownPairs(pool[:10], rater)
    assert len(known) == 60
    truth = torch.tensor([CHEERFUL.utility(p, t) for p, t in zip(known.prompts, known.texts, strict=True)])
    assert known.accuracy(truth) == pytest.approx(known.ceiling, abs=1e-6)
    assert known.ceiling == pytest.approx(accuracy_ceiling(known.chances), abs=1e-6)
    assert known.accuracy(-truth) == pytest.approx(1 - known.ceiling, abs=1e-6)
    assert known.accuracy(torch.zeros(len(truth))) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", CONTENDERS)
def test_each_kind_fits_a_reward_model(pool, tokenizer, kind):
    language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
    found = sitting(kind, pool, CHEERFUL, 500, seed=2)
    reward_model = RewardModel.from_language_model(language_model, torch.Generator().manual_seed(0), found.outputs)
    fit = fit_head(reward_model, tokenizer, found.examples, objective=found.objective)
    assert fit.gradient < 1e-4
    known = KnownPairs(pool[:10], SimulatedRater(CHEERFUL))
    assert 0 < known.measure(reward_model, tokenizer) < 1


def test_reading_once_changes_nothing(pool, tokenizer):
    language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
    pairs = sitting("compare", pool, CHEERFUL, 500).examples
    plain = RewardModel.from_language_model(language_model)
    reader = ReadOnce.from_language_model(language_model)
    known = KnownPairs(pool[:5], SimulatedRater(CHEERFUL))
    fit_head(plain, tokenizer, pairs)
    for judge in (reader, reader.with_new_head()):
        fit_head(judge, tokenizer, pairs)
        assert torch.allclose(known.scores(judge, tokenizer), known.scores(plain, tokenizer), atol=1e-3)
    assert 0 < len(reader.readings) <= 2 * len(pairs) + 20
    two = reader.with_new_head(["tone", "tact"])
    assert two.score_texts(tokenizer, ["Review of the inn:"], [" Fine."]).shape == (1, 2)


def test_ties_and_strengths_are_kept(pool):
    found = sitting("compare", pool, CHEERFUL, math.inf, tie_threshold=0.8, strengths=(0.5, 1.5))
    ties = [example for example in found.examples if isinstance(example, TiedPair)]
    assert 0 < len(ties) < len(found.examples) and isinstance(found.objective, PairsWithTies)
    assert {example.strength for example in found.examples if example not in ties} == {2, 3}
    assert isinstance(sitting("compare", pool, CHEERFUL, 300).objective, Pairs)


def test_a_pool_has_different_completions(tokenizer):
    language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
    written = write_pool(language_model, tokenizer, ["Review of the inn:", "Review of the pier:"], 3, longest=5)
    assert [prompt for prompt, _ in written] == ["Review of the inn:", "Review of the pier:"]
    assert all(len(set(texts)) == 3 for _, texts in written)
