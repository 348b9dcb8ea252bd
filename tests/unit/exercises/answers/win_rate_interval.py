import math

import torch


def right_roots(wins, ties, losses, z=1.96):
    """The two shares whose distance from the one seen is z of their own standard errors."""
    n = wins + ties + losses
    p = (wins + 0.5 * ties) / n
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = math.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def right_pseudo_counts(wins, ties, losses, z=1.96):
    n, x = wins + ties + losses, wins + ties / 2
    centre = (x + z**2 / 2) / (n + z**2)
    half = z * (x * (n - x) / n + z**2 / 4) ** 0.5 / (n + z**2)
    return [centre - half, centre + half]


def right_tensors(wins, ties, losses, z=1.96):
    n = torch.tensor(wins + ties + losses, dtype=torch.float64)
    p = (wins + ties / 2) / n
    signs = torch.tensor([-1.0, 1.0])
    ends = (p + z**2 / (2 * n) + signs * z * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()) / (1 + z**2 / n)
    return tuple(ends)


def right_search(wins, ties, losses, z=1.96):
    n = wins + ties + losses
    p = (wins + ties / 2) / n

    def search(inside, outside):
        for _ in range(60):
            middle = (inside + outside) / 2
            fits = (p - middle) ** 2 <= z * z * middle * (1 - middle) / n
            inside, outside = (middle, outside) if fits else (inside, middle)
        return inside

    return search(p, 0.0), search(p, 1.0)


def _wilson(x, n, z):
    centre, half = (x + z**2 / 2) / (n + z**2), z * (x * (n - x) / n + z**2 / 4) ** 0.5 / (n + z**2)
    return centre - half, centre + half


def wrong_plain(wins, ties, losses, z=1.96):
    n = wins + ties + losses
    x = wins + ties / 2
    half = z * (x * (n - x) / n**3) ** 0.5
    return x / n - half, x / n + half


def wrong_ties_dropped(wins, ties, losses, z=1.96):
    return _wilson(wins, wins + losses, z)


def wrong_ties_won(wins, ties, losses, z=1.96):
    return _wilson(wins + ties, wins + ties + losses, z)


def wrong_ties_lost(wins, ties, losses, z=1.96):
    return _wilson(wins, wins + ties + losses, z)


def wrong_fixed_z(wins, ties, losses, z=1.96):
    return _wilson(wins + ties / 2, wins + ties + losses, 1.96)


def wrong_of_the_rival(wins, ties, losses, z=1.96):
    low, high = _wilson(wins + ties / 2, wins + ties + losses, z)
    return 1 - high, 1 - low
