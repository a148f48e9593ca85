"""Mail: both ways out keep one promise, retries end, and a sender killed at any line leaves exactly one letter."""

import asyncio
import email
import email.policy
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import ids
from kit.database import Database
from notifications import actions
from notifications.domain.deliveries import PENDING, SEND_ATTEMPTS_MAX, Delivery, MailTrouble, Undeliverable
from notifications.main import mailer as mailer_for
from notifications.settings import Settings
from notifications.store.letters import compose, written
from notifications.store.mail import MaildirMailer, Mailer, SmtpMailer
from portolan.notifications.v1 import events_pb2

from tests.notifications.builders import NOW, a_pack, hear, rows, submitted
from tests.notifications.smtp_sink import SmtpSink

SENDER = "Portolan <no-reply@portolan.example>"


def a_letter(
    address: str = "someone@importer.example", title: str = "A-1: رخصة", body: str = "مسجل", attempt: int = 1
) -> Delivery:
    return Delivery(
        id=ids.new_id(),
        event_id=ids.new_id(),
        rule="R",
        recipient_id="someone",
        organisation_id="importer",
        channel="email",
        language="ar",
        address=address,
        title=title,
        body=body,
        document_id="doc",
        reference="A-1",
        state=PENDING,
        attempts=attempt,
        created_at=NOW,
    )


# --- one suite for both ways out

Arrived = Callable[[], list[bytes]]


@pytest.fixture(params=["maildir", "smtp"])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Mailer, Arrived]]:
    if request.param == "maildir":
        yield MaildirMailer(tmp_path, SENDER), lambda: [file.read_bytes() for file in (tmp_path / "new").iterdir()]
        return
    async with SmtpSink() as sink:
        yield (
            SmtpMailer(SENDER, "127.0.0.1", sink.port, username="", password="", security="none"),
            lambda: sink.messages,
        )


async def test_a_letter_arrives_readable_in_any_script(way: tuple[Mailer, Arrived]) -> None:
    mailer, arrived = way
    letter = a_letter()
    await mailer.send(letter)
    [raw] = arrived()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == "A-1: رخصة"
    assert message["To"] == "someone@importer.example"
    assert message["From"] == SENDER
    assert message["Message-ID"] == f"<{letter.id}@portolan.example>"
    assert message["Content-Language"] == "ar"
    assert message["Date"].datetime == NOW
    assert message.get_content().strip() == "مسجل"


async def test_the_same_letter_again_is_the_same_letter(way: tuple[Mailer, Arrived]) -> None:
    mailer, arrived = way
    letter = a_letter()
    await mailer.send(letter)
    await mailer.send(letter)
    assert len({raw for raw in arrived()}) == 1


async def test_many_letters_at_once_all_arrive(way: tuple[Mailer, Arrived]) -> None:
    mailer, arrived = way
    await asyncio.gather(*[mailer.send(a_letter()) for _ in range(20)])
    assert len(arrived()) == 20


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c", "a@b.example\r\nBcc: all@b.example", "<a@b.example"])
async def test_what_is_no_address_is_undeliverable(way: tuple[Mailer, Arrived], address: str) -> None:
    mailer, arrived = way
    with pytest.raises(Undeliverable):
        await mailer.send(a_letter(address))
    assert arrived() == []


async def test_lines_that_look_like_the_protocol_are_only_text(way: tuple[Mailer, Arrived]) -> None:
    mailer, arrived = way
    await mailer.send(a_letter(body="one\n.\nQUIT\n..two"))
    message = email.message_from_bytes(arrived()[0], policy=email.policy.default)
    assert message.get_content().splitlines() == ["one", ".", "QUIT", "..two"]


# --- each way's own


async def test_a_letter_a_reader_has_opened_is_not_put_back(tmp_path: Path) -> None:
    mailer, letter = MaildirMailer(tmp_path, SENDER), a_letter(attempt=2)
    (tmp_path / "cur" / f"{letter.id}:2,S").write_bytes(b"opened")
    await mailer.send(letter)
    assert list((tmp_path / "new").iterdir()) == []


async def test_a_full_disk_is_trouble_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("notifications.store.mail.os.fsync", full)
    with pytest.raises(MailTrouble) as trouble:
        await MaildirMailer(tmp_path, SENDER).send(a_letter())
    assert not isinstance(trouble.value, Undeliverable)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "for_ever"),
    [
        ({"RCPT": "550 no such user"}, True),
        ({"RCPT": "450 mailbox busy"}, False),
        ({"BODY": "554 looks like spam"}, True),
        ({"BODY": "451 try later"}, False),
        ({"MAIL": "550 sender refused"}, False),
        ({"EHLO": "421 going down", "HELO": "421 going down"}, False),
    ],
)
async def test_only_a_no_to_address_or_text_is_for_ever(answers: dict[str, str], for_ever: bool) -> None:
    async with SmtpSink(answers) as sink:
        mailer = SmtpMailer(SENDER, "127.0.0.1", sink.port, username="", password="", security="none")
        with pytest.raises(MailTrouble) as trouble:
            await mailer.send(a_letter())
    assert isinstance(trouble.value, Undeliverable) is for_ever


