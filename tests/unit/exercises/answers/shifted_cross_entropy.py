import torch
import torch.nn.functional as F


def right_cross_entropy(logits, ids, mask):
    m = mask[:, 1:]
    return F.cross_entropy(logits[:, :-1][m], ids[:, 1:][m])


def right_ignore_index(logits, ids, mask):
    labels = ids.masked_fill(~mask, -100)[:, 1:]
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), labels, ignore_index=-100)


def right_loops(logits, ids, mask):
    losses = []
    for row in range(ids.shape[0]):
        for t in range(ids.shape[1] - 1):
            if mask[row, t + 1]:
                losses.append(torch.logsumexp(logits[row, t], 0) - logits[row, t, ids[row, t + 1]])
    return sum(losses) / len(losses)


def right_einsum_in_float64(logits, ids, mask):
    log_p = torch.log_softmax(logits.double(), -1)[:, :-1]
    one_hot = F.one_hot(ids, logits.shape[-1])[:, 1:].double()
    weights = mask[:, 1:].double()
    return -torch.einsum("blv,blv,bl->", log_p, one_hot, weights) / weights.sum()


def right_in_place(logits, ids, mask):
    log_probs = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2)
    log_probs *= -1
    log_probs[~mask[:, 1:]] = 0
    return log_probs.flip(1).sum() / mask[:, 1:].sum()


def wrong_not_shifted(logits, ids, mask):
    return F.cross_entropy(logits[mask], ids[mask])


def wrong_shifted_backwards(logits, ids, mask):
    return F.cross_entropy(logits[:, 1:][mask[:, 1:]], ids[:, :-1][mask[:, 1:]])


def wrong_mask_not_shifted(logits, ids, mask):
    m = mask[:, :-1]
    return F.cross_entropy(logits[:, :-1][m], ids[:, 1:][m])


def wrong_mask_ignored(logits, ids, mask):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def wrong_divided_by_all(logits, ids, mask):
    each = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return (each * mask[:, 1:].float()).mean()


def wrong_divided_by_unshifted_mask(logits, ids, mask):
    m = mask[:, 1:]
    return F.cross_entropy(logits[:, :-1][m], ids[:, 1:][m], reduction="sum") / mask.sum()


def wrong_summed(logits, ids, mask):
    m = mask[:, 1:]
    return F.cross_entropy(logits[:, :-1][m], ids[:, 1:][m], reduction="sum")


def wrong_wrong_sign(logits, ids, mask):
    log_probs = F.log_softmax(logits[:, :-1], -1).gather(2, ids[:, 1:, None])[..., 0]
    return log_probs[mask[:, 1:]].mean()


def wrong_log_of_softmax(logits, ids, mask):
    p = torch.softmax(logits, -1)[:, :-1][mask[:, 1:]]
    return F.nll_loss(torch.log(p), ids[:, 1:][mask[:, 1:]])


def wrong_softmax_twice(logits, ids, mask):
    m = mask[:, 1:]
    return F.cross_entropy(torch.softmax(logits, 2)[:, :-1][m], ids[:, 1:][m])


def wrong_exponential(logits, ids, mask):
    m = mask[:, 1:]
    return torch.exp(F.cross_entropy(logits[:, :-1][m], ids[:, 1:][m]))


def wrong_no_logarithm(logits, ids, mask):
    m = mask[:, 1:]
    return F.nll_loss(torch.softmax(logits, -1)[:, :-1][m], ids[:, 1:][m])


def wrong_softmax_of_positions(logits, ids, mask):
    p = torch.nn.functional.log_softmax(logits[:, :-1], dim=1)
    return -torch.take_along_dim(p, ids[:, 1:, None], dim=2)[..., 0][mask[:, 1:]].mean()


def wrong_bits(logits, ids, mask):
    nats = torch.nn.functional.cross_entropy(logits[:, :-1][mask[:, 1:]], ids[:, 1:][mask[:, 1:]])
    return nats * torch.log2(torch.exp(torch.ones(())))
