"""How surely shares are known: score intervals of one share, and of the difference of two. Pure."""

from math import sqrt

SURE_Z = 3.0
"""How many standard errors make a difference of two shares sure: a gate looks each second, and must not tire."""


def sure_difference(one: float, of_one: float, two: float, of_two: float, z: float = SURE_Z) -> float:
    """The lower bound of the difference of two shares, from -1 to 1.

    Newcombe's hybrid score interval: Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17 (1998), method 10.
    """
    share_one, share_two = one / of_one, two / of_two
    low, high = wilson(one, of_one, z)[0], wilson(two, of_two, z)[1]
    return share_one - share_two - sqrt((share_one - low) ** 2 + (high - share_two) ** 2)


def wilson(count: float, of: float, z: float = SURE_Z) -> tuple[float, float]:
    """Wilson's score interval of one share: Journal of the American Statistical Association 22 (1927)."""
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(max(0.0, share * (1 - share)) / of + spread / (4 * of))
    return middle - half, middle + half
