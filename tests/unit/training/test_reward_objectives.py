"""Every kind of feedback teaches a reward model, in the loop and in the fit of the head; what cannot is refused."""

import math
import random
from dataclasses import dataclass

import pytest
import torch

from rlhf_lab.feedback import Record, preference_pairs, question, tied_pairs
from rlhf_lab.feedback.pairs import PreferencePair, TiedPair
from rlhf_lab.models.loading import new_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.objectives.preference import davidson_losses, rao_kupper_losses
from rlhf_lab.training.reward_examples import (
    LabelledText,
    Ranking,
    ScoredText,
    labelled_texts,
    rankings,
    scored_texts,
    tokenise,
)
from rlhf_lab.training.reward_head import fit_head, fit_pairs
from rlhf_lab.training.reward_model import RewardModelConfig, evaluate_reward_model, train_reward_model
from rlhf_lab.training.reward_objectives import (
    LLAMA_2_MARGINS,
    Labels,
    OrdinalScores,
    Pairs,
    PairsWithTies,
    Rankings,
    Scores,
    accuracy,
)

PROMPT = "Story:"
CONFIG = RewardModelConfig(epochs=2, learning_rate=5e-3, batch_size=16)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fresh(tokenizer):
    def make(outputs=1):
        language_model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
        return RewardModel.from_language_model(language_model, seeded(4), outputs)

    return make


def texts(count, seed=0):
    """Texts of one to six words, some of them goats."""
    rng = random.Random(seed)
    return ["".join(f" {rng.choice(('goat', 'bell', 'door'))}" for _ in range(rng.randint(1, 6))) for _ in range(count)]


def goats(text):
    return text.count("goat")


def comparisons(count, seed=0):
    """Of two texts that with more goats; a tie where there are as many."""
    found = []
    for a, b in zip(texts(count, seed), texts(count, seed + 1000), strict=True):
        if goats(a) == goats(b):
            found.append(TiedPair(PROMPT, a, b, PROMPT))
        else:
            found.append(PreferencePair(PROMPT, *sorted((a, b), key=goats, reverse=True), PROMPT))
    return found


def make_rankings(count, seed=0):
    found = []
    for i in range(count):
        several = texts(2 + i % 3, seed + i)
        counts = sorted({goats(text) for text in several}, reverse=True)
        found.append(Ranking(PROMPT, tuple(tuple(t for t in several if goats(t) == count) for count in counts)))
    return found


