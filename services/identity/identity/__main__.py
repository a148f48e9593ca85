"""`python -m identity api | consumer | relay | migrate | seed | bootstrap | all`."""

from kit import process

from identity.main import build
from identity.settings import Settings

if __name__ == "__main__":
    process.main("identity", Settings(), build)
