import math
from itertools import combinations

import torch


def right_all_choices(rewards, values, n):
    picked = [max(choice, key=lambda i: rewards[i]) for choice in combinations(range(len(rewards)), n)]
    return values[torch.tensor(picked)].mean()


def right_by_places(rewards, values, n):
    places = rewards.argsort().argsort().tolist()
    weights = torch.tensor([math.comb(i, n - 1) for i in places], dtype=torch.float64)
    return (weights * values).sum() / math.comb(len(rewards), n)


def right_sorted_pairs(rewards, values, n):
    pairs = sorted(zip(rewards.tolist(), values.tolist(), strict=True))
    total = math.comb(len(pairs), n)
    return torch.tensor(sum(math.comb(i, n - 1) / total * value for i, (_, value) in enumerate(pairs)))


def right_largest_first(rewards, values, n):
    in_order = values[rewards.argsort(descending=True)]
    count = len(values)
    weights = torch.tensor([math.comb(count - 1 - i, n - 1) for i in range(count)], dtype=values.dtype)
    return in_order @ weights / math.comb(count, n)


def wrong_picked_by_values(rewards, values, n):
    return torch.stack([torch.stack(choice).max() for choice in combinations(values, n)]).mean()


def wrong_reward_itself(rewards, values, n):
    return torch.stack([torch.stack(choice).max() for choice in combinations(rewards, n)]).mean()


def wrong_unordered(rewards, values, n):
    rewards.sort()
    weights = torch.tensor([math.comb(i, n - 1) for i in range(len(values))], dtype=values.dtype)
    return values @ weights / math.comb(len(values), n)


def wrong_inverse_order(rewards, values, n):
    places = [int((rewards < r).sum()) for r in rewards]
    weights = torch.tensor([math.comb(i, n - 1) for i in range(len(values))], dtype=values.dtype)
    return values[places] @ weights / math.comb(len(values), n)


def wrong_worst_of_n(rewards, values, n):
    picked = [min(choice, key=lambda i: rewards[i]) for choice in combinations(range(len(rewards)), n)]
    return values[torch.tensor(picked)].mean()


def wrong_best_of_all(rewards, values, n):
    return values[rewards == rewards.max()][0]


def wrong_mean_of_all(rewards, values, n):
    return values.sum() / len(values)


def wrong_mean_of_top(rewards, values, n):
    return values[rewards.argsort()[-n:]].mean()
