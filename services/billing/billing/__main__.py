"""python -m billing api | consumer | relay | migrate | seed | all"""

from kit import process

from billing.main import NAME, build
from billing.settings import Settings

if __name__ == "__main__":
    process.main(NAME, Settings(), build)
