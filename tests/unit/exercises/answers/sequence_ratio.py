import torch


def right_loops(log_probs, old_log_probs, mask):
    ratios = []
    for new, old, real in zip(log_probs, old_log_probs, mask, strict=True):
        ratios.append((new[real] - old[real]).mean().exp())
    return torch.stack(ratios)


def right_root_of_the_product(log_probs, old_log_probs, mask):
    ratio = torch.where(mask, (log_probs - old_log_probs).exp(), 1.0)
    return ratio.prod(1) ** (1 / mask.sum(1))


def right_in_float64(log_probs, old_log_probs, mask):
    weights = mask.double() / mask.sum(1, keepdim=True)
    log_ratio = torch.where(mask, log_probs.double() - old_log_probs.double(), 0.0)
    return torch.exp(torch.einsum("bt,bt->b", weights, log_ratio))


def right_difference_of_means(log_probs, old_log_probs, mask):
    new, old = (x.where(mask, torch.zeros_like(x)).sum(1) / mask.sum(1) for x in (log_probs, old_log_probs))
    return torch.exp(new - old)


def _sums(log_probs, old_log_probs, mask):
    difference = log_probs - old_log_probs
    return torch.stack([row[real].sum() for row, real in zip(difference, mask, strict=True)])


def wrong_product(log_probs, old_log_probs, mask):
    return torch.exp(_sums(log_probs, old_log_probs, mask))


def wrong_arithmetic(log_probs, old_log_probs, mask):
    ratio = torch.exp(log_probs - old_log_probs)
    return torch.stack([row[real].mean() for row, real in zip(ratio, mask, strict=True)])


def wrong_padding_summed(log_probs, old_log_probs, mask):
    return torch.exp(torch.sum(log_probs - old_log_probs, 1) / mask.sum(1))


def wrong_divided_by_width(log_probs, old_log_probs, mask):
    return torch.exp(_sums(log_probs, old_log_probs, mask) / mask.shape[1])


def wrong_no_exponential(log_probs, old_log_probs, mask):
    return _sums(log_probs, old_log_probs, mask) / mask.sum(1)


def wrong_inverted(log_probs, old_log_probs, mask):
    return 1 / torch.exp(_sums(log_probs, old_log_probs, mask) / mask.sum(1))


def wrong_of_the_batch(log_probs, old_log_probs, mask):
    one = (log_probs[mask] - old_log_probs[mask]).mean().exp()
    return torch.stack([one] * len(mask))


def wrong_ratio_of_logarithms(log_probs, old_log_probs, mask):
    return torch.stack([(new[m] / old[m]).mean() for new, old, m in zip(log_probs, old_log_probs, mask, strict=True)])
