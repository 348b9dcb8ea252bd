import math

import torch


def right_as_a_sum(n):
    return torch.log(n) - 1 + 1 / n


def right_loop(n):
    return torch.tensor([math.log(k) - (k - 1) / k for k in n.tolist()])


def spoils_in_place(n):
    share = (n - 1) / n
    n.log_()
    return n.sub_(share)


def right_in_double(n):
    n = n.double()
    return n.log() + (1 - n) / n


def wrong_only_log(n):
    return -(1 / n).log()


def wrong_added(n):
    return 1 + torch.log(n) - 1 / n


def wrong_reverse(n):
    return -(n.log() + 1 - n)


def wrong_bits(n):
    return n.log() / math.log(2) - (n - 1) / n


def wrong_base_ten(n):
    return torch.log10(n) - 1 + 1 / n


def wrong_minus_one(n):
    return (n / math.e).log()


def wrong_one_over_n(n):
    return n.log() - n.reciprocal()


def wrong_wrong_sign(n):
    return 1 - 1 / n - torch.log(n)


def wrong_upside_down(n):
    return torch.log(n) - 1 / (1 - 1 / n)
