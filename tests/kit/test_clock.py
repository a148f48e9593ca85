"""One clock: real, ahead by the environment, moved on by a file; never back, and never where it is real."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kit import clock
from kit.auth import TokenVerifier, open_service_token, service_token
from kit.errors import Unauthenticated
from kit.settings import ServiceSettings
from kit.testing import TokenMint, a_principal
from pydantic import ValidationError

TEN_DAYS = timedelta(days=10)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "ahead"
    clock.set_ahead(0)


def late_by() -> timedelta:
    return clock.now() - datetime.now(UTC)


def is_about(span: timedelta, expected: timedelta) -> bool:
    return abs(span - expected) < timedelta(seconds=5)


def test_the_clock_is_the_machines_unless_told_otherwise() -> None:
    assert is_about(late_by(), timedelta())


@pytest.mark.parametrize("seconds", [3600, -90])
def test_a_process_may_be_ahead_or_behind_by_a_constant(file: Path, seconds: int) -> None:
    clock.set_ahead(seconds, file)
    assert is_about(late_by(), timedelta(seconds=seconds))


def test_whoever_follows_the_file_lives_later_as_soon_as_it_was_moved(file: Path) -> None:
    clock.set_ahead(60, file)
    clock.now()
    clock.move_on(file, TEN_DAYS)
    assert is_about(late_by(), TEN_DAYS + timedelta(seconds=60))
    clock.move_on(file, TEN_DAYS)
    assert is_about(late_by(), 2 * TEN_DAYS + timedelta(seconds=60))


def test_it_never_goes_back(file: Path) -> None:
    clock.set_ahead(0, file)
    clock.move_on(file, TEN_DAYS)
    assert is_about(late_by(), TEN_DAYS)
    for content in ("0", "-5", "", "tomorrow", "inf", "nan"):
        file.write_text(content)
        time.sleep(2 * clock.LOOK_S)
        assert is_about(late_by(), TEN_DAYS), content
    with pytest.raises(ValueError, match="never back"):
        clock.move_on(file, -TEN_DAYS)


def test_a_file_that_nobody_wrote_moves_nothing(file: Path) -> None:
    clock.set_ahead(0, file)
    assert is_about(late_by(), timedelta())


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e12])
def test_no_clock_is_ahead_by_what_no_date_can_say(seconds: float) -> None:
    with pytest.raises(ValueError, match="more than"):
        clock.set_ahead(seconds)


@pytest.mark.parametrize(
    "settings",
    [
        {"clock_ahead_s": 5.0},
        {"clock_file": Path("ahead")},
        {"clock_ahead_s": 5.0, "profile": "cluster", "demo_mode": True},
        {"clock_file": Path("ahead"), "profile": "cluster", "demo_mode": True},
    ],
)
def test_a_real_clock_cannot_be_moved(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="demo mode alone"):
        ServiceSettings.model_validate(settings)


@pytest.mark.parametrize("profile", ["embedded", "stack"])
def test_that_of_a_demonstration_can(profile: str) -> None:
    settings = {"clock_ahead_s": 5.0, "clock_file": Path("ahead"), "profile": profile, "demo_mode": True}
    assert ServiceSettings.model_validate(settings).clock_ahead_s == 5.0


async def test_tokens_age_with_the_clock_and_new_ones_are_good(file: Path) -> None:
    clock.set_ahead(0, file)
    mint = TokenMint()
    verifier = TokenVerifier(mint, "secret")
    before = mint.token(a_principal("declarant"))
    own = service_token("intake", "secret")
    assert (await verifier.verify(before)).roles == {"declarant"}
    assert (await verifier.verify(own)).subject == "service:intake"
    await asyncio.to_thread(clock.move_on, file, timedelta(days=1))
    for old in (before, own):
        with pytest.raises(Unauthenticated):
            await verifier.verify(old)
    assert (await verifier.verify(mint.token(a_principal("declarant")))).roles == {"declarant"}
    assert open_service_token(service_token("intake", "secret"), b"secret").subject == "service:intake"
    assert (await verifier.verify(service_token("intake", "secret"))).subject == "service:intake"


def issuer() -> tuple[TokenMint, str]:
    """Whose clock is the machine's."""
    mint = TokenMint()
    return mint, mint.token(a_principal("declarant"))


@pytest.mark.parametrize("seconds", [600, -600])
async def test_a_clock_that_runs_wrong_judges_tokens_by_the_clock_that_dated_them(file: Path, seconds: int) -> None:
    mint, token = issuer()
    clock.set_ahead(seconds)
    clock.agree_with_issuer(datetime.now(UTC))
    assert (await TokenVerifier(mint).verify(token)).has("declarant")
    assert is_about(late_by(), timedelta(seconds=seconds))


async def test_an_old_token_stays_old_whatever_the_verifiers_clock_shows(file: Path) -> None:
    mint, token = issuer()
    clock.set_ahead(-600)
    clock.agree_with_issuer(datetime.now(UTC) + timedelta(seconds=600))
    with pytest.raises(Unauthenticated):
        await TokenVerifier(mint).verify(token)


async def test_an_issuer_from_another_day_is_not_believed(file: Path) -> None:
    mint, token = issuer()
    clock.set_ahead(3600)
    clock.agree_with_issuer(datetime.now(UTC))
    with pytest.raises(Unauthenticated):
        await TokenVerifier(mint).verify(token)


@pytest.mark.parametrize("seconds", [600, -600])
async def test_a_service_is_believed_by_a_sister_whose_clock_runs_wrong(file: Path, seconds: int) -> None:
    token = service_token("intake", "secret")
    clock.set_ahead(seconds)
    assert (await TokenVerifier(TokenMint(), "secret").verify(token)).has("service")


async def test_what_a_service_showed_yesterday_proves_nothing(file: Path) -> None:
    token = service_token("intake", "secret")
    clock.set_ahead(86_400)
    with pytest.raises(Unauthenticated):
        await TokenVerifier(TokenMint(), "secret").verify(token)
