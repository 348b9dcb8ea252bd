from itertools import chain, combinations, product


def right_itertools(ranking):
    return [pair for high, low in combinations(ranking, 2) for pair in product(high, low)]


def right_places(ranking):
    place = {name: i for i, tier in enumerate(ranking) for name in tier}
    return [(a, b) for a in place for b in place if place[a] < place[b]]


def right_from_below(ranking):
    pairs, lower = [], []
    for tier in reversed(ranking):
        pairs = [[better, worse] for better in tier for worse in lower] + pairs
        lower += tier
    return pairs


def spoils_in_place(ranking):
    pairs = ()
    while ranking:
        tier = ranking.pop(0)
        pairs += tuple((better, worse) for worse in chain(*ranking) for better in tier)
    return pairs


def wrong_neighbours(ranking):
    return [(b, w) for i in range(len(ranking) - 1) for b in ranking[i] for w in ranking[i + 1]]


def wrong_reversed_pairs(ranking):
    return [(w, b) for high, low in combinations(ranking, 2) for b, w in product(high, low)]


def wrong_ties_paired(ranking):
    return list(combinations(chain(*ranking), 2))


def wrong_both_ways(ranking):
    return [(b, w) for high in ranking for low in ranking if high is not low for b in high for w in low]


def wrong_best_against_rest(ranking):
    return [(b, w) for b, w in product(ranking[0] if ranking else [], list(chain(*ranking[1:])))]


def wrong_one_of_each(ranking):
    return list(combinations([tier[0] for tier in ranking], 2))
