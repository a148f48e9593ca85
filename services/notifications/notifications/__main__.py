"""python -m notifications api | consumer | sender | poster | relay | migrate | seed | all"""

from kit import process

from notifications.main import NAME, build
from notifications.settings import Settings

if __name__ == "__main__":
    process.main(NAME, Settings(), build)
