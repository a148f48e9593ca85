"""Where a server cannot be had: what a person is told, and what becomes of the tests."""

from pathlib import Path

import pytest
from portolan_cli.stack import jars, redis
from portolan_cli.stack.failures import ServerMissing

from tests import servers


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(jars.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.mark.usefixtures("bare_machine")
def test_a_missing_server_is_named_with_the_package_that_brings_it() -> None:
    with pytest.raises(ServerMissing, match="apt-get install redis-server"):
        redis.program()
    with pytest.raises(ServerMissing, match="apt-get install maven"):
        jars.fetch()
    with pytest.raises(ServerMissing, match="Java 17"):
        jars.java()


@pytest.mark.usefixtures("bare_machine")
def test_its_tests_are_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "ARE_REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match=r"no kafka here.*no redis here"):
        servers.require("kafka", "redis")


@pytest.mark.usefixtures("bare_machine")
def test_where_servers_are_required_its_tests_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "ARE_REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="no redis here"):
        servers.require("redis")


def test_another_checkout_needs_no_second_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jars.CACHE_VARIABLE, str(tmp_path))
    (fetched := jars.folder()).mkdir(parents=True)
    monkeypatch.setenv("PATH", "")
    assert jars.fetch() == fetched
    assert not fetched.is_relative_to(Path(__file__).parents[2])
