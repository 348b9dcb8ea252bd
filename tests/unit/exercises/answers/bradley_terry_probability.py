import torch
import torch.nn.functional as F


def right_softmax(reward_a, reward_b):
    return torch.stack([reward_a, reward_b]).softmax(0)[0]


def right_loop(reward_a, reward_b):
    return torch.stack([(a - b).sigmoid() for a, b in zip(reward_a, reward_b, strict=True)])


def right_tanh_in_float64(reward_a, reward_b):
    return 0.5 + 0.5 * torch.tanh((reward_a.double() - reward_b.double()) / 2)


def right_shifted_exponentials(reward_a, reward_b):
    top = torch.maximum(reward_a, reward_b)
    a, b = (reward_a - top).exp(), (reward_b - top).exp()
    return a / (a + b)


def spoils_in_place(reward_a, reward_b):
    reward_a -= reward_b
    return reward_a.sigmoid_()


def right_log_first(reward_a, reward_b):
    return F.logsigmoid(reward_a - reward_b).exp()


def wrong_swapped(reward_a, reward_b):
    return 1 - torch.sigmoid(reward_a - reward_b)


def wrong_overflow(reward_a, reward_b):
    a, b = torch.exp(reward_a), torch.exp(reward_b)
    return a / (b + a)


def wrong_share_of_rewards(reward_a, reward_b):
    return torch.div(reward_a, reward_b + reward_a)


def wrong_no_sigmoid(reward_a, reward_b):
    return -(reward_b - reward_a)


def wrong_only_a(reward_a, reward_b):
    return torch.special.expit(reward_a)


def wrong_added(reward_a, reward_b):
    return torch.sigmoid(reward_b + reward_a)


def wrong_logarithm(reward_a, reward_b):
    return -F.softplus(reward_b - reward_a)


def wrong_odds(reward_a, reward_b):
    return 1 / torch.exp(reward_b - reward_a)


def wrong_softmax_of_batch(reward_a, reward_b):
    return torch.softmax(reward_a, dim=0)
