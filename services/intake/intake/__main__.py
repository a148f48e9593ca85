"""`python -m intake api | consumer | relay | migrate | seed | all`."""

from kit import process

from intake.main import build
from intake.settings import Settings

if __name__ == "__main__":
    process.main("intake", Settings(), build)
