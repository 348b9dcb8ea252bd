import torch
import torch.nn.functional as F


def right_softplus(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(beta * (rejected - chosen) - beta * (ref_rejected - ref_chosen)).mean()


def right_rewards(chosen, rejected, ref_chosen, ref_rejected, beta):
    rewards = torch.stack([beta * (chosen - ref_chosen), beta * (rejected - ref_rejected)], 1)
    return -rewards.log_softmax(1)[:, 0].mean()


def right_loop_in_float64(chosen, rejected, ref_chosen, ref_rejected, beta):
    total = 0.0
    for c, r, rc, rr in zip(chosen, rejected, ref_chosen, ref_rejected, strict=True):
        total = total + torch.logaddexp(torch.zeros(()).double(), beta * ((r - rr) - (c - rc)).double())
    return total / len(chosen)


def spoils_in_place(chosen, rejected, ref_chosen, ref_rejected, beta):
    chosen -= rejected
    chosen -= ref_chosen - ref_rejected
    chosen *= beta
    return -F.logsigmoid(chosen.flip(0)).sum() / len(chosen)


def _h(chosen, rejected, ref_chosen, ref_rejected):
    return (chosen - rejected) - (ref_chosen - ref_rejected)


def wrong_swapped(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(beta * _h(chosen, rejected, ref_chosen, ref_rejected)).mean()


def wrong_no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(beta * (rejected - chosen)).mean()


def wrong_beta_outside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return beta * F.softplus(-_h(chosen, rejected, ref_chosen, ref_rejected)).mean()


def wrong_wrong_sign(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.softplus(-beta * _h(chosen, rejected, ref_chosen, ref_rejected)).mean()


def wrong_log_of_sigmoid(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -torch.log(torch.sigmoid(beta * _h(chosen, rejected, ref_chosen, ref_rejected))).mean()


def wrong_no_beta(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(-_h(chosen, rejected, ref_chosen, ref_rejected)).mean()


def wrong_reference_added(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(-beta * _h(chosen, rejected, -ref_chosen, -ref_rejected)).mean()


def wrong_mean_inside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(-beta * _h(chosen, rejected, ref_chosen, ref_rejected).mean())


def wrong_each_alone(chosen, rejected, ref_chosen, ref_rejected, beta):
    up, down = beta * (chosen - ref_chosen), beta * (rejected - ref_rejected)
    return (F.softplus(-up) + F.softplus(down)).mean()


def wrong_chosen_only(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(beta * (ref_chosen - chosen)).mean() + rejected.mean() * 0


def wrong_ipo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) - 0.5 / beta).square().mean()


def wrong_hinge(chosen, rejected, ref_chosen, ref_rejected, beta):
    return torch.relu(1 - beta * _h(chosen, rejected, ref_chosen, ref_rejected)).mean()
