import torch


def right_as_a_maximum(ratio, advantages, low, high):
    return -torch.max(-ratio * advantages, -torch.clip(ratio, 1 - low, 1 + high) * advantages)


def right_bound_by_sign(ratio, advantages, low, high):
    return advantages * torch.where(advantages > 0, ratio.clamp(max=1 + high), ratio.clamp(min=1 - low))


def right_loops_in_float64(ratio, advantages, low, high):
    terms = []
    for r, a in zip(ratio.double(), advantages.double(), strict=True):
        terms.append(torch.min(r * a, r.clamp(1 - low, 1 + high) * a))
    return torch.stack(terms)


def right_stacked(ratio, advantages, low, high):
    both = torch.stack([ratio, torch.minimum(torch.maximum(ratio, 1 - low + 0 * ratio), 1 + high + 0 * ratio)])
    return (both * advantages).amin(0)


def _smaller(ratio, advantages, low, high):
    return torch.stack([ratio * advantages, ratio.clip(low, high) * advantages]).min(0).values


def wrong_low_for_both(ratio, advantages, low, high):
    return _smaller(ratio, advantages, 1 - low, 1 + low)


def wrong_high_for_both(ratio, advantages, low, high):
    return _smaller(ratio, advantages, 1 - high, 1 + high)


def wrong_bounds_swapped(ratio, advantages, low, high):
    return _smaller(ratio, advantages, 1 - high, 1 + low)


def wrong_negative(ratio, advantages, low, high):
    return -_smaller(ratio, advantages, 1 - low, 1 + high)


def wrong_only_clipped(ratio, advantages, low, high):
    return advantages * ratio.clip(1 - low, 1 + high)


def wrong_maximum(ratio, advantages, low, high):
    return torch.max(ratio * advantages, ratio.clip(1 - low, 1 + high) * advantages)


def wrong_not_clipped(ratio, advantages, low, high):
    return advantages * ratio


def wrong_only_upper(ratio, advantages, low, high):
    return _smaller(ratio, advantages, -float("inf"), 1 + high)


def wrong_smaller_ratio(ratio, advantages, low, high):
    return ratio.clip(max=1 + high) * advantages
