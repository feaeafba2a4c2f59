"""No words of a private room get into the joint one by mail, however a mail repeats them; all others do (I1, I2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.codec import JsonCodec
from appservice.mail.reader import MailReader
from appservice.mail.stored import StoredMail
from bridges.email import reply
from bridges.email.convert_in import mail_identity
from bridges.email.ids import token_hash
from policies.case import JOINT, Conversation
from policies.effects import Post
from policies.message import Message, MessageId, SignedDevice, Text
from policies.moderation import aside
from rooms.addresses import ReplyAddress
from rooms.handle import Handler
from rooms.house import House
from rooms.queue import Item, ItemId, Lane, item_id
from tests.bridges.email.builders import CLIENTS, OWN_DOMAIN, PASSED, TOKEN, TRUST, mail, sent
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import MIA, both_sides, caucus_of, named

AT = datetime(2026, 1, 5, tzinfo=UTC)
CASE = both_sides()
CARL, OWN = named(CASE, "Carl"), caucus_of(CASE, "Jones")
CODEC, HOUSE = JsonCodec(), House("example.org", "_mediatrix_", OWN_DOMAIN, {})


@dataclass(frozen=True)
class Paste:
    """A line of the private room in a mail, as somebody or some program puts it there."""

    line: int
    how: str

    def of(self, lines: Sequence[str]) -> str:
        """The text in the mail."""
        text = lines[self.line % len(lines)]
        half = len(text.split()) // 2
        return {
            "as it was": text,
            "marked": f"> {text}",
            "as our mails have it": f"| {text}",
            "in capitals": text.upper(),
            "broken": " ".join(text.split()[:half]) + "\n" + " ".join(text.split()[half:]),
            "within a sentence": f"well, {text}, as was said",
        }[self.how]


HOWS = ("as it was", "marked", "as our mails have it", "in capitals", "broken", "within a sentence")
PRIVATE = st.lists(st.text("qvwxz", min_size=2, max_size=6), min_size=5, max_size=12, unique=True).map(" ".join)
PUBLIC = st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=12).map(" ".join)
PASTES = st.builds(Paste, st.integers(0, 9), st.sampled_from(HOWS))


class Carls:
    """Carl's rooms: what is said there, and what he mails to the joint one."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.reader = MailReader(self.database, CODEC, HOUSE, TRUST, settle=timedelta())
        self._items = 0

    async def begin(self) -> None:
        async with self.database.begin() as work:
            await work.cases.save(CASE)
            await work.addresses.save(
                ReplyAddress(CASE.id, CARL.id, CARL.endpoint.id, JOINT, TOKEN.value), token_hash(TOKEN)
            )

    async def hear(self, where: Conversation, text: str) -> None:
        """The mediator says something there."""
        self._items += 1
        said = Message(MessageId(f"m{self._items}"), MIA, where, Text(text), SignedDevice(), AT, native=True)
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, HOUSE, item_id(f"said/{self._items}"), AT)
            await handler.message(CASE.id, said, None, None)

    async def write(self, text: str) -> list[tuple[Conversation, object]]:
        """Carl mails this to the joint room; what is posted, and where."""
        self._items += 1
        raw = mail(text, PASSED).replace(b"<1@", b"<%d@" % self._items)
        identity, same = mail_identity(token_hash(TOKEN), raw)
        body = StoredMail(token_hash(TOKEN), "carl@example.net", same, 1, raw).dump()
        item = Item(ItemId(identity[-40:]), Lane("l"), "mail", CASE.id, body, AT)
        before = set(self.database.committed.outbox.items)
        async with self.database.begin() as work:
            await work.inbox.put(item)
        await self.reader.read(item)
        items = self.database.committed.outbox.items
        effects = [CODEC.load(items[new].body) for new in items if new not in before]
        return [(effect.conversation, effect.content) for effect in effects if isinstance(effect, Post)]


def runs(text: str) -> set[str]:
    """Every five words in a row."""
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}


@given(
    st.lists(PRIVATE, min_size=1, max_size=3),
    st.lists(PUBLIC | PASTES, min_size=1, max_size=4),
    st.sampled_from([None, *sorted(CLIENTS)]),
)
@settings(max_examples=60)
async def test_words_of_a_private_room_never_get_into_the_joint_one_by_mail_and_all_others_do(
    private: list[str], pieces: list[str | Paste], client: str | None
) -> None:
    carl = Carls()
    await carl.begin()
    for line in private:
        await carl.hear(OWN, line)
    text = "\n".join(piece.of(private) if isinstance(piece, Paste) else piece for piece in pieces)
    posted = await carl.write(CLIENTS[client](text, sent("What do you say?")) if client else text)
    secret = {run for line in private for run in runs(line)}
    for where, content in posted:
        assert where == OWN or not runs(str(content)) & secret
    if not any(isinstance(piece, Paste) for piece in pieces):
        assert posted == [(JOINT, Text(text))]
    # What was kept back once is kept back for ever: to have been refused makes no word public.
    if not any(where == JOINT for where, _ in posted):
        again = await carl.write(text)
        assert not any(where == JOINT for where, _ in again)


async def test_what_everybody_has_read_may_be_said_again() -> None:
    carl = Carls()
    await carl.begin()
    await carl.hear(OWN, "we would never ever sell the old bakery")
    assert [where for where, _ in await carl.write("You said: we would never ever sell the old bakery")] == [OWN]
    await carl.hear(JOINT, "we would never ever sell the old bakery")
    assert [where for where, _ in await carl.write("Again: we would never ever sell the old bakery")] == [JOINT]


async def leaks() -> bool:
    """Whether a pasted line of the private room gets out."""
    carl = Carls()
    await carl.begin()
    await carl.hear(OWN, "we would never ever sell the old bakery")
    posted = await carl.write("See what he says:\nwe would never ever sell the old bakery")
    return any(where == JOINT for where, _ in posted)


async def test_without_the_guard_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not await leaks()
    monkeypatch.setattr(aside, "repeats", lambda *_: False)
    assert await leaks()


async def test_without_a_doubt_about_quotes_the_guard_alone_stops_them(monkeypatch: pytest.MonkeyPatch) -> None:
    carl = Carls()
    await carl.begin()
    await carl.hear(OWN, "we would never ever sell the old bakery")
    monkeypatch.setattr(reply, "_quote_left", lambda _: None)
    assert [where for where, _ in await carl.write("No.\n\n> we would never ever sell the old bakery")] == [OWN]