async def test_no_server_is_trouble_for_now() -> None:
    async with SmtpSink() as sink:
        port = sink.port
    with pytest.raises(MailTrouble) as trouble:
        await SmtpMailer(SENDER, "127.0.0.1", port, username="", password="", security="none").send(a_letter())
    assert not isinstance(trouble.value, Undeliverable)


def test_settings_choose_the_way(tmp_path: Path) -> None:
    assert isinstance(mailer_for(Settings(home=tmp_path)), MaildirMailer)
    assert isinstance(mailer_for(Settings(smtp_host="mail.example")), SmtpMailer)
    with pytest.raises(ValueError, match="PORTOLAN_SMTP_HOST"):
        mailer_for(Settings())


# --- the sender


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    await hear(service_database, submitted())
    return service_database


class Fails:
    def __init__(self, trouble: Exception) -> None:
        self.sent = 0
        self._trouble = trouble

    async def send(self, letter: Delivery) -> None:
        self.sent += 1
        raise self._trouble


async def make_due(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute("update deliveries set due_at = now() where state = 'PENDING'")


EMAILS = "select state, attempts from deliveries where channel = 'email'"


@pytest.mark.service("notifications")
async def test_due_letters_go_once(db: Database, tmp_path: Path) -> None:
    sender = actions.Sender(db, MaildirMailer(tmp_path, SENDER))
    assert [await sender.send_due(), await sender.send_due()] == [3, 0]
    assert await rows(db, EMAILS) == [("SENT", 1)] * 3
    assert len(list((tmp_path / "new").iterdir())) == 3


@pytest.mark.service("notifications")
async def test_senders_side_by_side_send_each_letter_once(db: Database, tmp_path: Path) -> None:
    await hear(db, *[submitted(f"doc-{number}") for number in range(30)])
    mailer = CountsSends(MaildirMailer(tmp_path, SENDER))
    await asyncio.gather(*[actions.Sender(db, mailer).send_due() for _ in range(4)])
    while await actions.Sender(db, mailer).send_due():
        pass
    assert len(mailer.sent) == len(set(mailer.sent)) == 93


class CountsSends:
    def __init__(self, mailer: Mailer) -> None:
        self.sent: list[str] = []
        self._mailer = mailer

    async def send(self, letter: Delivery) -> None:
        self.sent.append(letter.id)
        await self._mailer.send(letter)


@pytest.mark.service("notifications")
async def test_trouble_is_retried_a_named_number_of_times_then_said(db: Database) -> None:
    mailer = Fails(MailTrouble("the server is down"))
    for _ in range(SEND_ATTEMPTS_MAX + 3):
        await make_due(db)
        await actions.Sender(db, mailer).send_due()
    assert mailer.sent == 3 * SEND_ATTEMPTS_MAX
    assert await rows(db, EMAILS) == [("FAILED", SEND_ATTEMPTS_MAX)] * 3
    said = [events_pb2.DeliveryFailed.FromString(row[0]) for row in await rows(db, "select payload from outbox")]
    assert {one.recipient_id for one in said} == {"importer-ar", "importer-en", "broker-fr"}
    assert {one.reason for one in said} == {"the server is down"}


@pytest.mark.service("notifications")
async def test_trouble_is_not_retried_at_once(db: Database) -> None:
    await actions.Sender(db, Fails(MailTrouble("busy"))).send_due()
    assert await actions.Sender(db, Fails(MailTrouble("busy"))).send_due() == 0
    waits = await rows(db, "select due_at - now() > interval '2 seconds' from deliveries where state = 'PENDING'")
    assert waits == [(True,)] * 3


@pytest.mark.service("notifications")
async def test_the_undeliverable_fails_at_once(db: Database) -> None:
    await actions.Sender(db, Fails(Undeliverable("no such user\x00"))).send_due()
    assert await rows(db, EMAILS) == [("FAILED", 1)] * 3


@pytest.mark.service("notifications")
async def test_one_bad_letter_does_not_hold_up_the_others(db: Database, tmp_path: Path) -> None:
    async with db.connection() as connection:
        await connection.execute("update deliveries set address = 'nonsense' where recipient_id = 'importer-ar'")
    await actions.Sender(db, MaildirMailer(tmp_path, SENDER)).send_due()
    assert sorted(row[0] for row in await rows(db, EMAILS)) == ["FAILED", "SENT", "SENT"]


@pytest.mark.service("notifications")
async def test_a_sender_that_lost_its_lease_settles_nothing_against_the_next(db: Database) -> None:
    class Slow:
        async def send(self, letter: Delivery) -> None:
            async with db.connection() as connection:
                await connection.execute("update deliveries set attempts = attempts + 1 where id = %s", [letter.id])
            raise Undeliverable("too late to say")

    await actions.Sender(db, Slow()).send_due()
    assert {row[0] for row in await rows(db, EMAILS)} == {"PENDING"}
    assert await rows(db, "select * from outbox") == []


@pytest.mark.service("notifications")
async def test_a_letter_that_breaks_the_mailer_is_given_up_like_any_other_and_the_mail_room_lives(db: Database) -> None:
    """It ended the process, and the next, each time its lease did: nobody's mail went any more."""
    mailer = Fails(ValueError("a fault of ours"))
    for _ in range(SEND_ATTEMPTS_MAX):
        await make_due(db)
        await actions.Sender(db, mailer).send_due()
    assert await rows(db, EMAILS) == [("FAILED", SEND_ATTEMPTS_MAX)] * 3


@pytest.mark.service("notifications")
async def test_what_is_claimed_is_on_its_way_at_once_so_that_no_lease_ends_in_a_queue(db: Database) -> None:
    await hear(db, *[submitted(f"doc-{number}") for number in range(30)])
    under_way, most = 0, 0

    class Slow:
        async def send(self, letter: Delivery) -> None:
            nonlocal under_way, most
            under_way += 1
            await asyncio.sleep(0.02)
            most, under_way = max(most, under_way), 0

    claimed = await actions.Sender(db, Slow()).send_due()
    assert 0 < claimed == most


class Killed(BaseException):
    """What kill -9 does, as far as Python can say it."""


class KillsAtLine:
    """Raises Killed when the n-th line of the mail room or the maildir is about to run."""

    FILES = ("notifications/actions/sending.py", "notifications/store/mail.py", "notifications/store/deliveries.py")

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self.FILES):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise Killed
        return self


