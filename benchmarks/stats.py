"""Quantiles, and ratios taken round by round."""

import math
import statistics
from collections.abc import Sequence
from typing import TypedDict


class Ratio(TypedDict):
    """The median of the rounds' ratios, with an interval that holds the true median with 95 % confidence."""

    median: float
    low: float
    high: float
    rounds: int


def quantile(values: "Sequence[float]", share: float) -> float:
    """The value below which that share of the values lies, between two of them in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summary(values: "Sequence[float]") -> "dict[str, float]":
    """How many values there are, the mean, the extremes and the quantiles that people look at."""
    return {
        "count": len(values),
        "mean": statistics.fmean(values),
        "min": min(values),
        "p50": quantile(values, 0.5),
        "p90": quantile(values, 0.9),
        "p99": quantile(values, 0.99),
        "p99.9": quantile(values, 0.999),
        "max": max(values),
    }


def median_interval(values: "Sequence[float]", confidence: float = 0.95) -> "tuple[float, float]":
    """Two of the values, between which the true median is with that confidence, whatever the distribution.

    The number of values below the median is binomial with p = 1/2. With fewer than six values no two of them are far
    enough apart for 95 %: the interval is then all there is.
    """
    ordered = sorted(values)
    count = len(ordered)
    cut = 0  # values left out at each end
    outside = 2 / 2**count  # how likely the median is not between the rest
    while cut + 1 <= (count - 1) // 2:
        outside += 2 * math.comb(count, cut + 1) / 2**count
        if outside > 1 - confidence:
            break
        cut += 1
    return ordered[cut], ordered[count - 1 - cut]


def ratio(values: "Sequence[float]", base: "Sequence[float]") -> "Ratio | None":
    """What is claimed: each value against the base's of the same round, so that a drift of the machine cancels out.

    None if no round has a base to compare with.
    """
    ratios = [value / other for value, other in zip(values, base) if other]
    if not ratios:
        return None
    low, high = median_interval(ratios)
    return {"median": statistics.median(ratios), "low": low, "high": high, "rounds": len(ratios)}
