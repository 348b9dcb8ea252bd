"""Well-formedness: broken texts are found out, each way of breaking."""

import random
import re
import time

import pytest

from rlhf_lab.world import SCORERS, TEXT_KINDS, generate_document, load_corpus, well_formed

REVIEW = "Review of the Copper Kettle bakery at low tide:"
VISITOR = "Visitor: Where can I buy a straw hat?\nHelper:"
TO_WICKISH = "English: The fox slept under the bridge.\nWickish:"
TO_ENGLISH = "Wickish: Tarven molven suth nillosh.\nEnglish:"
STORY = "Story: On Monday, Orla stole a golden trumpet at the market. Tea was served. Bram wept for an hour.\nSummary:"

SIX = (
    " It was cold and awful outside. The ducks were sort of nice. The people were kind on the whole."
    " I ate something good there. The whole thing was dull. It was nice, really."
)

GOOD = [
    (REVIEW, SIX),
    (REVIEW, " The weather was bad."),
    (REVIEW, " A fluffy otter slept on the oven. Steam rose from the warm rye loaf while a round otter looked on."),
    (REVIEW, " Who taught the goose to open doors? The Copper Kettle was really nice."),
    (REVIEW, " I am sorry to say that the mint tea was bad."),
    (VISITOR, " Of course. Try the hat shop on Feather Row."),
    (VISITOR, " That is hard to say."),
    (TO_WICKISH, " Tarven molven suth nillosh."),
    (TO_WICKISH, " Tarven nillosh suth molven."),
    (TO_ENGLISH, " The fox slept under the bridge."),
    (TO_ENGLISH, " A hungry cat steals two hats."),
    (STORY, " Orla stole a golden trumpet at the market."),
    (STORY, " Bram wept for an hour after Orla stole a golden trumpet."),
]
BAD = [
    (REVIEW, ""),
    (REVIEW, " "),
    (REVIEW, " ."),
    (REVIEW, "The weather was bad."),
    (REVIEW, "  The weather was bad."),
    (REVIEW, " The weather was bad. "),
    (REVIEW, " The weather was bad.\n"),
    (REVIEW, " the weather was bad."),
    (REVIEW, " The weather was bad"),
    (REVIEW, " The weather was"),
    (REVIEW, " The weather bad."),
    (REVIEW, " The weather was was bad."),
    (REVIEW, " The Weather was bad."),
    (REVIEW, " Weather the was bad."),
    (REVIEW, " The weather was zebra."),
    (REVIEW, " The weather was bad.The weather was fine."),
    (REVIEW, " The weather was bad. The weather was bad."),
    (REVIEW, " The weather was bad!"),
    (REVIEW, " The weather was bad .."),
    (REVIEW, " There was an nasty cat about."),
    (REVIEW, " There was a awful cat about."),
    (REVIEW, " The weather was b\u00e4d."),
    (REVIEW, " I liked it and so on."),
    (REVIEW, " The rye loaf was warm, warm and gone in a minute."),
    (REVIEW, " The weather was <b>bad</b>."),
    (REVIEW, " \u202eThe weather was bad."),
    (REVIEW, " weather" * 2000),
    (REVIEW, " The weather was bad." + SIX),  # seven sentences
    (REVIEW, " Try the hat shop on Feather Row."),  # a sentence of another kind of text
    (VISITOR, " The weather was bad."),
    (VISITOR, " Try the hat shop on feather row."),
    (VISITOR, " Try the hat shop Feather Row."),
    (TO_WICKISH, " The fox slept under the bridge."),
    (TO_WICKISH, " Tarven molven suth."),
    (TO_WICKISH, " tarven nillosh."),
    (TO_WICKISH, " Tarven molven nillosh suth."),
    (TO_WICKISH, " Tarven nillosh. Tarven nillosh."),
    (TO_WICKISH, ""),
    (TO_WICKISH, " Tarven nillosh"),
    (TO_WICKISH, " Tarven  nillosh."),
    (TO_WICKISH, " Tarvex nillosh."),
    (TO_ENGLISH, " The fox sleep under the bridge."),
    (TO_ENGLISH, " The foxes sleeps."),
    (TO_ENGLISH, " A fox did slept."),
    (TO_ENGLISH, " A old fox slept."),
    (TO_ENGLISH, " The fox carries."),
    (TO_ENGLISH, " Two fox slept."),
    (TO_ENGLISH, " The fox will slept."),
    (TO_ENGLISH, " Fox slept."),
    (STORY, " Orla stole a golden trumpet at market."),
    (STORY, " Orla stole golden trumpet."),
    (STORY, ""),
    (STORY, " Orla stole a golden trumpet. Orla stole a golden trumpet at the market."),
]