async def killed_at(line: int, run: Callable[[], Awaitable[object]]) -> bool:
    kills = KillsAtLine(line)
    sys.settrace(kills)
    try:
        await run()
    except Killed:
        return True
    finally:
        sys.settrace(None)
    return kills.left <= 0


@pytest.mark.service("notifications")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the dead close no files
async def test_a_sender_killed_at_any_line_leaves_exactly_one_letter(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def here(work: Callable[..., object], *arguments: object) -> object:
        return work(*arguments)

    monkeypatch.setattr("notifications.store.mail.asyncio.to_thread", here)
    monkeypatch.setattr("notifications.actions.sending.asyncio.gather", one_after_the_other)
    line, was_killed = 0, True
    while was_killed:
        line += 1
        root = tmp_path / str(line)
        async with db.connection() as connection:
            await connection.execute("delete from deliveries where recipient_id not in ('broker-fr', 'broker')")
            await connection.execute(
                "update deliveries set state = 'PENDING', attempts = 0, due_at = now() where channel = 'email'"
            )
        was_killed = await killed_at(line, actions.Sender(db, MaildirMailer(root, SENDER)).send_due)
        await make_due(db)
        await actions.Sender(db, MaildirMailer(root, SENDER)).send_due()
        assert len(list((root / "new").iterdir())) == 1, f"killed before line {line}"
        assert [row[0] for row in await rows(db, EMAILS)] == ["SENT"]
        assert await rows(db, "select * from outbox") == []
    assert line > 40


async def one_after_the_other(*sends: Awaitable[Any]) -> list[Any]:
    return [await send for send in sends]


@pytest.mark.service("notifications")
async def test_the_sender_stops_when_told(db: Database, tmp_path: Path) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(actions.Sender(db, MaildirMailer(tmp_path, SENDER)).run(stop))
    async with asyncio.timeout(timedelta(seconds=10).total_seconds()):
        while await rows(db, "select 1 from deliveries where state = 'PENDING'"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        stop.set()
        await running
    assert len(list((tmp_path / "new").iterdir())) == 3


# --- what is written quickly is what the library would have written

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x00", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
)


@given(title=TEXTS.map(lambda text: " ".join(text.split())[:200]), body=st.lists(TEXTS, max_size=5).map("\n".join))
def test_what_is_written_says_what_is_composed(title: str, body: str) -> None:
    letter = a_letter(title=title or "A", body=body or "B")
    quickly, slowly = written(letter, SENDER), compose(letter, SENDER).as_bytes()
    mine, theirs = (email.message_from_bytes(raw, policy=email.policy.default) for raw in (quickly, slowly))
    assert {name: mine[name] for name in HEADERS} == {name: theirs[name] for name in HEADERS}
    assert mine.get_content() == theirs.get_content()
    assert all(len(line) <= 998 for line in quickly.split(b"\r\n"))


HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Language")


def test_a_line_longer_than_mail_allows_is_encoded() -> None:
    letter = a_letter(body="é" * 2_000)
    raw = written(letter, SENDER)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert email.message_from_bytes(raw, policy=email.policy.default).get_content().strip() == letter.body
