import math

import torch


def right_einsum(mean_losses, token_counts):
    return torch.exp(torch.einsum("n,n->", mean_losses, token_counts.to(mean_losses.dtype)) / token_counts.sum())


def right_loop(mean_losses, token_counts):
    total, tokens = 0.0, 0
    for loss, count in zip(mean_losses, token_counts, strict=True):
        total = total + loss * count
        tokens += int(count)
    return torch.exp(total / tokens)


def right_weights_first(mean_losses, token_counts):
    weights = token_counts.double() / token_counts.sum()
    return math.e ** (mean_losses.double() * weights).flip(0).sum()


def spoils_in_place(mean_losses, token_counts):
    mean_losses *= token_counts
    return torch.exp_(mean_losses.sum().div(token_counts.sum()))


def wrong_unweighted(mean_losses, token_counts):
    return torch.exp(sum(mean_losses) / len(mean_losses))


def wrong_mean_of_perplexities(mean_losses, token_counts):
    return (torch.exp(mean_losses) * (token_counts / token_counts.sum())).sum()


def wrong_unweighted_mean_of_perplexities(mean_losses, token_counts):
    return sum(loss.exp() for loss in mean_losses) / len(mean_losses)


def wrong_no_exponential(mean_losses, token_counts):
    return mean_losses @ (token_counts / token_counts.sum()).to(mean_losses.dtype)


def wrong_base_two(mean_losses, token_counts):
    return torch.exp2((mean_losses * token_counts).sum() / token_counts.sum())


def wrong_divided_by_documents(mean_losses, token_counts):
    return (mean_losses * token_counts).mean().exp()


def wrong_wrong_sign(mean_losses, token_counts):
    return 1 / ((mean_losses * token_counts).sum() / token_counts.sum()).exp()