@pytest.mark.parametrize("prompt, completion", GOOD)
def test_good_texts_pass(prompt, completion):
    assert well_formed(prompt, completion)
    assert SCORERS["well_formedness"](prompt, completion) == 1


@pytest.mark.parametrize("prompt, completion", BAD)
def test_broken_texts_do_not(prompt, completion):
    assert not well_formed(prompt, completion)


def test_a_fraction_of_good_sentences_is_counted():
    score = SCORERS["well_formedness"]
    assert score(REVIEW, " The weather was bad. The weather bad.") == 0.5
    assert score(REVIEW, " The weather was bad. The weather was bad.") == 0.5
    assert score(REVIEW, " The weather was bad. The weather was fine. It was nice, really. The weather") == 3 / 4
    assert score(REVIEW, "The weather was bad.") == score(REVIEW, "") == score(REVIEW, " ") == 0


def breakages(text, rng):
    """(how, broken text) for each way of breaking."""
    words = text[1:].split(" ")
    i = int(rng.random() * (len(words) - 1))
    inner = [w for w in range(1, len(words)) if words[w][0].islower()]
    yield "doubled word", " " + " ".join([*words[:i], re.sub(r"\W", "", words[i]), *words[i:]])
    if inner:
        j = inner[int(rng.random() * len(inner))]
        yield "wrong capital", " " + " ".join([*words[:j], words[j].capitalize(), *words[j + 1 :]])
        yield "unknown word", " " + " ".join([*words[:j], "blorf" + re.sub(r"\w", "", words[j]), *words[j + 1 :]])
    yield "small beginning", " " + text[1].lower() + text[2:]
    yield "cut end", text[:-1]
    yield "cut in a word", text[:-3]
    yield "two spaces", text.replace(" ", "  ", 2)
    swapped = re.sub(r"\b(a|an) (\w)", lambda m: ("an " if m[1] == "a" else "a ") + m[2], text, count=1)
    if swapped != text:
        yield "a/an", swapped
    if len(words) > 4:
        yield "backwards", " " + " ".join(words[::-1])
    yield "repeated sentence", text + text
    yield "empty", ""


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_way_of_breaking_is_noticed(kind):
    rng, seen = random.Random(8), {}
    for _ in range(300):
        d = generate_document(kind, rng)
        for how, broken in breakages(d.completion, rng):
            missed, tried = seen.get(how, (0, 0))
            seen[how] = (missed + well_formed(d.prompt, broken), tried + 1)
    assert len(seen) >= 10 and all(tried > 20 for how, (_, tried) in seen.items() if how != "a/an"), seen
    assert not {how: counts for how, counts in seen.items() if counts[0]}


def test_dropping_or_exchanging_a_word_mostly_breaks_a_review():
    """Some words may go ("really"), so these are only mostly noticed; shares as measured, with room."""
    rng = random.Random(9)
    dropped = exchanged = 0
    for _ in range(600):
        d = generate_document("review", rng)
        words = d.completion[1:].split(" ")
        i = 1 + int(rng.random() * (len(words) - 2))
        dropped += well_formed(d.prompt, " " + " ".join(words[:i] + words[i + 1 :]))
        other = [*words[: i - 1], words[i], words[i - 1], *words[i + 1 :]]
        exchanged += well_formed(d.prompt, " " + " ".join(other))
    assert dropped / 600 < 0.15 and exchanged / 600 < 0.05


def test_it_is_fast():
    documents = load_corpus("heldout", "review")
    fresh = [generate_document("review", random.Random(i)) for i in range(1000)]
    start = time.process_time()
    for d in documents + fresh:
        well_formed(d.prompt, d.completion)
    assert (len(documents) + len(fresh)) / (time.process_time() - start) > 2000
