import torch
import torch.nn.functional as F


def right_softplus(chosen, rejected):
    return F.softplus(rejected - chosen).mean()


def right_cross_entropy(chosen, rejected):
    return F.cross_entropy(torch.stack([chosen, rejected], 1), torch.zeros(len(chosen), dtype=torch.long))


def right_loop(chosen, rejected):
    return sum(torch.logaddexp(c, r) - c for c, r in zip(chosen, rejected, strict=True)) / len(chosen)


def right_binary_in_float64(chosen, rejected):
    difference = chosen.double() - rejected.double()
    return F.binary_cross_entropy_with_logits(difference, torch.ones_like(difference))


def spoils_in_place(chosen, rejected):
    chosen -= rejected
    return F.logsigmoid(chosen).neg_().flip(0).mean()


def wrong_swapped(chosen, rejected):
    return F.softplus(chosen - rejected).mean()


def wrong_no_log(chosen, rejected):
    return (-1 / (1 + torch.exp(rejected - chosen))).mean()


def wrong_wrong_sign(chosen, rejected):
    return -F.softplus(rejected - chosen).mean()


def wrong_summed(chosen, rejected):
    return F.softplus(rejected - chosen).sum()


def wrong_log_of_sigmoid(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected)).mean()


def wrong_hinge(chosen, rejected):
    return torch.relu(1 - chosen + rejected).mean()


def wrong_rejected_detached(chosen, rejected):
    return F.softplus(rejected.detach() - chosen).mean()


def wrong_log_of_sigmoid__by_hand(chosen, rejected):
    return -torch.log(1 / (1 + torch.exp(-(chosen - rejected)))).mean()


def wrong_mean_inside(chosen, rejected):
    return F.softplus(rejected.mean() - chosen.mean())


def wrong_one_minus_p(chosen, rejected):
    return torch.sigmoid(rejected - chosen).mean()


def wrong_log_of_sigmoid__log_of_exponential(chosen, rejected):
    return torch.log1p(torch.exp(rejected - chosen)).mean()


def wrong_epsilon_added(chosen, rejected):
    return -torch.log(1e-8 + torch.sigmoid(chosen - rejected)).mean()


def wrong_clipped_at_100(chosen, rejected):
    p = torch.sigmoid(chosen - rejected)
    return torch.nn.BCELoss()(p, torch.ones(len(p)))


def wrong_log_of_mean(chosen, rejected):
    return -torch.log(torch.mean(torch.sigmoid(chosen - rejected)))


def wrong_in_bits(chosen, rejected):
    return torch.log2(1 / torch.sigmoid(chosen.double() - rejected.double())).mean().float()
