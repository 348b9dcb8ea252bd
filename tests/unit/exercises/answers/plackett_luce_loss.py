import torch
import torch.nn.functional as F


def right_loop(scores):
    total = 0.0
    for place in range(scores.shape[1] - 1):
        total = total + scores[:, place:].logsumexp(1) - scores[:, place]
    return total.mean()


def right_log_softmax(scores):
    return -sum(scores[:, i:].log_softmax(1)[:, 0] for i in range(scores.shape[1])).mean()


def right_mask_in_float64(scores):
    size = scores.shape[1]
    gone = torch.ones(size, size, dtype=torch.bool).tril(-1)
    rivals = scores.double()[:, None, :].expand(-1, size, -1).masked_fill(gone, -torch.inf)
    return (rivals.logsumexp(2) - scores).sum() / len(scores)


def right_row_by_row(scores):
    losses = []
    for row in scores:
        losses.append(sum(F.cross_entropy(row[i:], torch.tensor(0)) for i in range(len(row))))
    return torch.stack(losses).mean()


def wrong_upside_down(scores):
    return (scores.logcumsumexp(1) - scores).sum(1).mean()


def wrong_best_only(scores):
    return -scores.log_softmax(1)[:, 0].mean()


def wrong_from_all(scores):
    return -scores.log_softmax(1).sum(1).mean()


def wrong_without_itself(scores):
    size = scores.shape[1]
    return sum(scores[:, i + 1 :].logsumexp(1) - scores[:, i] for i in range(size - 1)).mean()


def wrong_neighbours(scores):
    return F.softplus(scores[:, 1:] - scores[:, :-1]).sum(1).mean()


def wrong_all_pairs(scores):
    difference = scores[:, :, None] - scores[:, None, :]
    return F.softplus(-difference).triu(1).sum((1, 2)).mean()


def wrong_mean_of_places(scores):
    return torch.stack([scores[:, i:].logsumexp(1) - scores[:, i] for i in range(scores.shape[1])]).mean()


def wrong_summed(scores):
    return sum((scores[:, i:].logsumexp(1) - scores[:, i]).sum() for i in range(scores.shape[1]))


def wrong_mean_of_pairs(scores):
    size = scores.shape[1]
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    return torch.stack([F.softplus(scores[:, j] - scores[:, i]) for i, j in pairs]).mean()
