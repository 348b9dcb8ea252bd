import math

import torch


def right_absolute(utilities, temperature):
    return torch.sigmoid((utilities[:, 0] - utilities[:, 1]).abs() / temperature).mean()


def right_softmax(utilities, temperature):
    return (utilities / temperature).softmax(1).max(1).values.mean()


def right_loop(utilities, temperature):
    total = 0.0
    for a, b in utilities.tolist():
        total += 1 / (1 + math.exp(-abs(a - b) / temperature))
    return torch.tensor(total / len(utilities))


def right_half_plus(utilities, temperature):
    p = torch.sigmoid(utilities.double().diff(dim=1).squeeze(1) / temperature)
    return 0.5 + (p - 0.5).abs().mean()


def wrong_always_first(utilities, temperature):
    return (utilities / temperature).softmax(1)[:, 0].mean()


def wrong_one_bet_for_all(utilities, temperature):
    return (utilities / temperature).softmax(1).mean(0).max()


def wrong_two_answers(utilities, temperature):
    return ((utilities / temperature).softmax(1) ** 2).sum(1).mean()


def wrong_times_temperature(utilities, temperature):
    return (utilities * temperature).softmax(1).max(1).values.mean()


def wrong_no_temperature(utilities, temperature):
    return utilities.softmax(1).amax(1).mean()


def wrong_its_errors(utilities, temperature):
    return (utilities / temperature).softmax(1).min(1).values.mean()


def wrong_brier(utilities, temperature):
    return (utilities / temperature).softmax(1).prod(1).mean()


def wrong_mean_difference(utilities, temperature):
    gap = utilities.diff(dim=1).abs().mean()
    return 1 / (1 + torch.exp(-gap / temperature))
