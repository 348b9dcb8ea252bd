import torch
import torch.nn.functional as F


def right_exponentials_of_log(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    win, loss = F.logsigmoid(d - threshold), F.logsigmoid(-d - threshold)
    return torch.stack([win.exp(), torch.expm1(2 * threshold) * (win + loss).exp(), loss.exp()], 1)


def right_loop(reward_a, reward_b, threshold):
    rows = []
    for a, b in zip(reward_a, reward_b, strict=True):
        win, loss = torch.sigmoid(a - b - threshold), torch.sigmoid(b - a - threshold)
        rows.append(torch.stack([win, 1 - win - loss, loss]))
    return torch.stack(rows)


def right_edges_in_float64(reward_a, reward_b, threshold):
    d = (reward_a.double() - reward_b.double())[:, None]
    above = torch.sigmoid(d - torch.stack([threshold, -threshold]).double())  # (N, 2): above each edge of the zone
    return torch.cat([above[:, :1], above[:, 1:] - above[:, :1], 1 - above[:, 1:]], 1)


def right_tanh(reward_a, reward_b, threshold):
    half = (reward_a - reward_b) / 2
    a = (1 + torch.tanh(half - threshold / 2)) / 2
    b = (1 - torch.tanh(half + threshold / 2)) / 2
    return torch.cat([a[:, None], (1 - (a + b))[:, None], b[:, None]], dim=1)


def wrong_no_threshold(reward_a, reward_b, threshold):
    a, b = torch.sigmoid(reward_a - reward_b), torch.sigmoid(reward_b - reward_a)
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_threshold_added(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    a, b = torch.sigmoid(d + threshold), torch.sigmoid(threshold - d)
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_one_sided(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    a, b = torch.sigmoid(d - threshold), 1 - torch.sigmoid(d)
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_swapped(reward_a, reward_b, threshold):
    d = reward_b - reward_a
    a, b = torch.sigmoid(d - threshold), torch.sigmoid(-d - threshold)
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_tie_last(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    a, b = torch.sigmoid(d - threshold), torch.sigmoid(-d - threshold)
    return torch.stack([a, b, 1 - a - b], 1)


def wrong_rest_is_b(reward_a, reward_b, threshold):
    a = torch.sigmoid(reward_a - reward_b - threshold)
    b = 1 - a
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_halved(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    a, b = torch.sigmoid(d - threshold / 2), torch.sigmoid(-d - threshold / 2)
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_threshold_turned(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    a, b = 1 / (1 + torch.exp(threshold - d)), 1 / (1 + torch.exp(-threshold - d))
    return torch.stack([a, 1 - a - b, b], 1)


def wrong_tie_as_product(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    not_a, not_b = torch.sigmoid(threshold - d), torch.sigmoid(threshold + d)
    return torch.stack([1 - not_a, not_a * not_b, 1 - not_b], 1)


def wrong_tie_for_sure(reward_a, reward_b, threshold):
    d = reward_a - reward_b
    p = torch.sigmoid(d)
    felt = (d.abs() > threshold).float()
    return torch.stack([p * felt, 1 - felt, (1 - p) * felt], 1)
