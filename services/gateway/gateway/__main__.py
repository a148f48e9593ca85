"""python -m gateway api | all"""

from kit import process

from gateway.main import build
from gateway.settings import GatewaySettings

if __name__ == "__main__":
    process.main("gateway", GatewaySettings(), build)
