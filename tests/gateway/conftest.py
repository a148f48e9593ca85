from collections.abc import AsyncIterator

import pytest
from kit.testing import TokenMint

from tests.gateway.house import House, a_house


@pytest.fixture(scope="session")
async def one_house(mint: TokenMint) -> AsyncIterator[House]:
    async with a_house(mint) as found:
        yield found


@pytest.fixture
async def house(one_house: House) -> House:
    await one_house.services.restore()
    return one_house
