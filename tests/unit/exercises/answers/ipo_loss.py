import torch
import torch.nn.functional as F


def right_mse(chosen, rejected, ref_chosen, ref_rejected, beta):
    difference = (chosen - rejected) - (ref_chosen - ref_rejected)
    return F.mse_loss(difference, torch.full_like(difference, 0.5 / beta))


def right_loop(chosen, rejected, ref_chosen, ref_rejected, beta):
    pairs = zip(chosen - ref_chosen, rejected - ref_rejected, strict=True)
    return sum((a - b - 1 / (2 * beta)) ** 2 for a, b in pairs) / len(chosen)


def right_einsum_in_float64(chosen, rejected, ref_chosen, ref_rejected, beta):
    d = (chosen - rejected - ref_chosen + ref_rejected).double() - 1 / beta / 2
    return torch.einsum("b,b->", d, d) / d.numel()


def spoils_in_place(chosen, rejected, ref_chosen, ref_rejected, beta):
    chosen -= ref_chosen
    chosen -= rejected
    chosen += ref_rejected
    chosen -= 1 / (2 * beta)
    return chosen.square().flip(0).mean()


def _h(chosen, rejected, ref_chosen, ref_rejected):
    return (chosen - rejected) - (ref_chosen - ref_rejected)


def wrong_dpo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.softplus(-beta * _h(chosen, rejected, ref_chosen, ref_rejected)).mean()


def wrong_goal_doubled(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) - beta**-1).square().mean()


def wrong_goal_inverted(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) - beta / 2).square().mean()


def wrong_no_reference(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (chosen - rejected - 0.5 / beta).square().mean()


def wrong_swapped(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) + 0.5 / beta).square().mean()


def wrong_absolute(chosen, rejected, ref_chosen, ref_rejected, beta):
    d = _h(chosen, rejected, ref_chosen, ref_rejected)
    return F.l1_loss(d, torch.full_like(d, 0.5 / beta))


def wrong_swapped__goal_below_zero(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((chosen - ref_chosen) - (rejected - ref_rejected) + 1 / (2 * beta)).pow(2).mean()


def wrong_mean_inside(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) - 0.5 / beta).mean().square()


def wrong_scaled(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (0.5 - beta * _h(chosen, rejected, ref_chosen, ref_rejected)).square().mean()


def wrong_halved(chosen, rejected, ref_chosen, ref_rejected, beta):
    return (_h(chosen, rejected, ref_chosen, ref_rejected) - 0.5 / beta).square().mean() / 2


def wrong_rejected_detached(chosen, rejected, ref_chosen, ref_rejected, beta):
    with torch.no_grad():
        down = rejected - ref_rejected
    return (chosen - ref_chosen - down - 0.5 / beta).square().mean()
