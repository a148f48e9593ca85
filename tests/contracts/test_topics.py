"""Every topic a service publishes or hears is declared in proto/topics.toml, and its dead letters' topic too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.bus import topics
from kit.outbox import PAYLOAD_BYTES_MAX

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"portolan\.[a-z]+\.[a-z_]+\.v[0-9]+")
HEADERS_BYTES_MAX = 10_000
DECLARED = {topic.name: topic for topic in topics.declared()}
ALIVE = sorted(name for name in DECLARED if not name.endswith(topics.DEAD_SUFFIX))


def mentioned() -> Iterator[tuple[str, str]]:
    """Every text in the sources that is a topic's name; a message's is one word shorter or has a capital."""
    for path in sorted((ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                yield node.value, str(path.relative_to(ROOT))


def test_every_topic_of_a_service_is_declared() -> None:
    unknown = {f"{path}: {name}" for name, path in mentioned() if name not in DECLARED}
    assert not unknown


def test_every_declared_topic_is_some_services() -> None:
    assert set(ALIVE) == {name for name, _ in mentioned()}


@pytest.mark.parametrize("name", ALIVE)
def test_a_topic_has_one_for_its_dead_letters_that_forgets_later(name: str) -> None:
    assert DECLARED[topics.dead_letters_of(name)].retention_days > DECLARED[name].retention_days


@pytest.mark.parametrize("topic", DECLARED.values(), ids=lambda topic: topic.name)
def test_what_the_outbox_takes_the_topic_takes(topic: topics.Topic) -> None:
    assert topic.message_bytes_max >= PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX
    assert topic.partitions >= 1


def test_a_declaration_lacking_something_is_refused() -> None:
    with pytest.raises(TypeError):
        topics.parse(
            '[dead]\npartitions = 1\nretention_days = 1\nmessage_bytes_max = 1\n["a.b.c.v1"]\npartitions = 1\n'
        )
