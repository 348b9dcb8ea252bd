"""Judges that are no person: what they say follows from what they read, and no side is preferred."""

import copy
import math
import random
import subprocess
import sys

import pytest
import torch

from rlhf_lab.evaluation.judges import TEMPLATE, Criterion, PromptedJudge, RubricJudge, WishJudge, taste_rubric
from rlhf_lab.feedback import FeedbackStore, RatingSession, compare_item, question, rate_with
from rlhf_lab.models.loading import new_language_model, tiny_config, train_tokenizer
from rlhf_lab.world import TASTES, generate_completion, generate_prompt, passes_floor

PROMPT = "Review of the Copper Kettle bakery at low tide:"
GOOD, POOR = " The rye loaf was wonderful.", " The rye loaf was dreadful."


@pytest.fixture(scope="module")
def small():
    """An untrained model: it knows nothing, and has habits all the same."""
    tokenizer = train_tokenizer([TEMPLATE, GOOD, POOR, PROMPT, " A B" * 9], vocab_size=400)
    return new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3), tokenizer


# -- a rubric --


def test_a_rubric_says_what_it_goes_by():
    judge = RubricJudge([Criterion("long", lambda p, t: len(t), 0.5), Criterion("no x", lambda p, t: t.count("x"), -3)])
    assert judge.points("p", "axxb") == {"long": 2.0, "no x": -6.0} and judge.total("p", "axxb") == -4
    assert judge.compare("p", "aaaa", "axxb") == "left" and judge.compare("p", "axxb", "aaaa") == "right"
    assert judge.compare("p", "ab", "ba") == "tie"
    assert judge.rank("p", ["axb", "aaaa", "ab", "ba"]) == [[1], [2, 3], [0]]
    why = judge.explain("p", "aaaa", "axxb")
    assert why.splitlines() == [
        "long: +2.00 against +2.00",
        "no x: +0.00 against -6.00",
        "in all: +2.00 against -4.00, so left",
    ]
    strict = RubricJudge(judge.criteria, tie_below=1.0, bad_below=0.0)
    assert strict.compare("p", "aaaa", "aaa") == "tie" and strict.compare("p", "x", "xx") == "both_bad"
    with pytest.raises(ValueError, match="at least one criterion"):
        RubricJudge([])


def test_a_rubric_for_the_tiny_world():
    judge, taste, rng = RubricJudge(taste_rubric({"tone": 1.0})), TASTES["cheerful"], random.Random(2)
    for _ in range(50):
        prompt = generate_prompt("review", rng)
        left, right = generate_completion(prompt, rng), generate_completion(prompt, rng)
        if passes_floor(prompt, left) and passes_floor(prompt, right):  # else the taste's floor has its say
            d = taste.utility(prompt, left) - taste.utility(prompt, right)
            assert judge.total(prompt, left) - judge.total(prompt, right) == pytest.approx(d)
    assert next(iter(judge.points(PROMPT, GOOD))) == "more tone"
    assert taste_rubric({"length": -1}, {"length": "short"})[0].statement == "short"
    with pytest.raises(ValueError, match="beauty"):
        taste_rubric({"beauty": 1})


def test_a_rubric_needs_no_torch():
    code = (
        "import sys; from rlhf_lab.evaluation.judges import *; j = RubricJudge(taste_rubric({'tone': 1.0}));"
        f"assert j.compare({PROMPT!r}, {GOOD!r}, {POOR!r}) == 'left'; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


# -- a prompted model --


def log_prob(model, tokenizer, prompt, text):
    """log P(text | prompt), the plain way: one row, no batch, no padding."""
    first, rest = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (prompt, text))
    with torch.no_grad():
        logs = model(torch.tensor([first + rest])).logits[0].log_softmax(-1)
    return sum(float(logs[len(first) + i - 1, token]) for i, token in enumerate(rest))


