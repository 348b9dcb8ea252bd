"""Exercise of notebook 13: how much do twelve comparisons say?"""

import math

from rlhf_lab.exercises.drawing import size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def win_rate_interval(wins: int, ties: int, losses: int, z: float = 1.96) -> tuple[float, float]:
    """Interval for a win rate (Wilson 1927), a tie counting as half a win.

    z: how many standard deviations to either side; 1.96 for 95 %. At least one comparison. Returns (low, high), shares
    from 0 to 1.
    """
    n = wins + ties + losses
    share = (wins + ties / 2) / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)  # drawn towards one half, the more the fewer there are
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def cases():
    yield Case("seven of ten", (7, 0, 3, 1.96))
    yield Case("all of five", (5, 0, 0, 1.96))
    yield Case("ties", (3, 4, 1, 1.96))
    yield Case("another confidence", (6, 2, 4, 1.0))
    yield Case("one comparison", (0, 0, 1, 1.96))
    yield Case("many comparisons", (600, 50, 350, 2.576))


def draw(generator):
    return (size(generator, 0, 12), size(generator, 0, 5), size(generator, 1, 12), 0.5 + 0.25 * size(generator, 1, 8))


def _wilson(share, n, z):
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _share(wins, ties, losses):
    return (wins + ties / 2) / (wins + ties + losses)


@mistake(
    "That is the plain interval, share ± z times its standard error.",
    "Five wins of five would give 100 % to 100 %: sure after five comparisons. Wilson's interval knows better.",
)
def plain(wins, ties, losses, z=1.96):
    n, share = wins + ties + losses, _share(wins, ties, losses)
    half = z * math.sqrt(share * (1 - share) / n)
    return share - half, share + half


@mistake("You left the ties out.", "A tie is a comparison, too, and speaks for one half.")
def ties_dropped(wins, ties, losses, z=1.96):
    n = wins + losses
    return _wilson(wins / n, n, z)


@mistake("You counted ties as wins.", "A tie is half a win.")
def ties_won(wins, ties, losses, z=1.96):
    n = wins + ties + losses
    return _wilson((wins + ties) / n, n, z)


@mistake("You counted ties as losses.", "A tie is half a win.")
def ties_lost(wins, ties, losses, z=1.96):
    n = wins + ties + losses
    return _wilson(wins / n, n, z)


@mistake(
    "The centre of your interval is the share itself.",
    "Wilson's centre is drawn towards one half, by z²/(2n). Otherwise the interval leaves 0 to 1.",
)
def centre_not_shifted(wins, ties, losses, z=1.96):
    n, share = wins + ties + losses, _share(wins, ties, losses)
    low, high = _wilson(share, n, z)
    return share - (high - low) / 2, share + (high - low) / 2


@mistake("You always take 95 %.", "z is given: another confidence, another width.")
def fixed_z(wins, ties, losses, z=1.96):
    return _wilson(_share(wins, ties, losses), wins + ties + losses, 1.96)


@mistake("You forgot to divide by 1 + z²/n.", "Centre and half-width are both divided by it.")
def not_divided(wins, ties, losses, z=1.96):
    n, share = wins + ties + losses, _share(wins, ties, losses)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share + z**2 / (2 * n) - half, share + z**2 / (2 * n) + half


@mistake(
    "You returned the centre and the half-width.", "Low and high are asked for: centre less half, centre plus half."
)
def centre_and_half(wins, ties, losses, z=1.96):
    low, high = _wilson(_share(wins, ties, losses), wins + ties + losses, z)
    return (low + high) / 2, (high - low) / 2


@mistake("That is the interval of the rival's win rate.", "Wins are ours.")
def of_the_rival(wins, ties, losses, z=1.96):
    return _wilson(_share(losses, ties, wins), wins + ties + losses, z)


EXERCISE = Exercise(
    reference=win_rate_interval,
    title="how much do a few comparisons say?",
    question="""
        A model won five of five blind comparisons. Is it better in 100 of 100? Wilson's interval asks which true win
        rates are compatible with what was seen, and is right for small numbers and for shares near 0 and 1, too. With
        share $p$ of $n$: centre $(p + \\frac{z^2}{2n}) / (1 + \\frac{z^2}{n})$, half-width
        $\\frac{z}{1 + z^2/n} \\sqrt{\\frac{p (1 - p)}{n} + \\frac{z^2}{4 n^2}}$.
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "First n and p. What is n, with ties? What is a tie worth?",
        "`n = wins + ties + losses`, `p = (wins + ties / 2) / n`. Then the two formulas, and `(centre - half,"
        " centre + half)`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        plain,
        ties_dropped,
        ties_won,
        ties_lost,
        centre_not_shifted,
        fixed_z,
        not_divided,
        centre_and_half,
        of_the_rival,
    ),
)
