"""Scorers of style and mention: values worked out by hand, and a wide, nearly continuous spread over reviews."""

import random

import pytest

from rlhf_lab.world import KIND_SCORERS, SCORERS, TEXT_KINDS, generate_completion, generate_prompt, lexicon, nouns

PROMPT = "Review of the Copper Kettle bakery at low tide:"


def score(name, text, prompt=PROMPT):
    return SCORERS[name](prompt, text)


# text, scorer, sum of the weights, number of words: the score is 10 * sum / (words + 10)
BY_HAND = [
    (" The plum bread was delicious.", "tone", 2.0, 5),
    (" The plum bread was awful.", "tone", -1.4, 5),
    (" The weather was lovely. The cat was horrible.", "tone", 1.7 - 1.7, 8),
    (" Thank you kindly, Orla.", "politeness", 2.0, 4),
    (" What a pack of idiots.", "politeness", -1.5, 5),  # "idiots" and "what a pack"
    (" The weather was bad.", "politeness", 0.0, 4),
    (" The weather was bad.", "specificity", -0.4 - 0.5, 4),
    (" A fluffy goose purred.", "specificity", 1.0 + 0.3 + 0.8, 4),
    (" The plum bread was bad.", "food", 2.0, 5),
    (" The visitor's pie arrived soggy.", "food", 1.5, 5),
    (" Grey rain hammered on the tin roof.", "weather", 1.0, 7),
    (" Orla thanked my sister.", "people", 2.0, 4),
    (" A tiny goose purred.", "animals", 1.5, 4),
    (" The weather was bad.", "animals", 0.0, 4),
]


@pytest.mark.parametrize("text, name, total, words", BY_HAND)
def test_densities_by_hand(text, name, total, words):
    assert score(name, text) == pytest.approx(10 * total / (words + 10))


def test_names_are_not_animals_or_food():
    text = " The Golden Goose was bad. The Salty Turnip was bad."
    assert score("animals", text) == score("food", text) == 0
    assert score("animals", " Geese were bad.") > 0  # though the sentence begins with it


def test_length_and_repetition_by_hand():
    assert score("length", " The cat, Orla. I sat?") == 5
    assert score("length", "") == 0
    assert score("repetition", " The cat sat the cat sat.") == pytest.approx(1 / 4)
    assert score("repetition", " The cat sat.") == score("repetition", "") == 0


def test_topic_of_reviews_by_hand():
    assert score("on_topic", " The weather was bad.") == 1 / 2
    assert score("on_topic", " The rye loaf was bad.") == 2 / 3
    assert score("on_topic", " The baker cut the rye loaf.") == 3 / 4
    assert score("on_topic", " The Copper Kettle was bad.") == 2 / 3
    assert score("on_topic", " The Silver Kettle was bad.") == 1 / 4
    assert score("on_topic", " The eel pie was bad.") == 1 / 4
    assert score("on_topic", " The hatter and the ferryman were bad.") == 1 / 6
    assert score("on_topic", "") == 0


def test_the_score_of_a_text_does_not_hang_on_its_prompt_but_for_the_topic():
    other = "Review of the Silver Goose garden at dawn:"
    text = " The plum bread was delicious. A tiny goose purred."
    for name in set(SCORERS) - {"on_topic"}:
        assert score(name, text) == score(name, text, other)
    assert score("on_topic", text) > score("on_topic", text, other)


def test_every_scorer_takes_any_text_of_its_kind():
    rng = random.Random(2)
    for kind in TEXT_KINDS:
        prompt = generate_prompt(kind, rng)
        texts = ["", " ", " ?!", "<script>", " a" * 3000, " \u202e\U0001f986", " The", generate_completion(prompt, rng)]
        for text in texts:
            for scorers in (SCORERS, KIND_SCORERS[kind]):
                assert all(isinstance(scorer(prompt, text), (int, float)) for scorer in scorers.values())


def pairs(count=800):
    rng = random.Random(23)
    for _ in range(count):
        prompt = generate_prompt("review", rng)
        yield prompt, generate_completion(prompt, rng), generate_completion(prompt, rng)


def deviation(values):
    mean = sum(values) / len(values)
    return (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5


def test_aspects_of_reviews_vary_without_ties_and_independently():
    sample = list(pairs())
    scores = {
        name: [(SCORERS[name](p, a), SCORERS[name](p, b)) for p, a, b in sample]
        for name in ("tone", "politeness", "specificity", "length", "food", "weather", "people", "animals")
    }
    most_ties = {
        "tone": 0.02,
        "specificity": 0.02,
        "length": 0.05,
        "food": 0.27,
        "people": 0.2,
        "politeness": 0.22,
        "weather": 0.24,
        "animals": 0.24,
    }
    for name, values in scores.items():
        ties = sum(a == b for a, b in values) / len(values)
        assert ties <= most_ties[name], (name, ties)
        within = deviation([a - b for a, b in values]) / 2**0.5  # spread inside one prompt
        assert within > 0.85 * deviation([v for pair in values for v in pair]), name
    flat = {name: [v for pair in values for v in pair] for name, values in scores.items()}
    for name in flat:
        for other in flat:
            if name < other:
                x, y = flat[name], flat[other]
                mx, my = sum(x) / len(x), sum(y) / len(y)
                covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / len(x)
                assert abs(covariance / deviation(x) / deviation(y)) < 0.35, (name, other)


def test_adjectives_have_the_tone_of_their_class():
    for rule in nouns.GRAMMAR.rules:
        if len(rule) == 3 and rule not in ("sun", "day", "job"):
            good = rule[1] == "g" if rule not in ("wag", "wsg", "wfb", "wwb") else rule[2] == "g"
            for word in lexicon.rule_words(rule):
                assert (lexicon.TONE[word] > 0) == good, (rule, word)
                vague = rule[1:] in ("gg", "bg")
                assert word == "sweet" or (lexicon.VIVID[word] < 0) == vague, (rule, word)  # a sweet goose, sweet tea


def test_things_of_a_topic_count_for_it():
    assert all(lexicon.ANIMALS[w] == 1 for w in lexicon.rule_words("animal", "animals"))
    assert lexicon.FOOD["loaf"] == lexicon.FOOD["eel"] == 1 and "with" not in lexicon.FOOD
    assert lexicon.WEATHER["rain"] == lexicon.WEATHER["fog"] == 1 and "warm" not in lexicon.WEATHER
    keepers = (text for place in nouns.PLACES for text in nouns.texts(f"keeper.{nouns.slug(place)}"))
    assert all(lexicon.PEOPLE[keeper.split()[-1]] == 1 for keeper in keepers)
