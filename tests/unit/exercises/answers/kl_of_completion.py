import torch
import torch.nn.functional as F


def right_where(log_probs, reference_log_probs, mask):
    return torch.where(mask, log_probs - reference_log_probs, 0.0).sum() / len(mask)


def right_indexing(log_probs, reference_log_probs, mask):
    return (log_probs[mask] - reference_log_probs[mask]).sum() / mask.shape[0]


def right_loops(log_probs, reference_log_probs, mask):
    texts = []
    for p, q, real in zip(log_probs, reference_log_probs, mask, strict=True):
        texts.append(sum(p[t] - q[t] for t in range(len(real)) if real[t]))
    return torch.stack(texts).mean()


def right_einsum_in_float64(log_probs, reference_log_probs, mask):
    zero = torch.zeros((), dtype=torch.float64)
    p, q = (torch.where(mask, x.double(), zero) for x in (log_probs, reference_log_probs))
    return torch.einsum("bt,bt->b", p - q, mask.double()).mean()


def spoils_in_place(log_probs, reference_log_probs, mask):
    log_probs[~mask] = 0
    reference_log_probs[~mask] = 0
    return log_probs.sum(1).mean() - reference_log_probs.sum(1).mean()


def wrong_wrong_sign(log_probs, reference_log_probs, mask):
    return torch.where(mask, reference_log_probs - log_probs, 0.0).sum(1).mean()


def wrong_padding_counted(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs).sum() / len(mask)


def wrong_times_mask(log_probs, reference_log_probs, mask):
    return torch.einsum("bt,bt->", log_probs - reference_log_probs, mask.to(log_probs.dtype)) / len(mask)


def wrong_per_token(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs)[mask].mean()


def wrong_mean_of_each(log_probs, reference_log_probs, mask):
    return torch.stack([(p - q)[m].mean() for p, q, m in zip(log_probs, reference_log_probs, mask, strict=True)]).mean()


def wrong_summed(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs)[mask].sum()


def wrong_absolute(log_probs, reference_log_probs, mask):
    return (log_probs - reference_log_probs)[mask].abs().sum() / len(mask)


def wrong_weighted(log_probs, reference_log_probs, mask):
    terms = log_probs.exp() * (log_probs - reference_log_probs)
    return terms.masked_fill(~mask, 0).sum(1).mean()


def wrong_k3(log_probs, reference_log_probs, mask):
    log_ratio = torch.where(mask, reference_log_probs - log_probs, 0.0)
    return (torch.expm1(log_ratio) - log_ratio).sum(1).mean()


def wrong_kl_div_other_way(log_probs, reference_log_probs, mask):
    terms = F.kl_div(log_probs, reference_log_probs, reduction="none", log_target=True)
    return terms.masked_fill(~mask, 0).sum(1).mean()


def wrong_mask_inverted(log_probs, reference_log_probs, mask):
    return torch.where(mask, 0.0, log_probs - reference_log_probs).sum(-1).mean()


def wrong_k2(log_probs, reference_log_probs, mask):
    squares = torch.where(mask, log_probs - reference_log_probs, 0.0).square()
    return squares.sum() / 2 / len(mask)