def make_scores(count, seed=0):
    return [
        ScoredText(PROMPT, text, {"goats": 1 + min(goats(text), 3), "length": 1 + min(len(text) // 10, 3)})
        for text in texts(count, seed)
    ]


def make_labels(count, seed=0):
    return [
        LabelledText(PROMPT, text, frozenset(word for word in ("goat", "bell") if word in text))
        for text in texts(count, seed)
    ]


KINDS = {
    "pairs": lambda n, s: ([c for c in comparisons(n, s) if hasattr(c, "chosen")], Pairs(), 1),
    "smoothed": lambda n, s: (
        [c for c in comparisons(n, s) if hasattr(c, "chosen")],
        Pairs(label_smoothing=0.1, margin=0.1),
        1,
    ),
    "rao-kupper": lambda n, s: (comparisons(n, s), PairsWithTies.for_examples(comparisons(n, s)), 1),
    "davidson": lambda n, s: (comparisons(n, s), PairsWithTies.for_examples(comparisons(n, s), davidson_losses), 1),
    "rankings": lambda n, s: (make_rankings(n, s), Rankings(), 1),
    "ensemble": lambda n, s: (make_rankings(n, s), Rankings(), 3),
    "scores": lambda n, s: (make_scores(n, s), Scores.for_examples(make_scores(n, s)), ("goats", "length")),
    "ordinal": lambda n, s: (
        make_scores(n, s),
        OrdinalScores.for_examples(make_scores(n, s), levels=(1, 4)),
        ("goats", "length"),
    ),
    "labels": lambda n, s: (make_labels(n, s), Labels.for_examples(make_labels(n, s)), ("bell", "goat")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_feedback_teaches_a_reward_model(kind, fresh, tokenizer):
    examples, objective, outputs = KINDS[kind](400, 0)
    held_out, _, _ = KINDS[kind](100, 50_000)
    model = fresh(outputs)
    before = evaluate_reward_model(model, tokenizer, held_out, objective)
    result = train_reward_model(model, tokenizer, examples, CONFIG, objective=objective, generator=seeded())
    after = evaluate_reward_model(model, tokenizer, held_out, objective)
    assert not result.stopped and after["held_out_loss"] < 0.9 * before["held_out_loss"]
    if "held_out_accuracy" in after:
        assert after["held_out_accuracy"] > 0.85
    else:
        assert after["held_out_error"] < 0.6 * before["held_out_error"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_feedback_fits_a_head_to_its_optimum(kind, fresh, tokenizer):
    examples, objective, outputs = KINDS[kind](60, 0)
    model = fresh(outputs)
    trunk = [p.clone() for p in model.trunk.parameters()]
    before = evaluate_reward_model(model, tokenizer, examples, objective)["held_out_loss"]
    fit = fit_head(model, tokenizer, examples, objective=objective)
    after = evaluate_reward_model(model, tokenizer, examples, objective)
    assert fit.gradient < 1e-5
    assert after["held_out_loss"] == pytest.approx(fit.loss, rel=1e-3) and fit.loss < before
    assert all(after[f"held_out_{name}"] == pytest.approx(value, rel=1e-3) for name, value in fit.metrics.items())
    assert all(torch.equal(a, b) for a, b in zip(trunk, model.trunk.parameters(), strict=True))


# --- What an objective computes ----------------------------------------------------------------------


def test_margins_follow_the_stated_strength():
    pairs = [PreferencePair(PROMPT, " a", " b", PROMPT, strength) for strength in (None, 1, 2, 3)]
    objective = Pairs(margin=0.1, by_strength=LLAMA_2_MARGINS)
    losses = objective.losses(torch.zeros(4, 2, 1, dtype=torch.float64), pairs)
    expected = [math.log(1 + math.exp(0.1 + extra)) for extra in (0, 1 / 3, 2 / 3, 1)]
    assert losses[:, 0].tolist() == pytest.approx(expected)


def test_accuracy_counts_ties_as_half():
    assert accuracy(torch.tensor([1.0, -1.0, 0.0, 2.0])) == pytest.approx(0.625)
    assert math.isnan(accuracy(torch.tensor([])))


@pytest.mark.parametrize("losses", [rao_kupper_losses, davidson_losses])
def test_the_share_of_ties_is_learned(fresh, tokenizer, losses):
    """Texts of equal worth of which a quarter are ties: the fit finds the quarter."""
    a, b = " goat", " bell"
    examples = [TiedPair(PROMPT, a, b, PROMPT)] * 5 + [PreferencePair(PROMPT, a, b, PROMPT)] * 6
    examples += [PreferencePair(PROMPT, b, a, PROMPT)] * 9
    objective = PairsWithTies(losses, propensity=2.0)
    fit = fit_head(fresh(), tokenizer, examples, objective=objective, prior_deviation=100.0)
    # one free difference and one free share: the model says exactly what was observed
    expected = -(5 * math.log(5 / 20) + 6 * math.log(6 / 20) + 9 * math.log(9 / 20)) / 20
    assert fit.loss == pytest.approx(expected, abs=1e-4)
    start = PairsWithTies.for_examples(examples, losses)
    assert torch.sigmoid(start.propensity - math.log(2)).item() == pytest.approx(5.5 / 21, abs=1e-6)


def test_metrics_of_rankings_are_those_of_their_pairs():
    examples = [Ranking(PROMPT, ((" a",), (" b", " c"))), Ranking(PROMPT, ((" d",), (" e",)))]
    scores = torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.0, 0.0]])[..., None]
    found = Rankings().metrics(scores, examples)  # a > b right, a > c wrong, d > e right
    assert found == {"accuracy": pytest.approx(2 / 3), "difference": pytest.approx((1.0 - 1.0 + 0.5) / 3)}


def test_scores_are_in_units_of_their_axis_and_may_be_missing():
    examples = [ScoredText(PROMPT, " a", {"x": 1.0, "y": 2.0}), ScoredText(PROMPT, " b", {"x": 5.0})]
    examples.append(ScoredText(PROMPT, " c", {"x": 3.0, "y": 4.0}))
    objective = Scores.for_examples(examples)
    assert objective.axes == ("x", "y") and objective.means == (3.0, 3.0)
    perfect = torch.tensor([[-2.0, -1.0], [2.0, 99.0], [0.0, 1.0]])
    perfect[:, 0] /= math.sqrt(8 / 3)
    assert objective.losses(perfect[:, None], examples).abs().max() < 1e-6
    assert objective.metrics(perfect[:, None], examples)["error"] == pytest.approx(0, abs=1e-6)
    off = objective.metrics(torch.zeros(3, 1, 2), examples)["error"]
    assert off == pytest.approx((2 + 2 + 0 + 1 + 1) / 5)


def test_cutpoints_start_where_the_answers_are_and_rise():
    answers = [1] * 6 + [2] * 2 + [4] * 2  # nobody said 3
    examples = [ScoredText(PROMPT, f" {i}", {"x": answer}) for i, answer in enumerate(answers)]
    objective = OrdinalScores.for_examples(examples, levels=(1, 4))
    cuts = objective.cutpoints[0]
    assert (cuts.diff() > 0).all()
    # half an answer is added to each of the four levels
    assert torch.sigmoid(-cuts).tolist() == pytest.approx([5.5 / 12, 3.0 / 12, 2.5 / 12], abs=1e-6)
    expected = objective.expected(torch.zeros(1, 1)).item()
    assert expected == pytest.approx(1 + 5.5 / 12 + 3 / 12 + 2.5 / 12)
    losses = objective.losses(torch.zeros(10, 1, 1), examples)
    assert torch.exp(-losses[0]).item() == pytest.approx(6.5 / 12)


def test_cutpoints_are_learned(fresh, tokenizer):
    """Texts that are all alike to the head: what is left to fit are the shares of the levels."""
    answers = [1] * 5 + [2] * 3 + [3] * 8
    examples = [ScoredText(PROMPT, (" goat", " bell")[i % 2], {"x": a}) for i, a in enumerate(answers)]
    objective = OrdinalScores(("x",), 1, torch.tensor([[-3.0, 4.0]]))
    fit = fit_head(fresh(["x"]), tokenizer, examples, objective=objective, prior_deviation=1e-3)
    expected = -sum(n * math.log(n / 16) for n in (5, 3, 8)) / 16
    assert fit.loss == pytest.approx(expected, abs=1e-5)


# --- What cannot teach anything ----------------------------------------------------------------------


@dataclass(frozen=True)
class Nothing:
    prompt: str = PROMPT
    completions: tuple = ()


TIE, PAIR = TiedPair(PROMPT, " a", " b", PROMPT), PreferencePair(PROMPT, " a", " b", PROMPT)
SCORE, LABEL = ScoredText(PROMPT, " a", {"x": 3}), LabelledText(PROMPT, " a", frozenset({"rude"}))
TWO_SCORES = Scores(("x",), (0.0,), (1.0,))


@pytest.mark.parametrize(
    ("examples", "objective", "outputs", "message"),
    [
        ([], Pairs(), 1, "no ratings"),
        ([], Rankings(), 1, "no ratings"),
        ([TIE] * 3, Pairs(), 1, "All 3 comparisons are ties"),
        ([TIE] * 3, PairsWithTies(), 1, "All 3 comparisons are ties"),
        ([TIE, PAIR], Pairs(), 1, "1 of 2 comparisons are ties.*PairsWithTies"),
        ([PreferencePair(PROMPT, " a", " b", PROMPT, 4)], Pairs(), 1, "strength of a preference is 1 to 3"),
        ([SCORE], Pairs(), 1, "Example 0 is a ScoredText, not a pair"),
        ([PAIR], Rankings(), 1, "Example 0 is a PreferencePair; this objective learns from Rankings"),
        ([Ranking(PROMPT, ((" a", " b"),))], Rankings(), 1, "All 1 rankings are ties"),
        ([Ranking(PROMPT, ((" a",),))], Rankings(), 1, "Ranking 0 has 1 completions"),
        ([Ranking(PROMPT, ())], Rankings(), 1, "a prompt but no completion"),
        ([Nothing()], Pairs(), 1, "a prompt but no completion"),
        ([SCORE, SCORE], TWO_SCORES, ["x"], "axis 'x' are all the same"),
        ([SCORE, ScoredText(PROMPT, " b", {"x": math.nan})], TWO_SCORES, ["x"], "not a finite number"),
        ([SCORE, ScoredText(PROMPT, " b", {"x": 4})], TWO_SCORES, 1, r"outputs \('reward',\).*outputs=\['x'\]"),
        ([LABEL, LABEL], Labels(("rude",)), ["rude"], "Every text of 2 is labelled 'rude'"),
        ([LABEL, LABEL], Labels(("kind",)), ["kind"], "No text of 2 is labelled 'kind'"),
        ([LABEL], Labels(("rude",)), ["other"], "outputs"),
    ],
)
def test_what_cannot_teach_anything_is_refused(fresh, tokenizer, examples, objective, outputs, message):
    for learn in (train_reward_model, fit_head):
        with pytest.raises(ValueError, match=message):
            learn(fresh(outputs), tokenizer, examples, objective=objective)


def test_objectives_are_not_made_from_what_cannot_teach_anything():
    with pytest.raises(ValueError, match="all the same"):
        Scores.for_examples([SCORE, SCORE])
    with pytest.raises(ValueError, match="has a score of 8; its levels are 1 to 7"):
        OrdinalScores.for_examples([SCORE, ScoredText(PROMPT, " b", {"x": 8})], levels=(1, 7))
    with pytest.raises(ValueError, match=r"has a score of 2\.5"):
        OrdinalScores.for_examples([SCORE, ScoredText(PROMPT, " b", {"x": 2.5})], levels=(1, 7))
    with pytest.raises(ValueError, match="None of 2 texts has any tag"):
        Labels.for_examples([LabelledText(PROMPT, " a", frozenset())] * 2)
    with pytest.raises(ValueError, match="None of 2 texts has any axis"):
        Scores.for_examples([ScoredText(PROMPT, " a", {})] * 2)


def test_held_out_examples_may_all_be_alike(fresh, tokenizer):
    """What teaches nothing can still be judged."""
    labels = evaluate_reward_model(fresh(["rude"]), tokenizer, [LABEL], Labels(("rude",)))
    assert labels["held_out_accuracy"] in (0.0, 1.0)
    assert evaluate_reward_model(fresh(["x"]), tokenizer, [SCORE], TWO_SCORES)["held_out_loss"] > 0
    ties = evaluate_reward_model(fresh(), tokenizer, [TIE], PairsWithTies())
    assert ties["held_out_loss"] > 0 and math.isnan(ties["held_out_accuracy"])
    with pytest.raises(ValueError, match="outputs"):
        evaluate_reward_model(fresh(), tokenizer, [LABEL], Labels(("rude",)))


def test_contradictions_end_in_a_difference_of_zero(fresh, tokenizer):
    pairs = [PreferencePair(PROMPT, " goat", " bell", PROMPT), PreferencePair(PROMPT, " bell", " goat", PROMPT)]
    model = fresh()
    fit = fit_head(model, tokenizer, pairs, prior_deviation=100.0)
    goat, bell = model.score_texts(tokenizer, [PROMPT] * 2, [" goat", " bell"]).tolist()
    assert goat == pytest.approx(bell, abs=1e-4) and fit.loss == pytest.approx(math.log(2))


# --- The fit of the head -----------------------------------------------------------------------------


def test_a_head_from_sixteen_ratings_takes_no_time_and_holds_on_new_texts(fresh, tokenizer):
    model = fresh()
    pairs = [c for c in comparisons(40) if hasattr(c, "chosen")][:16]
    fit = fit_head(model, tokenizer, pairs)
    assert fit.seconds < 3 and fit.metrics["accuracy"] > 0.9
    new = [c for c in comparisons(200, 7_000) if hasattr(c, "chosen")]
    assert evaluate_reward_model(model, tokenizer, new)["held_out_accuracy"] > 0.6


def test_the_prior_keeps_the_head_small(fresh, tokenizer):
    pairs = [c for c in comparisons(40) if hasattr(c, "chosen")][:16]
    spreads = []
    for deviation in (0.1, 1.0, 10.0):
        model = fresh()
        fit = fit_head(model, tokenizer, pairs, prior_deviation=deviation)
        scores = model.score_texts(tokenizer, [PROMPT] * 300, texts(300, 5))
        assert fit.gradient < 1e-5 and scores.isfinite().all()
        spreads.append(scores.std().item())
    assert spreads[0] < spreads[1] < spreads[2]


def test_a_fit_to_texts_and_one_to_their_features_agree(fresh, tokenizer):
    model = fresh()
    pairs = [c for c in comparisons(60) if hasattr(c, "chosen")][:24]
    features = model.features_of([text for texts in tokenise(model, tokenizer, pairs) for text in texts]).double()
    fit_head(model, tokenizer, pairs, prior_deviation=1.5)
    deviation = features.std(0, correction=0)
    useful = deviation > 1e-3 * deviation.max()
    fit = fit_pairs(((features[::2] - features[1::2]) / deviation)[:, useful], prior_deviation=1.5)
    assert torch.allclose(fit.weight, (model.head.weight.double()[0] * deviation)[useful], atol=1e-4)


def test_a_fit_equals_ridge_regression_in_closed_form(fresh, tokenizer):
    examples = make_scores(30)
    objective, model = Scores.for_examples(examples), fresh(("goats", "length"))
    fit_head(model, tokenizer, examples, objective=objective, prior_deviation=1.5)
    x = model.features_of([row for rows in tokenise(model, tokenizer, examples) for row in rows]).double()
    z = (x - x.mean(0)) / x.std(0, correction=0)
    y = torch.tensor([[e.scores[axis] for axis in objective.axes] for e in examples]).double()
    y = (y - y.mean(0)) / y.std(0, correction=0)
    # every axis costs half of the mean over the two, so the penalty of each is weighed by 60 answers
    ridge = z.shape[1] / 1.5**2
    w = torch.linalg.solve(z.T @ z + ridge * torch.eye(z.shape[1]).double(), z.T @ y)
    found = model.score_texts(tokenizer, [PROMPT] * 30, [e.completion for e in examples]).double()
    assert torch.allclose(found, z @ w, atol=1e-4)


def test_resampled_heads_differ_and_others_do_not(fresh, tokenizer):
    pairs = [c for c in comparisons(60) if hasattr(c, "chosen")]
    spreads = []
    for bootstrap in (False, True):
        model = fresh(5)
        fit_head(model, tokenizer, pairs, bootstrap=bootstrap, generator=seeded(1))
        spreads.append(model.score_texts(tokenizer, [PROMPT] * 50, texts(50, 3)).std(1).mean().item())
    assert spreads[0] < 1e-4 < 0.05 < spreads[1]


def test_features_that_are_no_numbers_or_all_alike_are_refused(fresh, tokenizer):
    model = fresh()
    with torch.no_grad():
        model.trunk.get_input_embeddings().weight[tokenizer(" bell")["input_ids"][0]] = math.nan
    pairs = [PreferencePair(PROMPT, " goat", " door", PROMPT), PreferencePair(PROMPT, " goat", " bell", PROMPT)]
    with pytest.raises(ValueError, match="not finite numbers for 1 of 4 texts, the first in example 1"):
        fit_head(model, tokenizer, pairs)
    same = [PreferencePair(PROMPT, " goat", " goat", PROMPT)]
    with pytest.raises(ValueError, match="look the same"):
        fit_head(fresh(), tokenizer, same)


# --- From records ------------------------------------------------------------------------------------


def record(kind, candidates, value, source="human"):
    item = question(PROMPT, candidates)
    return Record(
        "ann",
        source,
        "s",
        "t",
        kind,
        item.item_id,
        PROMPT,
        item.candidates,
        tuple(c.id for c in item.candidates),
        "submitted",
        value([c.id for c in item.candidates]),
    )


def test_examples_come_from_records_of_every_kind(fresh, tokenizer):
    records = [
        record("rank", [" a", " b", " c"], lambda ids: [[ids[1]], [ids[0], ids[2]]]),
        record("score", [" d"], lambda ids: {"kind": 4}),
        record("label", [" e"], lambda ids: ["rude"]),
        record("edit", [" f"], lambda ids: {"base_id": ids[0], "text": " g"}),
        record("compare", [" h", " i"], lambda ids: {"winner": "tie"}),
        record("score", [" gold"], lambda ids: {"kind": 1}, source="gold"),
    ]
    assert rankings(records) == [Ranking(PROMPT, ((" b",), (" a", " c")))]
    assert rankings(records)[0].completions == (" b", " a", " c") and rankings(records)[0].places == (0, 1, 1)
    assert scored_texts(records) == [ScoredText(PROMPT, " d", {"kind": 4})]
    assert labelled_texts(records) == [LabelledText(PROMPT, " e", frozenset({"rude"}))]
    pairs = preference_pairs(records)
    assert (" g", " f") in [(pair.chosen, pair.rejected) for pair in pairs]  # the edit, as a pair
    both = [*pairs, *tied_pairs(records)]
    assert fit_head(fresh(), tokenizer, both, objective=PairsWithTies.for_examples(both)).gradient < 1e-5
