"""Medians and ratios with a bootstrap interval; the standard library only."""
import random
import statistics

RESAMPLES = 4000


def median(values):
    return statistics.median(values)


def interval(values, seed=1):
    """The 95 % percentile bootstrap interval of the median; the seed is fixed, so that a report can be repeated."""
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def paired(ours, theirs):
    """Median of the ratios of pairs measured next to each other, and its interval."""
    ratios = [a / b for a, b in zip(ours, theirs) if b]
    if not ratios:
        return None
    low, high = interval(ratios)
    return {"ratio": median(ratios), "low": low, "high": high, "pairs": len(ratios)}
