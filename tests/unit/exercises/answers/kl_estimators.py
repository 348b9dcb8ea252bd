import torch


def right_plain(log_probs, reference_log_probs):
    r = (reference_log_probs - log_probs).exp()
    return -r.log(), 0.5 * r.log().square(), r - 1 - r.log()


def right_list_in_float64(log_probs, reference_log_probs):
    x = log_probs.double() - reference_log_probs.double()
    return [x, 0.5 * x * x, torch.exp(-x) + x - 1]


def right_loops(log_probs, reference_log_probs):
    rows = []
    for p, q in zip(log_probs, reference_log_probs, strict=True):
        rows.append(torch.stack([p - q, (p - q) ** 2 / 2, (q - p).exp() - 1 - (q - p)]))
    return tuple(torch.stack(rows).T)


def spoils_in_place(log_probs, reference_log_probs):
    log_probs -= reference_log_probs
    k3 = torch.zeros_like(log_probs)
    k3 += torch.expm1(-log_probs)
    k3 += log_probs
    return log_probs, log_probs.pow(2).div(2), k3


def wrong_flipped(log_probs, reference_log_probs):
    x = reference_log_probs - log_probs
    return x, 0.5 * x**2, torch.expm1(-x) + x


def wrong_k1_flipped(log_probs, reference_log_probs):
    x = reference_log_probs - log_probs
    return x, 0.5 * x**2, torch.expm1(x) - x


def wrong_k3_flipped(log_probs, reference_log_probs):
    r = (log_probs - reference_log_probs).exp()
    return r.log(), r.log() ** 2 / 2, (r - 1) - r.log()


def wrong_k2_not_halved(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x.square(), torch.expm1(-x) + x


def wrong_k3_without_one(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x.square() / 2, torch.exp(-x) + x


def wrong_k3_log_sign(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x, x.square() / 2, torch.expm1(-x) - x


def wrong_averaged(log_probs, reference_log_probs):
    x = log_probs - reference_log_probs
    return x.mean(), x.square().mean() / 2, (torch.expm1(-x) + x).mean()
