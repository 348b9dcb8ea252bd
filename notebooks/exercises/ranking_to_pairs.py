"""Exercise of notebook 02: what a ranking says, as pairs."""

from itertools import pairwise

from rlhf_lab.exercises.drawing import size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def ranking_to_pairs(ranking: list[list[str]]) -> list[tuple[str, str]]:
    """All pairs (better, worse) that a ranking implies, in any order.

    ranking: tiers of names, the best tier first. Names in one tier are as good as each other.
    """
    pairs = []
    for place, tier in enumerate(ranking):
        for lower_tier in ranking[place + 1 :]:  # every lower one, not only the next
            pairs += [(better, worse) for better in tier for worse in lower_tier]
    return pairs


def cases():
    yield Case("three in a row", ([["a"], ["b"], ["c"]],))
    yield Case("two share the first place", ([["a", "b"], ["c"]],))
    yield Case("two share the last place", ([["a"], ["b", "c"]],))
    yield Case("all the same", ([["a", "b", "c"]],))
    yield Case("five in three tiers", ([["d"], ["a", "c"], ["b", "e"]],))
    yield Case("nothing", ([],))


def draw(generator):
    names, tiers = list("abcdefg")[: size(generator, 2, 7)], []
    while names:
        together = size(generator, 1, min(2, len(names)))
        tiers.append([names.pop(size(generator, 0, len(names) - 1)) for _ in range(together)])
    return (tiers,)


@mistake(
    "You compared each tier with the next one only.",
    "The first is better than the third as well. k names without ties make k (k - 1) / 2 pairs, not k - 1.",
)
def neighbours(ranking):
    return [(b, w) for tier, following in pairwise(ranking) for b in tier for w in following]


@mistake("The pairs are the wrong way round.", "The better one comes first, and the best tier is the first.")
def reversed_pairs(ranking):
    return [(w, b) for b, w in ranking_to_pairs(ranking)]


@mistake("You made pairs out of ties.", "Names in one tier are as good as each other: no winner, no strict pair.")
def ties_paired(ranking):
    flat = [name for tier in ranking for name in tier]
    return [(b, w) for i, b in enumerate(flat) for w in flat[i + 1 :]]


@mistake(
    "You have every pair in both directions.",
    "So nothing is learned: each pair says the opposite of another. Only (better, worse).",
)
def both_ways(ranking):
    return ranking_to_pairs(ranking) + reversed_pairs.function(ranking)


@mistake("You compared only the best tier with the rest.", "The second is better than the third, too.")
def best_against_rest(ranking):
    return [(b, w) for b in (ranking or [[]])[0] for tier in ranking[1:] for w in tier]


@mistake("You took one name of each tier only.", "Everybody in a tier is better than everybody in the lower ones.")
def one_of_each(ranking):
    return ranking_to_pairs([tier[:1] for tier in ranking])


@mistake("You paired names with themselves.", "Nothing is better than itself: begin at the tier below.")
def with_itself(ranking):
    return [(b, w) for i, tier in enumerate(ranking) for low in ranking[i:] for b in tier for w in low]


@mistake("You compared only the best with the worst tier.", "All pairs of different tiers say something.")
def best_against_worst(ranking):
    return [(b, w) for b in ranking[0] for w in ranking[-1]] if len(ranking) > 1 else []


EXERCISE = Exercise(
    reference=ranking_to_pairs,
    title="pairs from a ranking",
    question="""
        A reward model learns from pairs, and somebody has ranked several completions, ties allowed. Which strict pairs,
        without ties, does the ranking imply?
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Who is worse than somebody in tier i? Everybody in all tiers after it.",
        "`ranking[i + 1 :]` are the tiers below tier i. Two more loops: over the names of tier i, and over those of a"
        " lower tier.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        neighbours,
        reversed_pairs,
        ties_paired,
        both_ways,
        best_against_rest,
        one_of_each,
        with_itself,
        best_against_worst,
    ),
    unordered=True,
)
