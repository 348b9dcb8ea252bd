"""The grammar engine: what it writes it recognises, and it reads rules strictly."""

import random

import pytest

from rlhf_lab.world.grammar import (
    Draft,
    Grammar,
    pick,
    pick_weighted,
    render,
    shuffled,
    split_sentences,
    takes_an,
    words_of,
)

SMALL = Grammar("""
top:
  the {animal} saw an {thing} {when?} .
  {name} , who ate {thing} and {thing} , left .
animal.land = cat | old dog
animal.sea = eel
thing = apple | hour | useful pear
when = at noon | on Monday
name = Orla
""")


def sentences(grammar, rule, count, **bind):
    rng = random.Random(1)
    return [render(grammar.expand(rule, Draft(rng, bind))) for _ in range(count)]


def test_a_grammar_recognises_all_that_it_writes_and_writes_all_alternatives():
    written = set(sentences(SMALL, "top", 600))
    assert all(SMALL.sentence_ok("top", s) for s in written)
    # 3 animals x 3 things x (no time, 2 times), and 3 x 2 pairs of different things
    assert len(written) == 3 * 3 * 3 + 3 * 2
    assert "The eel saw an apple." in written and "The cat saw a useful pear at noon." in written


@pytest.mark.parametrize(
    "broken",
    [
        "The cat saw apple.",
        "The cat saw a apple.",
        "The cat saw an useful pear.",
        "the cat saw an hour.",
        "The cat saw an hour",
        "The cat  saw an hour.",
        "The cat saw an hour .",
        "The Cat saw an hour.",
        "The dog saw an hour.",
        "The cat saw an hour at.",
        "The cat saw an hour on monday.",
        "The cat cat saw an hour.",
        "orla, who ate apple and hour, left.",
        "Orla who ate apple and hour, left.",
        "Orla, who ate apple and apple, left.",
        "",
        ".",
        "The cat saw an hour!",
        "The",
    ],
)
def test_a_small_change_is_noticed(broken):
    assert not SMALL.sentence_ok("top", broken)


def test_a_binding_narrows_a_slot_to_a_rule_or_to_words():
    assert all("eel" in s for s in sentences(SMALL, "top", 50, animal="animal.sea") if "saw" in s)
    assert all("Fenn" in s for s in sentences(SMALL, "top", 50, name=("Fenn",)) if "left" in s)


def test_parse_gives_the_slots_of_a_sentence():
    assert SMALL.parse_sentence("top", "The old dog saw an hour on Monday.") == [
        ("animal", "old dog"),
        ("animal.land", "old dog"),
        ("thing", "hour"),
        ("when", "on Monday"),
    ]
    assert SMALL.parse_sentence("top", "Orla, who ate useful pear and hour, left.")[0] == ("name", "Orla")
    assert SMALL.parse_sentence("top", "The old dog saw.") is None


def test_ambiguous_rules_are_matched_whatever_the_order():
    grammar = Grammar("top = {a} {b}\na = x | x x\nb = x x | x")
    assert [grammar.accepts("top", ["x"] * n) for n in range(1, 6)] == [False, True, True, True, False]


@pytest.mark.parametrize(
    "rules, complaint",
    [
        ("top = {nothing}", "nothing"),
        ("top = {a}\na = {top} x", "contains itself"),
        ("top = 3 eggs", "characters"),
        ("just words", "neither"),
    ],
)
def test_bad_rules_are_refused_with_the_reason(rules, complaint):
    with pytest.raises(ValueError, match=complaint):
        Grammar(rules)


def test_articles():
    assert [takes_an(w) for w in ("apple", "hour", "useful", "one", "Oyster", "cat")] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]


def test_sentences_and_words():
    assert split_sentences("The cat sat. Who did it? Stop!") == ["The cat sat.", "Who did it?", "Stop!"]
    assert split_sentences("The cat sat.  Who did it?") is None
    assert split_sentences("The cat sat. Who") is None
    assert split_sentences("") is None
    assert words_of("The cat, Orla. I sat. The Golden Goose ate it.") == [
        "the",
        "cat",
        "Orla",
        "I",
        "sat",
        "the",
        "Golden",
        "Goose",
        "ate",
        "it",
    ]


class CountingDice:
    """Has only random(): all that the world may use."""

    def __init__(self, values):
        self.values = list(values)

    def random(self):
        return self.values.pop(0)


def test_helpers_use_nothing_but_random():
    assert pick(CountingDice([0.999]), "abc") == "c"
    assert pick_weighted(CountingDice([0.5]), {"a": 1, "b": 2, "c": 1}) == "b"
    assert shuffled(CountingDice([0.0, 0.0]), [1, 2, 3]) == [2, 3, 1]


def test_shuffled_reaches_all_orders_evenly():
    rng, counts = random.Random(3), {}
    for _ in range(6000):
        order = tuple(shuffled(rng, "abc"))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6 and all(850 < n < 1150 for n in counts.values())
