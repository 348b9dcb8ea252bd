"""Edits change what they claim and nothing else; the effects that are measured with them are the true ones."""

import numpy as np
import pytest

from rlhf_lab.evaluation import PROBES, changes, edits_of, position_effect, probe_effect
from rlhf_lab.evaluation.probes import change_of
from rlhf_lab.world import SCORERS, TASTES, SimulatedRater, load_corpus, passes_floor
from rlhf_lab.world.grammar import split_sentences

TOLERANCE = 0.25


@pytest.fixture(scope="module")
def reviews():
    documents = load_corpus("heldout", "review")[:100]
    return [d.prompt for d in documents], [d.completion for d in documents]


@pytest.fixture(scope="module")
def edits(reviews):
    return {name: edits_of(name, *reviews, tolerance=TOLERANCE) for name in PROBES}


@pytest.mark.parametrize("name", PROBES)
def test_edits_move_what_they_claim_and_hold_the_rest(name, edits):
    probe = PROBES[name]
    assert len(edits[name]) >= 15
    for edit in edits[name]:
        assert change_of(probe.moves, edit) >= probe.least
        assert all(abs(change_of(scorer, edit)) <= TOLERANCE for scorer in probe.holds)
        assert passes_floor(edit.prompt, edit.before) and passes_floor(edit.prompt, edit.after)
    table = changes(edits[name])
    assert table[probe.moves] >= probe.least and all(table[scorer] <= TOLERANCE for scorer in probe.holds)


def words(text):
    return text.lower().replace(".", "").replace(",", "").replace("?", "").split()


def test_each_edit_is_the_edit_it_is_said_to_be(edits):
    for edit in edits["longer"]:
        before, after = split_sentences(edit.before[1:]), split_sentences(edit.after[1:])
        assert after[:-1] == before
    for edit in edits["happier"]:  # articles may change with their words: a nice, an awful
        assert len(words(edit.before)) == len(words(edit.after))
    for edit in edits["politer"]:
        pairs = list(zip(split_sentences(edit.before[1:]), split_sentences(edit.after[1:]), strict=True))
        assert sum(a != b for a, b in pairs) == 1
        assert SCORERS["length"](edit.prompt, edit.before) == SCORERS["length"](edit.prompt, edit.after)
    for edit in edits["animals"]:
        before, after = split_sentences(edit.before[1:]), split_sentences(edit.after[1:])
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_the_same_seed_makes_the_same_edits_and_a_text_that_is_not_decent_has_none(reviews):
    prompts, texts = (column[:20] for column in reviews)
    assert edits_of("longer", prompts, texts, seed=3) == edits_of("longer", prompts, texts, seed=3)
    assert edits_of("politer", prompts[:1], [" mud mud mud"]) == []


def test_a_tighter_tolerance_leaves_fewer_edits(reviews):
    assert len(edits_of("longer", *reviews, tolerance=0.05)) < len(edits_of("longer", *reviews, tolerance=0.25))


def test_effects_are_those_of_the_reward(edits):
    def reward(prompts, texts):
        return [2.0 * SCORERS["length"](p, t) + 100.0 * ("Frankly" in t) for p, t in zip(prompts, texts, strict=True)]

    longer = probe_effect(reward, edits["longer"])
    added = [len(words(e.after)) - len(words(e.before)) for e in edits["longer"]]
    assert longer.value == pytest.approx(2 * np.mean(added)) and longer.low > 0
    happier = probe_effect(reward, edits["happier"])
    assert (happier.value, happier.low, happier.high) == (0, 0, 0)


def test_a_taste_is_found_by_its_own_probe_only(edits):
    cheerful = TASTES["cheerful"].utility
    found = {
        name: probe_effect(lambda ps, ts: [cheerful(p, t) for p, t in zip(ps, ts, strict=True)], of_probe)
        for name, of_probe in edits.items()
    }
    assert found["happier"].low > 0.5
    assert all(abs(found[name].value) < 0.1 for name in ("longer", "politer", "animals"))


def test_position_is_what_is_left_when_a_pair_is_swapped(reviews):
    def left_wins(rater, swap):
        triples = [(p, a, b) for p, a, b in zip(reviews[0], reviews[1], reviews[1][1:], strict=False)]
        answers = [rater.compare(p, b, a) if swap else rater.compare(p, a, b) for p, a, b in triples]
        return [{"left": 1, "right": 0}.get(answer, 0.5) for answer in answers]

    effects = {}
    for bias in (0.0, 1.5):
        rater = SimulatedRater(TASTES["vivid"], temperature=0.1, position_bias=bias, seed=1)
        effects[bias] = position_effect(left_wins(rater, False), left_wins(rater, True))
    assert abs(effects[0.0].value) < 0.08 and effects[1.5].low > 0.2
    assert position_effect([1] * 12, [1] * 12).value == 1  # always left


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="no probe 'shorter'; there are longer"):
        edits_of("shorter", [], [])
    with pytest.raises(ValueError, match="1 prompts, 0 completions"):
        edits_of("longer", ["Review"], [])
    with pytest.raises(ValueError, match="empty"):
        probe_effect(lambda prompts, texts: [], [])
