import math
from itertools import combinations

import torch


def right_all_choices(rewards, n):
    return torch.stack([torch.stack(choice).max() for choice in combinations(rewards, n)]).mean()


def right_largest_first(rewards, n):
    ordered = rewards.double().sort(descending=True).values
    share, answer = n / len(rewards), torch.tensor(0.0, dtype=torch.float64)
    for i, reward in enumerate(ordered):
        answer = answer + share * reward
        share *= (len(rewards) - i - n) / (len(rewards) - i - 1) if i + 1 < len(rewards) else 0
    return answer


def right_differences(rewards, n):
    values = sorted(rewards.tolist())
    total = math.comb(len(values), n)
    below = [math.comb(i + 1, n) / total for i in range(len(values))]
    return torch.tensor(sum((b - a) * v for a, b, v in zip([0, *below], below, values, strict=False)))


def spoils_in_place(rewards, n):
    rewards[:] = rewards.sort().values
    for i in range(len(rewards)):
        rewards[i] *= math.comb(i, n - 1)
    return rewards.sum() / math.comb(len(rewards), n)


def wrong_best_of_all(rewards, n):
    return rewards.sort().values[-1]


def wrong_mean_of_all(rewards, n):
    return rewards.sum() / len(rewards)


def wrong_first_n(rewards, n):
    return torch.stack(list(rewards)[:n]).amax()


def wrong_with_replacement(rewards, n):
    places = torch.arange(len(rewards) + 1, dtype=torch.float64) / len(rewards)
    return (rewards.sort().values * (places**n).diff()).sum()


def wrong_worst_of_n(rewards, n):
    return torch.stack([torch.stack(choice).min() for choice in combinations(rewards, n)]).mean()


def wrong_mean_of_top(rewards, n):
    return rewards.sort(descending=True).values[:n].mean()


def wrong_unsorted(rewards, n):
    counts = torch.tensor([math.comb(i, n - 1) for i in range(len(rewards))], dtype=rewards.dtype)
    return rewards @ counts / math.comb(len(rewards), n)


def wrong_n_of_the_lower(rewards, n):
    counts = torch.tensor([math.comb(i, n) for i in range(len(rewards))], dtype=rewards.dtype)
    return rewards.sort().values @ counts / math.comb(len(rewards), n)
