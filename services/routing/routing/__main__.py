"""`python -m routing api | consumer | relay | migrate | seed | all`."""

from kit import process

from routing.main import build
from routing.settings import Settings

if __name__ == "__main__":
    process.main("routing", Settings(), build)
