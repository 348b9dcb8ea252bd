import math

import torch
import torch.nn.functional as F


def right_softplus(differences, temperature):
    return F.softplus(-differences / temperature).mean()


def right_logaddexp(differences, temperature):
    zero = torch.zeros_like(differences)
    return torch.logaddexp(zero, -differences / temperature).sum() / len(differences)


def right_cross_entropy(differences, temperature):
    scaled = differences / temperature
    return F.binary_cross_entropy_with_logits(scaled, torch.ones_like(scaled))


def right_log_softmax(differences, temperature):
    logits = torch.stack([differences, torch.zeros_like(differences)], 1) / temperature
    return -logits.log_softmax(1)[:, 0].mean()


def right_loop(differences, temperature):
    total = 0.0
    for difference in differences:
        total = total - F.logsigmoid(difference.double() / temperature.double())
    return total / len(differences)


def wrong_multiplied(differences, temperature):
    return F.softplus(-differences * temperature).mean()


def wrong_sign(differences, temperature):
    return -F.softplus(-differences / temperature).mean()


def wrong_no_logarithm(differences, temperature):
    return torch.sigmoid(-differences / temperature).mean()


def wrong_absolute(differences, temperature):
    return F.softplus(-differences.abs() / temperature).mean()


def wrong_summed(differences, temperature):
    return F.softplus(-differences / temperature).sum()


def wrong_loss_divided(differences, temperature):
    return F.softplus(-differences).mean() / temperature


def wrong_cut(differences, temperature):
    return F.softplus(-differences / temperature.item()).mean()


def wrong_log_of_sigmoid(differences, temperature):
    return -(1 / (1 + torch.exp(-differences / temperature))).log().mean()


def wrong_mean_first(differences, temperature):
    return -(1 / (1 + torch.exp(-differences / temperature))).mean().log()


def wrong_in_bits(differences, temperature):
    return torch.logaddexp2(torch.zeros_like(differences), -differences / temperature / math.log(2)).mean()
