import torch


def right_clamped(values, old_values, returns, mask, clip):
    held = torch.clamp(values, old_values - clip, old_values + clip)
    losses = torch.max((returns - values).square(), (returns - held).square()) / 2
    return losses[mask].sum() / mask.sum()


def right_loops_in_float64(values, old_values, returns, mask, clip):
    total = 0.0
    for v, o, r, real in zip(*(x.flatten() for x in (values, old_values, returns, mask)), strict=True):
        if real:
            v, o, r = v.double(), o.double(), r.double()
            held = torch.minimum(torch.maximum(v, o - clip), o + clip)
            total = total + torch.maximum((v - r) ** 2, (held - r) ** 2)
    return total / (2 * mask.sum())


def right_where(values, old_values, returns, mask, clip):
    moved = values - old_values
    held = torch.where(moved > clip, old_values + clip, torch.where(moved < -clip, old_values - clip, values))
    errors = torch.stack([values, held]).sub(returns).pow(2).amax(0)
    return errors.masked_fill(~mask, 0.0).sum() / mask.sum() * 0.5


def right_in_place(values, old_values, returns, mask, clip):
    held = (values - old_values).clamp(-clip, clip)
    held += old_values
    errors = torch.maximum((values - returns) ** 2, (held - returns) ** 2)
    errors *= mask
    return torch.einsum("bt->", errors) / mask.sum() / 2


def _held(values, old_values, clip):
    return values.clamp(old_values - clip, old_values + clip)


def wrong_minimum(values, old_values, returns, mask, clip):
    held = _held(values, old_values, clip)
    return torch.min((values - returns)[mask] ** 2, (held - returns)[mask] ** 2).mean() / 2


def wrong_not_clipped(values, old_values, returns, mask, clip):
    return torch.nn.functional.mse_loss(values[mask], returns[mask]) / 2


def wrong_only_clipped(values, old_values, returns, mask, clip):
    return torch.nn.functional.mse_loss(_held(values, old_values, clip)[mask], returns[mask]) / 2


def wrong_no_half(values, old_values, returns, mask, clip):
    held = _held(values, old_values, clip)
    return torch.max((values - returns)[mask] ** 2, (held - returns)[mask] ** 2).mean()


def wrong_clipped_at_zero(values, old_values, returns, mask, clip):
    return torch.max((values - returns)[mask] ** 2, (values.clip(-clip, clip) - returns)[mask] ** 2).mean() / 2


def wrong_padding_counted(values, old_values, returns, mask, clip):
    held = _held(values, old_values, clip)
    return torch.max((values - returns) ** 2, (held - returns) ** 2).mean() / 2


def wrong_maximum_of_means(values, old_values, returns, mask, clip):
    both = [((x - returns)[mask] ** 2).mean() / 2 for x in (values, _held(values, old_values, clip))]
    return max(both)