def test_the_prompted_judge_compares_log_probabilities_over_both_orders(small):
    model, tokenizer = small
    judge = PromptedJudge(model, tokenizer, "Which is kinder?")

    def odds(first, second):
        asked = TEMPLATE.format(prompt=PROMPT, first=first, second=second, question="Which is kinder?")
        return log_prob(model, tokenizer, asked, " A") - log_prob(model, tokenizer, asked, " B")

    one, other = odds(GOOD, POOR), odds(POOR, GOOD)
    assert judge.preference(PROMPT, GOOD, POOR) == pytest.approx((one - other) / 2, abs=1e-3)
    assert judge.probability_left(PROMPT, GOOD, POOR) == pytest.approx(1 / (1 + math.exp((other - one) / 2)), abs=1e-3)
    lean = (one + other) / 2
    assert f"leaned {abs(lean):.2f} nats towards {' A' if lean > 0 else ' B'!r}" in judge.report()


def test_no_side_is_preferred(small):
    judge = PromptedJudge(*small)
    assert judge.report() == "Nothing has been asked yet."
    sides = {judge.compare(PROMPT, GOOD, POOR), judge.compare(PROMPT, POOR, GOOD)}
    assert sides == {"left", "right"}
    assert judge.preference(PROMPT, GOOD, POOR) == pytest.approx(-judge.preference(PROMPT, POOR, GOOD), abs=1e-4)
    assert judge.compare(PROMPT, GOOD, GOOD) == "tie"
    assert PromptedJudge(*small, tie_below=1e9).compare(PROMPT, GOOD, POOR) == "tie"


def test_texts_are_put_in_as_they_are(small):
    judge = PromptedJudge(*small, question="{prompt}?", template="{question} {prompt}|{first}|{second}|")
    assert judge._ask("a {second}", "{first} {0}", "}") == "{prompt}? a {second}|{first} {0}|}|"
    with pytest.raises(ValueError, match=r"lacks \{second\}"):
        PromptedJudge(*small, template="{prompt} {first}")


def test_chat_models_are_asked_through_their_template(small):
    model, tokenizer = small
    with pytest.raises(ValueError, match="no chat template"):
        PromptedJudge(model, tokenizer, chat=True)
    chatty = copy.deepcopy(tokenizer)
    chatty.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    asked = PromptedJudge(model, chatty, chat=True)._ask("p", "x", "y")
    assert asked.startswith("<user>Two answers") and asked.endswith("Reply:<assistant>")


# -- a wish --


def test_a_wish_is_the_change_in_log_probability(small):
    model, tokenizer = small
    judge = WishJudge(model, tokenizer, "Sunny!", per_token=False)
    expected = [
        log_prob(model, tokenizer, "Sunny!" + PROMPT, t) - log_prob(model, tokenizer, PROMPT, t) for t in (GOOD, POOR)
    ]
    assert judge.liking(PROMPT, [GOOD, POOR]) == pytest.approx(expected, abs=1e-3)
    assert judge.compare(PROMPT, GOOD, POOR) == ("left" if expected[0] > expected[1] else "right")
    assert judge.rank(PROMPT, [GOOD, POOR]) == ([[0], [1]] if expected[0] > expected[1] else [[1], [0]])
    assert all(math.isfinite(x) for x in WishJudge(model, tokenizer, "Sunny!").liking(PROMPT, [GOOD, ""]))
    with pytest.raises(ValueError, match="wish is empty"):
        WishJudge(model, tokenizer, " ")


def test_judges_answer_through_the_session(small, tmp_path):
    store = FeedbackStore(tmp_path / "f.sqlite")
    items = [compare_item(f"{PROMPT} {i}", GOOD, POOR) for i in range(2)]
    judges = {
        "rubric": RubricJudge(taste_rubric({"tone": 1.0})),
        "asked": PromptedJudge(*small),
        "wish": WishJudge(*small, "Sunny!"),
    }
    for name, judge in judges.items():
        assert rate_with(RatingSession(store, "t", items[:2], name, "model"), judge) == 2
    assert {record.source for record in store.records()} == {"model"} and len(store.records()) == 6
    assert judges["asked"].report().startswith("Over 2 questions")
    ranking = RatingSession(store, "r", [question(PROMPT, [POOR, GOOD])], "rubric", "model", kind="rank")
    judge = RubricJudge([Criterion("glad", lambda p, t: float("wonderful" in t))])
    assert rate_with(ranking, judge) == 1
    (best,), _ = ranking.records[0].value
    assert ranking.records[0].candidate(best).text == GOOD
