"""Draws that depend on their seed and on nothing drawn before elsewhere."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    def __init__(self, *seed: object) -> None:
        self._seed = "/".join(map(str, seed))
        self._random = random.Random(self._seed)

    def of(self, *part: object) -> Chance:
        """For one part of what is drawn: the others do not move when it changes."""
        return Chance(self._seed, *part)

    def happens(self, share: float) -> bool:
        return self._random.random() < share

    def among(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def weighed(self, weights: Mapping[T, float]) -> T:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def whole(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def between(self, least: float, most: float) -> float:
        return self._random.uniform(least, most)

    def skewed(self, least: float, most: float) -> float:
        """Mostly small, now and then large."""
        return float(least * (most / least) ** self._random.random()) if least > 0 else self.between(least, most)
