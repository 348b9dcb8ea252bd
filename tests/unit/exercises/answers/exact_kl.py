import torch
import torch.nn.functional as F


def right_pytorch(logits, reference_logits):
    return F.kl_div(reference_logits.log_softmax(-1), logits.softmax(-1), reduction="none").sum(-1)


def right_where(logits, reference_logits):
    p = logits.softmax(-1)
    log_ratio = logits.log_softmax(-1) - reference_logits.log_softmax(-1)
    return torch.where(p > 0, p * log_ratio, torch.zeros_like(p)).sum(-1)


def right_entropies(logits, reference_logits):
    """Cross-entropy less entropy."""
    p = logits.softmax(-1)
    return torch.xlogy(p, p).sum(-1) - (p * reference_logits.log_softmax(-1)).sum(-1)


def right_loops(logits, reference_logits):
    rows = []
    for a, b in zip(logits.double(), reference_logits.double(), strict=True):
        p, log_q, total = a.softmax(0), b.log_softmax(0), 0.0
        for v in range(len(p)):
            if p[v] > 0:
                total = total + p[v] * (p[v].log() - log_q[v])
        rows.append(total)
    return torch.stack(rows)


def wrong_reversed_direction(logits, reference_logits):
    q = reference_logits.softmax(-1)
    return (q * (q.log() - logits.log_softmax(-1))).sum(-1)


def wrong_reversed_direction__kl_div(logits, reference_logits):
    return F.kl_div(logits.log_softmax(-1), reference_logits.softmax(-1), reduction="none").sum(-1)


def wrong_wrong_weights(logits, reference_logits):
    log_q = reference_logits.log_softmax(-1)
    return (log_q.exp() * (logits.log_softmax(-1) - log_q)).sum(-1)


def wrong_wrong_sign(logits, reference_logits):
    return -right_where(logits, reference_logits)


def wrong_not_normalised(logits, reference_logits):
    p = logits.softmax(-1)
    return torch.where(p > 0, p * (logits - reference_logits), torch.zeros_like(p)).sum(-1)


def wrong_summed(logits, reference_logits):
    return right_pytorch(logits, reference_logits).sum()


def wrong_averaged(logits, reference_logits):
    return F.kl_div(reference_logits.log_softmax(-1), logits.softmax(-1), reduction="none").mean(-1)


def wrong_not_a_number(logits, reference_logits):
    log_p = logits.log_softmax(-1)
    return F.kl_div(reference_logits.log_softmax(-1), log_p, reduction="none", log_target=True).sum(-1)


def wrong_in_bits(logits, reference_logits):
    return right_entropies(logits, reference_logits) / torch.log(torch.tensor(2.0))
