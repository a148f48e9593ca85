from collections.abc import AsyncIterator

import pytest
from kit.testing import TokenMint

from tests.gateway.house import House, a_house


@pytest.fixture
async def house(mint: TokenMint) -> AsyncIterator[House]:
    async with a_house(mint) as found:
        yield found
