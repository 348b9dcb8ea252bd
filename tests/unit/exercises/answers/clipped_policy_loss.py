import torch


def right_as_a_maximum(log_probs, old_log_probs, advantages, mask, clip):
    ratio = torch.exp(log_probs - old_log_probs)
    losses = torch.max(-advantages * ratio, -advantages * torch.clamp(ratio, 1 - clip, 1 + clip))
    return (losses.where(mask, 0.0)).sum() / mask.sum()


def right_bound_by_sign(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = (log_probs - old_log_probs)[mask].exp(), advantages[mask]
    bounded = torch.where(a > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -(bounded * a).mean()


def right_loops_in_float64(log_probs, old_log_probs, advantages, mask, clip):
    terms = []
    for new, old, a, real in zip(*(x.flatten() for x in (log_probs, old_log_probs, advantages, mask)), strict=True):
        if real:
            ratio = torch.exp(new.double() - old.double())
            terms.append(torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a))
    return -torch.stack(terms).mean()


def spoils_in_place(log_probs, old_log_probs, advantages, mask, clip):
    log_probs -= old_log_probs
    ratio = log_probs[mask].exp()
    surrogate = torch.stack([ratio * advantages[mask], ratio.clip(1 - clip, 1 + clip) * advantages[mask]])
    return -surrogate.amin(0).flip(0).mean()


def _ratio(log_probs, old_log_probs, mask):
    return torch.exp(log_probs[mask] - old_log_probs[mask])


def wrong_wrong_sign(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = _ratio(log_probs, old_log_probs, mask), advantages[mask]
    return torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a).mean()


def wrong_not_clipped(log_probs, old_log_probs, advantages, mask, clip):
    return -(_ratio(log_probs, old_log_probs, mask) * advantages[mask]).mean()


def wrong_only_clipped(log_probs, old_log_probs, advantages, mask, clip):
    return -(_ratio(log_probs, old_log_probs, mask).clip(1 - clip, 1 + clip) * advantages[mask]).mean()


def wrong_maximum(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = _ratio(log_probs, old_log_probs, mask), advantages[mask]
    return torch.min(-ratio * a, -ratio.clip(1 - clip, 1 + clip) * a).mean()


def wrong_ratio_inverted(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = 1 / _ratio(log_probs, old_log_probs, mask), advantages[mask]
    return -torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a).mean()


def wrong_padding_counted(log_probs, old_log_probs, advantages, mask, clip):
    ratio = (log_probs - old_log_probs).exp()
    return torch.max(-ratio * advantages, -ratio.clip(1 - clip, 1 + clip) * advantages).mean()


def wrong_divided_by_all(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = _ratio(log_probs, old_log_probs, mask), advantages[mask]
    return -torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a).sum() / mask.numel()


def wrong_only_upper(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = _ratio(log_probs, old_log_probs, mask), advantages[mask]
    return -torch.min(ratio * a, torch.minimum(ratio, torch.tensor(1 + clip)) * a).mean()


def wrong_ratio_to_itself(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = _ratio(log_probs, log_probs.detach(), mask), advantages[mask]
    return -torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a).mean()


def wrong_smaller_ratio(log_probs, old_log_probs, advantages, mask, clip):
    return -(_ratio(log_probs, old_log_probs, mask).clip(max=1 + clip) * advantages[mask]).mean()


def wrong_ratio_of_logarithms(log_probs, old_log_probs, advantages, mask, clip):
    ratio, a = log_probs[mask] / old_log_probs[mask], advantages[mask]
    return torch.max(-ratio * a, -ratio.clip(1 - clip, 1 + clip) * a).mean()


def wrong_logarithm_clipped(log_probs, old_log_probs, advantages, mask, clip):
    moved, a = (log_probs - old_log_probs)[mask], advantages[mask]
    return torch.max(-moved.exp() * a, -torch.exp(moved.clip(-clip, clip)) * a).mean()
