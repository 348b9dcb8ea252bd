import torch


def right_bucketize(probabilities, outcomes, bins):
    edges = torch.arange(1, bins) / bins
    index = torch.bucketize(probabilities.float(), edges, right=True)
    one_hot = torch.eye(bins, dtype=probabilities.dtype)[index]
    return ((probabilities - outcomes.to(probabilities.dtype)) @ one_hot).abs().sum() / len(index)


def right_lists(probabilities, outcomes, bins):
    held = [[] for _ in range(bins)]
    for p, y in zip(probabilities.tolist(), outcomes.tolist(), strict=True):
        held[min(int(p * bins), bins - 1)].append(p - y)
    return torch.tensor(sum(abs(sum(gaps)) for gaps in held) / len(outcomes))


def right_index_add(probabilities, outcomes, bins):
    index = torch.clamp((probabilities * bins).floor(), max=bins - 1).int()
    sums = torch.zeros(bins, dtype=torch.float64).index_add_(0, index, probabilities.double() - outcomes.double())
    return sums.abs().sum() / outcomes.numel()


def spoils_in_place(probabilities, outcomes, bins):
    total = torch.tensor(0.0, dtype=probabilities.dtype)
    index = (probabilities * bins).long().clamp_(0, bins - 1)
    probabilities -= outcomes.int()
    for k in reversed(range(bins)):
        total += probabilities[index == k].sum().abs()
    return total / len(index)


def _bins(p, bins):
    return [(p * bins).long().clamp(max=bins - 1) == k for k in range(bins)]


def wrong_signed(probabilities, outcomes, bins):
    return probabilities.mean() - outcomes.to(probabilities.dtype).mean()


def wrong_unweighted(probabilities, outcomes, bins):
    difference = probabilities - outcomes.int()
    return torch.stack([difference[m].mean().abs() for m in _bins(probabilities, bins) if m.any()]).mean()


def wrong_one_bin(probabilities, outcomes, bins):
    return (probabilities - outcomes.int()).mean().abs()


def wrong_no_bins(probabilities, outcomes, bins):
    return torch.where(outcomes, 1 - probabilities, probabilities).mean()


def wrong_brier(probabilities, outcomes, bins):
    return torch.nn.functional.mse_loss(probabilities, outcomes.to(probabilities.dtype))


def wrong_largest(probabilities, outcomes, bins):
    difference = probabilities - outcomes.int()
    return max(difference[m].mean().abs() for m in _bins(probabilities, bins) if m.any())


def wrong_closed_on_the_right(probabilities, outcomes, bins):
    difference = probabilities - outcomes.int()
    exact = (probabilities * bins).frac() == 0
    index = (probabilities * bins).long() - (exact & (probabilities > 0)).long()
    return sum(difference[index == k].sum().abs() for k in range(bins)) / len(difference)


def wrong_zeros_lost(probabilities, outcomes, bins):
    difference = (probabilities - outcomes.int()) * (probabilities != 0)
    return sum(difference[m].sum().abs() for m in _bins(probabilities, bins)) / len(difference)


def wrong_empty_bins(probabilities, outcomes, bins):
    difference = probabilities - outcomes.int()
    return sum(difference[m].mean().abs() * m.sum() / len(m) for m in _bins(probabilities, bins))
