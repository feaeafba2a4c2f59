"""The contract of every database: its tests inherit this class and provide `database`, a fixture with an empty one."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from appservice.portal.store import PIN_TRIES, Tried, Whose
from appservice.ports import ServiceWork
from appservice.storage.errors import Conflict
from appservice.whatsapp.ledger import Thread
from bridges.email.convert_in import Likeness
from bridges.email.reception import Counted
from policies.case import (
    DESK,
    JOINT,
    Ask,
    Case,
    CaseId,
    Consent,
    Conversation,
    Endpoint,
    EndpointId,
    Joining,
    Network,
    Participation,
    Person,
    PersonId,
    Phase,
    Role,
    Seen,
    Side,
    SideId,
    caucus,
)
from policies.documents.document import BlobId, DocumentId
from policies.message import (
    AuthenticatedMail,
    Content,
    Edit,
    File,
    FileRef,
    Message,
    MessageId,
    Proof,
    Reaction,
    Removal,
    SignedDevice,
    Text,
    Unproven,
    Unreadable,
)
from policies.moderation.agreement import Acceptance, Agreement, Confidentiality
from policies.moderation.hold import HoldEnd
from policies.networks.mail import MailState
from policies.networks.whatsapp import WhatsAppState, Window
from policies.people.joining import Funnel
from policies.plan import RoomKey
from policies.questions.ask import Accepting
from policies.record import Part
from rooms.addresses import ReplyAddress
from rooms.ids import EventId, RoomId, UserId
from rooms.mails import SentMail
from rooms.messages import SentPart
from rooms.ports import Entry, Held, RoomRecord, Standing, Work
from rooms.queue import Item, ItemId, Lane, State
from rooms.record import Head, Line, entry
from rooms.vault import Blob, Media
from tests.policies.builders import both_sides

AT = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
SMITH = CaseId("1001")
ALICE, CARL = PersonId("p1"), PersonId("p2")
SIDE_A = SideId("a")


class WorkDatabase(Protocol):
    """Opens units of work."""

    def begin(self) -> AbstractAsyncContextManager[Work]:
        """One unit of work: committed when the block ends, rolled back when it raises."""

    def begin_repeatable(self) -> AbstractAsyncContextManager[Work]:
        """The same, of something that is done again if it is lost."""


def _with_bea(endpoint: Endpoint) -> Case:
    """The case with somebody on WhatsApp on the other side."""
    bea = Person(CARL, "Bea", endpoint)
    seats = (CASE.participations[0], Participation(CARL, Role.PARTY, SideId("b")))
    return replace(CASE, people=(CASE.people[0], bea), participations=seats)


class WideDatabase(Protocol):
    """Opens the units of work that the service has."""

    def begin(self) -> AbstractAsyncContextManager[ServiceWork]:
        """One unit of work."""


CASE = Case(
    id=SMITH,
    title="Smith and Jones",
    phase=Phase.IN_SESSION,
    sides=(Side(SIDE_A, "Smith"), Side(SideId("b"), "Jones")),
    people=(
        Person(ALICE, "Alice", Endpoint(EndpointId("e1"), Network.MATRIX, "@alice:example.org")),
        Person(
            CARL,
            "Carl “Ω”",
            Endpoint(EndpointId("e2"), Network.EMAIL, "carl@example.org", Consent("@m:example.org", AT, "Yes.")),
        ),
    ),
    participations=(Participation(ALICE, Role.PARTY, SIDE_A), Participation(CARL, Role.OBSERVER, None)),
    asks=(Ask("4F7K", ALICE, caucus(SIDE_A), Accepting(), "0" * 64, AT, AT),),
    agreements=(Agreement(1, "# Agreement\nWe talk."), Agreement(2, "We listen.", Confidentiality.SHARE)),
    acceptances=(Acceptance(CARL, "0" * 64, AT, "on paper"),),
    made=7,
)


def message(number: int = 1, content: Content = Text("Words."), proof: Proof = SignedDevice()) -> Message:  # noqa: B008 (frozen)
    """What Alice said in her caucus."""
    return Message(MessageId(f"m{number}"), ALICE, caucus(SIDE_A), content, proof, AT, native=True)


class DatabaseContract:
    """What holds for every database. The queues have a contract of their own."""

    async def test_what_a_unit_of_work_wrote_is_there_for_the_next(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.cases.save(CASE)
            assert await work.cases.load(SMITH) == CASE
        async with database.begin() as work:
            assert await work.cases.load(SMITH, lock=True) == CASE

    async def test_a_case_is_begun_once_and_has_a_key_of_its_own(self, database: WorkDatabase) -> None:
        first, second = Case(CaseId("triage"), "first"), Case(CaseId("triage"), "second")
        async with database.begin() as work:
            assert await work.cases.begin(first) == first
        async with database.begin() as work:
            assert await work.cases.begin(second) == first
            await work.journal.append(Entry(first.id, message()))
        async with database.begin() as work:
            assert await work.cases.all_ids() == (first.id,)

    async def test_what_is_tallied_is_taken_once(self, database: WideDatabase) -> None:
        for _ in range(3):
            async with database.begin() as work:
                await work.tallies.add("strangers")
        async with database.begin() as work:
            assert (await work.tallies.take("strangers"), await work.tallies.take("others")) == (3, 0)
        async with database.begin() as work:
            assert await work.tallies.take("strangers") == 0

    async def test_a_unit_of_work_that_raises_leaves_nothing(self, database: WorkDatabase) -> None:
        with pytest.raises(ZeroDivisionError):
            await _write_and_fail(database)
        async with database.begin() as work:
            assert await work.cases.load(SMITH) is None
            assert await work.cases.new_number() == SMITH
            assert await work.journal.get(SMITH, MessageId("m1")) is None
            assert await work.journal.by_mail_id(SMITH, "<a@b>") is None
            assert await work.holds.of_case(SMITH) == ()
            assert await work.rooms.of_case(SMITH) == ()
            assert await work.ghosts.of_person(SMITH, CARL) is None

    # --- cases

    async def test_case_numbers_begin_at_1001_and_are_never_given_twice(self, database: WorkDatabase) -> None:
        numbers = []
        for _ in range(3):
            async with database.begin() as work:
                numbers.append(await work.cases.new_number())
        assert numbers == ["1001", "1002", "1003"]

    async def test_cases_are_listed_oldest_first_however_often_they_change(self, database: WorkDatabase) -> None:
        ids = [CaseId("1009"), CaseId("1010"), CaseId("999")]
        async with database.begin() as work:
            for case in ids:
                await work.cases.save(Case(case, "t"))
            await work.cases.save(Case(ids[0], "changed"))
            assert await work.cases.all_ids() == tuple(ids)
            assert await work.cases.load(ids[0]) == Case(ids[0], "changed")

    async def test_a_matrix_user_is_found_in_all_their_cases_and_no_other(self, database: WorkDatabase) -> None:
        alice = UserId("@alice:example.org")
        async with database.begin() as work:
            await work.cases.save(CASE)
            await work.cases.save(replace(CASE, id=CaseId("1002"), people=CASE.people[1:]))
            await work.cases.save(replace(CASE, id=CaseId("1003")))
            assert await work.cases.of_matrix_user(alice) == ("1001", "1003")
            assert await work.cases.of_matrix_user(UserId("carl@example.org")) == ()
            await work.cases.save(replace(CASE, people=()))
            assert await work.cases.of_matrix_user(alice) == ("1003",)

    async def test_who_stays_in_a_case_is_found_whoever_else_comes_and_goes(self, database: WorkDatabase) -> None:
        alice, bob = both_sides().people[1], replace(both_sides().people[1], id=PersonId("p9"))
        bob = replace(bob, endpoint=replace(bob.endpoint, id=EndpointId("e9"), address="@bob:example.org"))
        found: list[list[bool]] = []
        for people in ((alice,), (alice,), (alice, bob), (bob,)):
            async with database.begin() as work:
                await work.cases.save(replace(CASE, people=people))
            async with database.begin() as work:
                addresses = (UserId(one.endpoint.address) for one in (alice, bob))
                found.append([await work.cases.of_matrix_user(address) == (CASE.id,) for address in addresses])
        assert found == [[True, False], [True, False], [True, True], [False, True]]

    async def test_of_all_that_a_unit_of_work_makes_of_a_case_the_last_is_stored(self, database: WorkDatabase) -> None:
        titles = ("Bakery", "Bakers", "Bread")
        async with database.begin() as work:
            await work.cases.save(CASE)

        async def fails() -> None:
            async with database.begin() as work:
                await work.cases.load(CASE.id, lock=True)
                await work.cases.save(replace(CASE, title="Never"))
                raise LookupError

        with pytest.raises(LookupError):
            await fails()
        async with database.begin() as work:
            assert await work.cases.load(CASE.id, lock=True) == CASE
            for title in titles:
                await work.cases.save(replace(CASE, title=title))
                assert await work.cases.load(CASE.id) == replace(CASE, title=title)
        async with database.begin() as work:
            assert await work.cases.load(CASE.id) == replace(CASE, title=titles[-1])

    async def test_cases_that_wait_for_somebody_are_found_by_urgency(self, database: WorkDatabase) -> None:
        case, mia = both_sides(), UserId("@mia:example.org")
        ask = replace(CASE.asks[0], asked=case.people[0].id, expires=AT + timedelta(days=9))
        times = {"a": AT, "b": AT + timedelta(minutes=1)}
        waits = {n: replace(case, id=CaseId(n), asks=(replace(ask, at=at),)) for n, at in times.items()}
        async with database.begin() as work:
            for one in (waits["b"], waits["a"], replace(case, id=CaseId("c"))):
                await work.cases.save(one)
            assert await work.cases.urgent(mia, 9) == ("a", "b")
            assert await work.cases.urgent(mia, 1) == ("a",)
            assert await work.cases.urgent(UserId("@nobody:example.org"), 9) == ()
            await work.cases.save(replace(waits["a"], asks=()))
            assert await work.cases.urgent(mia, 9) == ("b",)

    # --- lines

    async def test_a_number_and_a_name_on_whatsapp_are_one_conversation_and_the_database_says_so(
        self, database: WorkDatabase
    ) -> None:
        bea = Endpoint(EndpointId("e2"), Network.WHATSAPP, "+34600123456", seen=Seen("ES.1"))
        hers = _with_bea(bea)
        async with database.begin() as work:
            await work.cases.save(hers)
            await work.cases.save(replace(hers, title="another"))
        for theirs in (bea, replace(bea, address="+34600999999"), replace(bea, seen=None)):
            with pytest.raises(Conflict):
                async with database.begin() as work:
                    await work.cases.save(replace(_with_bea(theirs), id=CaseId("1002")))
        async with database.begin() as work:
            assert await work.cases.load(CaseId("1002")) is None
            assert await work.cases.of_address(Network.WHATSAPP, "ES.1") == (SMITH,)
            await work.cases.save(replace(hers, people=hers.people[:1]))
        async with database.begin() as work:
            await work.cases.save(replace(hers, id=CaseId("1002")))
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.cases.save(hers)

    async def test_no_second_conversation_of_the_same_case_has_that_line(self, database: WorkDatabase) -> None:
        bea = Endpoint(EndpointId("e2"), Network.WHATSAPP, "+34600123456")
        hers = _with_bea(bea)
        other = Person(PersonId("p9"), "Eva", replace(bea, id=EndpointId("e9")))
        seat = Participation(other.id, Role.PARTY, SIDE_A)
        both = replace(hers, people=(*hers.people, other), participations=(*hers.participations, seat))
        moved = replace(hers, participations=(hers.participations[0], Participation(CARL, Role.PARTY, SIDE_A)))
        async with database.begin() as work:
            await work.cases.save(hers)
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.cases.save(both)
        async with database.begin() as work:
            await work.cases.save(moved)
            assert await work.cases.load(SMITH) == moved

    # --- rooms and ghosts

    async def test_what_a_board_shows_outlasts_every_change_of_its_case(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.cases.save(CASE)
            assert not await work.cases.board_shows(SMITH, "in session")
            await work.cases.note_board(SMITH, "in session")
        async with database.begin() as work:
            await work.cases.save(replace(CASE, title="another"))
            assert await work.cases.board_shows(SMITH, "in session")
            assert not await work.cases.board_shows(SMITH, "paused")

    async def test_the_levels_that_we_wrote_into_a_room_are_known(self, database: WorkDatabase) -> None:
        room, other = RoomId("!joint"), RoomId("!other")
        async with database.begin() as work:
            assert await work.rooms.levels(room) == frozenset()
            await work.rooms.note_levels(room, frozenset({"a"}))
            await work.rooms.note_levels(room, frozenset({"a", "b"}))
        async with database.begin() as work:
            assert await work.rooms.levels(room) == {"a", "b"}
            assert await work.rooms.levels(other) == frozenset()
            await work.rooms.note_levels(room, frozenset())
            assert await work.rooms.levels(room) == frozenset()

    async def test_a_room_is_found_by_its_key_and_by_its_id(self, database: WorkDatabase) -> None:
        desk = RoomRecord(SMITH, RoomKey("desk"), Standing.CREATING, "x")
        made = replace(desk, standing=Standing.MADE, room_id=RoomId("!desk"))
        joint = RoomRecord(SMITH, RoomKey("joint"), Standing.SUSPENDED, "y", RoomId("!joint"), "an extra member: Ω")
        other = RoomRecord(CaseId("1002"), RoomKey("desk"), Standing.MADE, "z", RoomId("!other"))
        async with database.begin() as work:
            for record in (desk, joint, other, made):
                await work.rooms.save(record)
        async with database.begin() as work:
            assert await work.rooms.get(SMITH, RoomKey("desk")) == made
            assert await work.rooms.get(SMITH, RoomKey("caucus-a")) is None
            assert await work.rooms.by_room_id(RoomId("!joint")) == joint
            assert await work.rooms.by_room_id(RoomId("!stranger")) is None
            assert await work.rooms.of_case(SMITH) == (made, joint)
            assert await work.rooms.made() == (made, joint, other)

    async def test_a_room_of_no_case_is_kept_apart(self, database: WorkDatabase) -> None:
        chat = RoomRecord(None, RoomKey("lobby:!x"), Standing.MADE, "", RoomId("!x"), "@m:example.org")
        async with database.begin() as work:
            await work.rooms.save(chat)
            await work.rooms.save(chat)
            assert await work.rooms.by_room_id(RoomId("!x")) == chat
            assert await work.rooms.of_case(SMITH) == ()
            assert await work.rooms.made() == (chat,)

    async def test_one_matrix_room_serves_one_conversation_only(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.rooms.save(RoomRecord(SMITH, RoomKey("desk"), Standing.MADE, "x", RoomId("!desk")))
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.rooms.save(RoomRecord(SMITH, RoomKey("joint"), Standing.MADE, "y", RoomId("!desk")))

    async def test_changes_of_rooms_are_counted_whatever_else_is_stored_of_them(self, database: WorkDatabase) -> None:
        desk, joint = (RoomRecord(SMITH, RoomKey(k), Standing.MADE, k, RoomId(f"!{k}")) for k in ("desk", "joint"))
        async with database.begin() as work:
            await work.rooms.save(desk)
            await work.rooms.save(joint)
            assert await work.rooms.changes(RoomId("!desk")) == 0
            await work.rooms.note_change([RoomId("!desk"), RoomId("!desk"), RoomId("!stranger")])
            await work.rooms.note_change([])
        async with database.begin() as work:
            await work.rooms.save(replace(desk, standing=Standing.SUSPENDED, reason="why"))
            assert await work.rooms.changes(RoomId("!desk")) == 1
            assert await work.rooms.changes(RoomId("!joint")) == 0
            assert await work.rooms.changes(RoomId("!stranger")) is None

    async def test_a_ghost_stands_for_one_person_for_ever(self, database: WorkDatabase) -> None:
        ghost = UserId("@_mediatrix_x:example.org")
        async with database.begin() as work:
            await work.ghosts.save(SMITH, CARL, ghost)
            await work.ghosts.save(SMITH, CARL, ghost)
            assert await work.ghosts.of_person(SMITH, CARL) == ghost
            assert await work.ghosts.of_person(CaseId("1002"), CARL) is None
            assert await work.ghosts.who(ghost) == (SMITH, CARL)
            assert await work.ghosts.who(UserId("@stranger:example.org")) is None

    @pytest.mark.parametrize(("case", "ghost"), [("1001", "@second:example.org"), ("1002", "@first:example.org")])
    async def test_neither_person_nor_ghost_can_change_the_other(
        self, database: WorkDatabase, case: str, ghost: str
    ) -> None:
        async with database.begin() as work:
            await work.ghosts.save(SMITH, CARL, UserId("@first:example.org"))
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.ghosts.save(CaseId(case), CARL, UserId(ghost))

    # --- reply addresses

    async def test_an_address_is_found_by_person_and_by_hash_until_it_is_revoked(self, database: WorkDatabase) -> None:
        joint, private = _address(JOINT, "t1"), _address(caucus(SIDE_A), "t2")
        other = replace(joint, case=CaseId("1002"), token="t3")
        async with database.begin() as work:
            for address in (joint, private, other, joint):
                await work.addresses.save(address, f"hash of {address.token}")
        async with database.begin() as work:
            assert await work.addresses.get(SMITH, EndpointId("e2"), JOINT) == joint
            assert await work.addresses.get(SMITH, EndpointId("e2"), caucus(SIDE_A)) == private
            assert await work.addresses.get(SMITH, EndpointId("e2"), caucus(SideId("b"))) is None
            assert await work.addresses.by_hash("hash of t2") == private
            assert await work.addresses.by_hash("t2") is None
            await work.addresses.revoke(SMITH, EndpointId("e2"))
        async with database.begin() as work:
            assert await work.addresses.by_hash("hash of t1") is None
            assert await work.addresses.get(SMITH, EndpointId("e2"), JOINT) is None
            assert await work.addresses.by_hash("hash of t3") == other

    async def test_after_a_revocation_there_may_be_a_new_address_but_never_the_old_one(
        self, database: WorkDatabase
    ) -> None:
        async with database.begin() as work:
            await work.addresses.save(_address(JOINT, "t1"), "h1")
            await work.addresses.revoke(SMITH, EndpointId("e2"))
            await work.addresses.save(_address(JOINT, "t2"), "h2")
            assert await work.addresses.get(SMITH, EndpointId("e2"), JOINT) == _address(JOINT, "t2")
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.addresses.save(_address(JOINT, "t1"), "h1")

    async def test_one_person_has_one_address_for_a_room(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.addresses.save(_address(JOINT, "t1"), "h1")
        with pytest.raises(Conflict):
            async with database.begin() as work:
                await work.addresses.save(_address(JOINT, "t2"), "h2")

    # --- what was said where

    async def test_what_was_said_is_found_where_it_was_said_and_in_its_case_alone(self, database: WorkDatabase) -> None:
        other = CaseId("1003")
        async with database.begin() as work:
            await work.echoes.note(SMITH, JOINT.id, ["n:40000", "s:a b c d e"])
            await work.echoes.note(SMITH, caucus(SIDE_A).id, ["n:40000"])
            await work.echoes.note(SMITH, caucus(SIDE_A).id, ["n:40000"])
            await work.echoes.note(other, DESK.id, ["n:7"])
        async with database.begin() as work:
            found = await work.echoes.where(SMITH, [*(f"n:{n}" for n in range(1000)), "n:40000", "s:a b c d e"])
            assert found == {
                "n:40000": frozenset({JOINT.id, caucus(SIDE_A).id}),
                "s:a b c d e": frozenset({JOINT.id}),
            }
            assert await work.echoes.where(SMITH, []) == {}

    async def test_the_newest_words_of_a_message_are_its_last_edit(self, database: WorkDatabase) -> None:
        first = message(1)
        edits = [message(n, Edit(first.id, f"words {n}")) for n in (2, 3)]
        async with database.begin() as work:
            forged = message(5, Edit(first.id, "forged"), Unproven("why", ""))
            for said in (first, *edits, forged, message(4)):
                await work.journal.append(Entry(SMITH, said))
            assert await work.journal.newest(SMITH, first.id) == Entry(SMITH, edits[1])
            assert await work.journal.changes(SMITH, first.id) == tuple(edit.id for edit in edits)
            assert await work.journal.changes(SMITH, MessageId("m4")) == ()
            assert await work.journal.newest(SMITH, MessageId("m4")) == Entry(SMITH, message(4))
            assert await work.journal.newest(SMITH, MessageId("m9")) is None

    async def test_reactions_to_a_message_are_those_that_were_not_taken_back(self, database: WorkDatabase) -> None:
        on = [message(n, Reaction(MessageId("m1"), key)) for n, key in ((2, "👍"), (3, "❤️"), (4, "🙏"))]
        other, taken = message(5, Reaction(MessageId("m9"), "👍")), message(6, Removal(MessageId("m3")))
        async with database.begin() as work:
            for said in (message(1), *on, other, taken, message(7, Removal(MessageId("m1")))):
                await work.journal.append(Entry(SMITH, said))
            await work.journal.append(Entry(CaseId("1002"), message(2, Reaction(MessageId("m1"), "x"))))
        async with database.begin() as work:
            assert await work.journal.reactions(SMITH, MessageId("m1")) == (on[0], on[2])
            assert await work.journal.reactions(SMITH, MessageId("m2")) == ()

    # --- the journal

    @pytest.mark.parametrize("proof", [SignedDevice(), AuthenticatedMail(), Unproven("why", "remedy")])
    @pytest.mark.parametrize(
        "content",
        [
            Text("Words.\nΩ \x00 \ud83d"),
            File("a.pdf", "application/pdf", 5, FileRef("ref")),
            Edit(MessageId("m0"), "better"),
            Edit(None, "better"),
            Reaction(None, "👍"),
            Removal(MessageId("m0")),
            Unreadable("why", "words"),
        ],
    )
    async def test_every_message_comes_back_as_it_was_said(
        self, database: WorkDatabase, content: Content, proof: Proof
    ) -> None:
        said = replace(message(1, content, proof), files=(File("b", "c", 1, FileRef("d")),), reply_to=MessageId("m0"))
        async with database.begin() as work:
            await work.journal.append(Entry(SMITH, said))
        async with database.begin() as work:
            entry = await work.journal.get(SMITH, MessageId("m1"))
        assert entry == Entry(SMITH, said)
        assert entry is not None
        assert type(entry.message.proof) is type(proof)
        assert type(entry.message.content) is type(content)

    async def test_a_message_is_found_by_its_ids_within_its_case_only(self, database: WorkDatabase) -> None:
        native = Entry(SMITH, message(1), event=EventId("$1"))
        mailed = Entry(SMITH, message(2), mail_id="<2@mail>")
        other = CaseId("1002")
        async with database.begin() as work:
            await work.journal.append(native)
            await work.journal.append(mailed)
            await work.journal.append(Entry(other, message(2), mail_id="<2@mail>", event=EventId("$1")))
        async with database.begin() as work:
            assert await work.journal.by_event(SMITH, EventId("$1")) == native
            assert await work.journal.by_mail_id(SMITH, "<2@mail>") == mailed
            assert await work.journal.get(SMITH, MessageId("m3")) is None
            for unknown in ("$2", "", "$\x00", "$\ud83d"):
                assert await work.journal.by_event(other, EventId(unknown)) is None
            assert await work.journal.by_mail_id(CaseId("1003"), "<2@mail>") is None

    async def test_the_same_message_again_changes_nothing(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.journal.append(Entry(SMITH, message(1), EventId("$1"), "<1@mail>"))
            await work.journal.append(Entry(SMITH, message(1, Text("other")), EventId("$2"), "<2@mail>"))
            assert await work.journal.by_event(SMITH, EventId("$2")) is None
            assert await work.journal.by_mail_id(SMITH, "<2@mail>") is None
            assert await work.journal.get(SMITH, MessageId("m1")) == Entry(SMITH, message(1), EventId("$1"), "<1@mail>")

    async def test_ids_are_linked_later(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await work.journal.append(Entry(SMITH, message(1)))
            await work.journal.link_event(SMITH, MessageId("m1"), EventId("$1"))
            await work.journal.link_mail(SMITH, MessageId("m1"), "<1@mail>")
            await work.journal.link_mail(SMITH, MessageId("m1"), "<2@mail>")
        entry = Entry(SMITH, message(1), EventId("$1"), "<1@mail>")
        async with database.begin() as work:
            assert await work.journal.by_event(SMITH, EventId("$1")) == entry
            assert await work.journal.by_mail_id(SMITH, "<1@mail>") == entry
            assert await work.journal.by_mail_id(SMITH, "<2@mail>") == entry

    # --- holds and decisions

    async def test_held_messages_are_listed_oldest_first(self, database: WorkDatabase) -> None:
        first, second = Held(SMITH, MessageId("z"), "why Ω \ud83d", AT), Held(SMITH, MessageId("a"), "why", AT)
        async with database.begin() as work:
            for held in (first, second, replace(first, why="again"), replace(first, case=CaseId("1002"))):
                await work.holds.put(held)
            assert await work.holds.of_case(SMITH) == (first, second)
            assert await work.holds.of_case(CaseId("1003")) == ()
            assert await work.holds.counts() == {SMITH: (2, AT), CaseId("1002"): (1, AT)}

    async def test_what_is_held_ends_once_and_keeps_its_place(self, database: WorkDatabase) -> None:
        first = Held(SMITH, MessageId("z"), "why", AT, frozenset({CARL, PersonId("p9")}))
        second, later = Held(SMITH, MessageId("a"), "why", AT + timedelta(1)), AT + timedelta(2)
        async with database.begin() as work:
            for held in (first, second):
                await work.holds.put(held)
            assert await work.holds.end(SMITH, first.message, HoldEnd.DISCARDED, later)
            assert not await work.holds.end(SMITH, first.message, HoldEnd.POSTED, later)
            assert not await work.holds.end(CaseId("1002"), second.message, HoldEnd.POSTED, later)
        async with database.begin() as work:
            ended = replace(first, end=HoldEnd.DISCARDED, ended_at=later)
            assert await work.holds.of_case(SMITH) == (ended, second)
            assert await work.holds.counts() == {SMITH: (1, second.at)}
            assert not await work.holds.resume(SMITH, second.message)
            assert await work.holds.resume(SMITH, first.message)
            assert await work.holds.of_case(SMITH) == (first, second)
            assert await work.holds.end(SMITH, first.message, HoldEnd.POSTED, later)
            assert not await work.holds.resume(SMITH, first.message)

    # --- the record

    async def test_the_record_has_a_chain_for_each_audience_of_each_case(self, database: WorkDatabase) -> None:
        part = Part(DESK, ("Tell",), ("digest",))
        first = entry(SMITH, part, None, rule="rule", words="words \ud83d", at=AT)
        async with database.begin() as work:
            assert await work.record.head(SMITH, DESK.id) is None
            await work.record.append(first)
            head = await work.record.head(SMITH, DESK.id)
            assert head == Head(SMITH, DESK.id, 1, AT, first.hash)
            second = entry(SMITH, part, head, rule="rule", words="more", at=AT)
            await work.record.append(second)
            joint = entry(SMITH, replace(part, audience=JOINT), None, rule="rule", words="x", at=AT)
            await work.record.append(joint)
            await work.record.append(entry(CaseId("1002"), part, None, rule="rule", words="other", at=AT))
        async with database.begin() as work:
            assert await work.record.last(SMITH, 2) == (second, joint)
            assert [(h.audience, h.seq) for h in await work.record.heads(SMITH)] == [("desk", 2), ("joint", 1)]
            assert await work.record.last(CaseId("1003"), 9) == ()

    async def test_one_number_of_a_chain_is_given_once(self, database: WorkDatabase) -> None:
        line = entry(SMITH, Part(DESK, (), ()), None, rule="rule", words="words", at=AT)
        async with database.begin() as work:
            await work.record.append(line)
        with pytest.raises(Conflict):
            await _append(database, line)

    async def test_the_key_of_the_record_signs_always_alike(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            one = await work.record.sign("heads")
        async with database.begin() as work:
            assert await work.record.sign("heads") == one
            assert (await work.record.sign("other")).key == one.key

    # --- how far people came

    async def test_who_was_invited_is_counted_over_all_cases_as_they_are_now(self, database: WideDatabase) -> None:
        async with database.begin() as work:
            assert await work.cases.funnel() == Funnel()
        inside = replace(CASE, people=tuple(replace(p, joining=Joining(AT, AT, AT, AT)) for p in CASE.people))
        other = replace(CASE, id=CaseId("1002"), people=(replace(CASE.people[0], joining=Joining(AT)),))
        count = len(CASE.people)
        async with database.begin() as work:
            await work.cases.begin(replace(inside, people=other.people))
            await work.cases.save(other)
            await work.cases.save(inside)
        async with database.begin() as work:
            assert await work.cases.funnel() == Funnel(count + 1, count, 0, count)
            await work.cases.load(inside.id, lock=True)
            fewer = (replace(inside.people[0], joining=Joining(AT)), *inside.people[1:])
            await work.cases.save(replace(inside, people=fewer))
            assert await work.cases.funnel() == Funnel(count + 1, count - 1, 0, count - 1)

    # --- mails

    async def test_a_mail_is_known_again_elsewhere_by_its_name_or_its_sheet(self, database: WideDatabase) -> None:
        async with database.begin() as work:
            await work.mails.arrived([("one", Likeness("name", "sheet"))])
            await work.mails.arrived([("one", Likeness("name", "sheet"))])
            for like in (Likeness("name", "x"), Likeness("x", "sheet")):
                assert await work.mails.came_elsewhere("two", like)
                assert not await work.mails.came_elsewhere("one", like)
            assert not await work.mails.came_elsewhere("two", Likeness("sheet", "name"))

    async def test_mails_are_counted_for_all_up_to_the_limit_of_each_of_their_keys(
        self, database: WideDatabase
    ) -> None:
        hers, anybodys = Counted("hers", 2), Counted("anybody's", 3)
        async with database.begin() as work:
            assert await work.mails.counted([[hers, anybodys]] * 3, AT) == [True, True, False]
            assert await work.mails.counted([], AT) == []
        async with database.begin() as work:
            assert await work.mails.counted([[hers], [anybodys], [anybodys]], AT) == [False, True, False]
        later = AT + timedelta(hours=1)
        async with database.begin() as work:
            assert await work.mails.counted([[hers]], later - timedelta(seconds=1)) == [False]
            await work.mails.forget_counts(later - timedelta(hours=2))
        async with database.begin() as work:
            assert await work.mails.counted([[hers]], later - timedelta(seconds=1)) == [False]
            assert await work.mails.counted([[hers]], later) == [True]
            await work.mails.forget_counts(AT)
            assert await work.mails.counted([[anybodys]] * 4, AT) == [True, True, True, False]

    async def test_when_the_mailbox_was_looked_at_last_is_known_to_all(self, database: WideDatabase) -> None:
        async with database.begin() as work:
            assert await work.mails.looked() is None
        for at in (AT, AT + timedelta(seconds=7), AT + timedelta(seconds=1)):
            async with database.begin() as work:
                await work.mails.note_look(at)
        async with database.begin() as work:
            assert await work.mails.looked() == AT + timedelta(seconds=7)

    async def test_the_first_raw_mail_of_a_message_is_kept(self, database: WideDatabase) -> None:
        async with database.begin() as work:
            await work.mails.keep(SMITH, MessageId("m1"), b"\x00raw\xff")
            await work.mails.keep(SMITH, MessageId("m1"), b"other")
        async with database.begin() as work:
            assert await work.mails.raw(SMITH, MessageId("m1")) == b"\x00raw\xff"
            assert await work.mails.raw(SMITH, MessageId("m2")) is None
            assert await work.mails.raw(CaseId("1002"), MessageId("m1")) is None

    async def test_the_mails_of_one_case_are_destroyed_as_they_came(self, database: WideDatabase) -> None:
        cases = (SMITH, CaseId("1002"))
        async with database.begin() as work:
            for case in cases:
                await work.mails.keep(case, MessageId("m1"), b"raw")
                for name, kind in (("unread", "mail"), ("waits", "mail"), ("other", "matrix.event")):
                    item = ItemId(f"{name} {case}")
                    await work.inbox.put(Item(item, Lane(f"l{case}"), kind, case, b"raw", AT))
                    if name != "waits":
                        await work.inbox.stop(item, State.DEAD, "nobody could read it")
        async with database.begin() as work:
            await work.mails.destroy(SMITH)
        async with database.begin() as work:
            assert [await work.mails.raw(case, MessageId("m1")) for case in cases] == [None, b"raw"]
            left = {item.id for item in await work.inbox.in_state((State.DEAD, State.READY))}
            assert left == {"waits 1001", "other 1001", "unread 1002", "waits 1002", "other 1002"}
            gone = await work.inbox.get(ItemId("unread 1001"))
            assert gone is not None
            assert gone.body == b""

    async def test_what_is_known_of_a_mail_that_left_can_change(self, database: WideDatabase) -> None:
        mails = [
            SentMail(f"hash{n}", SMITH, CARL, EndpointId("e2"), ItemId(f"i{n}"), MailState.LEAVING, AT, "Ω", "Joint: Ω")
            for n in range(3)
        ]
        mails[1] = replace(mails[1], more=(ItemId("with"), ItemId("it")))
        async with database.begin() as work:
            for mail in mails:
                await work.mails.leaves(mail)
            await work.mails.mark("hash1", MailState.FAILED, "5.1.1", AT + timedelta(hours=1))
            await work.mails.mark("nothing", MailState.FAILED, "", AT)
        changed = replace(mails[1], state=MailState.FAILED, detail="5.1.1", at=AT + timedelta(hours=1))
        async with database.begin() as work:
            assert await work.mails.by_bounce("hash1") == changed
            assert await work.mails.by_bounce("nothing") is None
            assert await work.mails.to_person(SMITH, CARL, 2) == (mails[2], changed)
            assert await work.mails.to_person(SMITH, ALICE, 2) == ()
            assert await work.mails.has_begun(SMITH, CARL, mails[0].item)
            assert not await work.mails.has_begun(SMITH, ALICE, mails[0].item)
            assert not await work.mails.has_begun(SMITH, CARL, ItemId("none"))

    # --- WhatsApp

    async def test_what_is_known_of_each_part_of_a_message_can_change(self, database: WideDatabase) -> None:
        sent = [
            SentPart(ItemId(f"i{n // 2}"), n % 2, 2, SMITH, CARL, EndpointId("e2"), WhatsAppState.LEAVING, AT, "Ω")
            for n in range(4)
        ]
        async with database.begin() as work:
            for part in reversed(sent):
                await work.whatsapp.keep(part)
            changed = replace(sent[1], state=WhatsAppState.READ, detail="", message=MessageId("m1"))
            await work.whatsapp.keep(changed)
        async with database.begin() as work:
            assert await work.whatsapp.of_item(ItemId("i0")) == (sent[0], changed)
            assert await work.whatsapp.of_item(ItemId("i9")) == ()
            assert await work.whatsapp.to_person(SMITH, CARL, 3) == (sent[0], changed, sent[2])
            assert await work.whatsapp.to_person(SMITH, ALICE, 2) == ()
            assert await work.whatsapp.carrying(SMITH, CARL, MessageId("m1")) == {ItemId("i0")}
            assert await work.whatsapp.carrying(SMITH, CARL, MessageId("m2")) == set()

    async def test_what_went_over_another_channel_counts_no_more_when_a_person_has_it_sent_again(
        self, database: WideDatabase
    ) -> None:
        former, now = EndpointId("e2"), EndpointId("e3")
        parts = [
            SentPart(ItemId(item), number, 2, SMITH, CARL, channel, WhatsAppState.SENT, AT)
            for item, number, channel in (("i", 0, former), ("i", 1, now), ("j", 0, former))
        ]
        async with database.begin() as work:
            for part in parts:
                await work.whatsapp.keep(part)
            await work.whatsapp.begin_anew(ItemId("i"), {now, EndpointId("e4")})
        async with database.begin() as work:
            assert await work.whatsapp.of_item(ItemId("i")) == (parts[1],)
            assert await work.whatsapp.of_item(ItemId("j")) == (parts[2],)

    async def test_a_message_is_found_by_the_words_that_it_carried_on_one_channel_alone(
        self, database: WideDatabase
    ) -> None:
        channel, words = EndpointId("e2"), MessageId("m1")
        part = SentPart(ItemId("i"), 0, 1, SMITH, CARL, channel, WhatsAppState.SENT, AT, message=words, wamid="wamid.1")
        async with database.begin() as work:
            await work.whatsapp.keep(replace(part, item=ItemId("h"), wamid=""))
            await work.whatsapp.keep(part)
            await work.whatsapp.keep(replace(part, item=ItemId("j"), wamid="wamid.2"))
        async with database.begin() as work:
            assert await work.whatsapp.shown_as(SMITH, channel, words) == "wamid.1"
            assert await work.whatsapp.shown_as(SMITH, EndpointId("e3"), words) is None
            assert await work.whatsapp.shown_as(CaseId("1009"), channel, words) is None
            assert await work.whatsapp.of_item(ItemId("i")) == (part,)

    # --- the vault

    async def test_the_key_of_some_bytes_is_had_once_they_are_whole_and_by_their_case_alone(
        self, database: WorkDatabase
    ) -> None:
        blob, other = Blob(BlobId("b1"), SMITH, b"k" * 32, AT), Blob(BlobId("b2"), SMITH, b"l" * 32, AT)
        async with database.begin() as work:
            await work.vault.begin(blob)
            await work.vault.begin(other)
            assert await work.vault.get(SMITH, blob.id) is None
            await work.vault.keep(blob.id)
        async with database.begin() as work:
            assert await work.vault.get(SMITH, blob.id) == blob
            assert await work.vault.get(CaseId("1002"), blob.id) is None
            assert await work.vault.known([blob.id, other.id, BlobId("b3")]) == {blob.id, other.id}
            assert await work.vault.unfinished(AT) == ()
            assert await work.vault.unfinished(AT + timedelta(seconds=1)) == (other.id,)
            await work.vault.forget([other.id, BlobId("b3")])
            assert await work.vault.known([blob.id, other.id]) == {blob.id}

    async def test_a_file_at_the_homeserver_is_known_until_it_is_gone(self, database: WorkDatabase) -> None:
        begun = [Media(ItemId(f"i{n}"), SMITH, JOINT, AT, document=DocumentId("D1"), version=1) for n in range(2)]
        there = replace(begun[0], uri="mxc://example.org/a", event=EventId("$e"))
        async with database.begin() as work:
            for media in begun:
                await work.vault.note(media)
            await work.vault.note(there)
            await work.vault.note(Media(ItemId("i2"), SMITH, caucus(SideId("s1")), AT, "mxc://example.org/b"))
        async with database.begin() as work:
            assert await work.vault.posted(SMITH, DocumentId("D1")) == (there, begun[1])
            assert await work.vault.posted(CaseId("1002"), DocumentId("D1")) == ()
            assert await work.vault.media(ItemId("i1")) == begun[1]
            brought = await work.vault.media(ItemId("i2"))
            assert brought is not None
            assert brought.conversation == caucus(SideId("s1"))
            await work.vault.note(replace(there, gone=AT))
            assert await work.vault.posted(SMITH, DocumentId("D1")) == (replace(there, gone=AT), begun[1])

    async def test_what_lies_ready_for_somebody_is_found_page_by_page(self, database: WideDatabase) -> None:
        async with database.begin() as work:
            for n in range(5):
                await work.shelf.put(SMITH, CARL, ItemId(f"i{n}"), b"%d" % n, AT)
                await work.shelf.put(SMITH, ALICE, ItemId(f"i{n}"), b"hers", AT)
        async with database.begin() as work:
            assert [laid.body for laid in await work.shelf.laid_for(SMITH, CARL, 2)] == [b"3", b"4"]
            assert [laid.body for laid in await work.shelf.laid_for(SMITH, CARL, 2, ItemId("i3"))] == [b"1", b"2"]
            assert await work.shelf.laid_for(SMITH, CARL, 2, ItemId("i0")) == ()
            assert await work.shelf.laid_for(SMITH, CARL, 2, ItemId("unknown")) == ()

    async def test_a_link_waits_until_one_was_opened_or_a_mail_came_back_from_there(
        self, database: WideDatabase
    ) -> None:
        carl, there, late = Whose(SMITH, CARL), EndpointId("e2"), AT + timedelta(minutes=15)
        elsewhere = (Whose(SMITH, ALICE), there), (carl, EndpointId("e3"))
        async with database.begin() as work:
            token = await work.shelf.new_link(SMITH, CARL, there, AT, late)
            for whose, endpoint in elsewhere:
                await work.shelf.new_link(SMITH, whose.person, endpoint, AT, late)
        async with database.begin() as work:
            assert await work.shelf.waiting_link(carl, there, AT - timedelta(minutes=1))
            await work.shelf.lose_links(carl, there)
        async with database.begin() as work:
            assert not await work.shelf.waiting_link(carl, there, AT - timedelta(minutes=1))
            for whose, endpoint in elsewhere:
                assert await work.shelf.waiting_link(whose, endpoint, AT - timedelta(minutes=1))
            assert await work.shelf.use_link(token, AT), "if it did arrive, it opens"

    async def test_a_link_is_opened_by_its_own_code_once_and_in_time_or_by_its_persons_pin(
        self, database: WideDatabase
    ) -> None:
        carl, late = Whose(SMITH, CARL), AT + timedelta(minutes=15)
        async with database.begin() as work:
            one, other = [await work.shelf.new_link(SMITH, CARL, EndpointId("e2"), AT, late) for _ in range(2)]
            past = await work.shelf.new_link(SMITH, CARL, EndpointId("e2"), AT, AT)
            await work.shelf.forget_links(late)
            assert await work.shelf.link(past) is None
            code, second = await work.shelf.new_code(one, late), await work.shelf.new_code(other, AT)
            assert (len(code), code.isdecimal()) == (8, True)
        async with database.begin() as work:
            assert await work.shelf.try_key(other, carl, code, AT) is Tried.WRONG
            assert await work.shelf.try_key(other, carl, second, AT) is Tried.WRONG
            assert await work.shelf.try_key(one, carl, code, late) is Tried.WRONG
            assert await work.shelf.try_key(one, carl, "", AT) is Tried.WRONG
            assert await work.shelf.try_key(one, carl, code, AT) is Tried.RIGHT
            assert await work.shelf.use_link(one, AT)
        async with database.begin() as work:
            tries = [await work.shelf.try_key(one, carl, code, AT) for _ in range(PIN_TRIES)]
            assert tries == [Tried.WRONG] * (PIN_TRIES - 1) + [Tried.LOCKED_NOW]
            pin = await work.shelf.new_pin(SMITH, CARL)
            assert await work.shelf.try_key(other, carl, pin, AT) is Tried.RIGHT
            assert await work.shelf.try_key(other, Whose(SMITH, ALICE), pin, AT) is Tried.WRONG

    async def test_when_somebody_last_wrote_to_a_number_is_known(self, database: WideDatabase) -> None:
        bea, later = EndpointId("e2"), AT + timedelta(hours=1)
        async with database.begin() as work:
            await work.whatsapp.heard(SMITH, bea, "111", AT)
            await work.whatsapp.nudged(SMITH, bea, "111", later)
            await work.whatsapp.heard(SMITH, bea, "111", AT - timedelta(hours=1))
            await work.whatsapp.nudged(SMITH, bea, "222", AT)
        async with database.begin() as work:
            assert await work.whatsapp.thread(SMITH, bea, "111") == Thread(AT, later)
            assert await work.whatsapp.thread(SMITH, bea, "222") == Thread(None, AT)
            assert await work.whatsapp.thread(SMITH, EndpointId("e3"), "111") == Thread()
            await work.whatsapp.heard(SMITH, bea, "222", later)
        async with database.begin() as work:
            assert await work.whatsapp.thread(SMITH, bea, "222") == Thread(later, AT)
            day = timedelta(hours=24)
            assert await work.whatsapp.windows(SMITH) == (Window(bea, "111", AT + day), Window(bea, "222", later + day))
            assert await work.whatsapp.windows(CaseId("1009")) == ()

    async def test_a_window_that_was_shut_is_so_unless_they_wrote_since(self, database: WideDatabase) -> None:
        bea, later = EndpointId("e2"), AT + timedelta(hours=1)
        async with database.begin() as work:
            await work.whatsapp.nudged(SMITH, bea, "111", AT - timedelta(hours=1))
            await work.whatsapp.heard(SMITH, bea, "111", AT)
            await work.whatsapp.heard(SMITH, bea, "222", AT)
            await work.whatsapp.shut(SMITH, bea, "111", AT - timedelta(seconds=1))
        async with database.begin() as work:
            assert await work.whatsapp.thread(SMITH, bea, "111") == Thread(AT, AT - timedelta(hours=1))
            await work.whatsapp.shut(SMITH, bea, "111", AT)
        async with database.begin() as work:
            assert await work.whatsapp.thread(SMITH, bea, "111") == Thread()
            assert await work.whatsapp.thread(SMITH, bea, "222") == Thread(AT)
            await work.whatsapp.nudged(SMITH, bea, "111", later)
            await work.whatsapp.shut(SMITH, bea, "111", AT)
        async with database.begin() as work:
            assert await work.whatsapp.thread(SMITH, bea, "111") == Thread(None, later)

    async def test_somebody_on_whatsapp_is_found_by_their_number_and_their_id(self, database: WorkDatabase) -> None:
        seen = Seen("ES.4711", "+34600123456")
        endpoint = Endpoint(EndpointId("e1"), Network.WHATSAPP, "+34600123456", seen=seen)
        async with database.begin() as work:
            await work.cases.save(Case(SMITH, "x", people=(Person(PersonId("p1"), "Bea", endpoint),)))
        async with database.begin() as work:
            for name in ("+34600123456", "ES.4711"):
                assert await work.cases.of_address(Network.WHATSAPP, name) == (SMITH,)
            assert await work.cases.of_address(Network.WHATSAPP, "ES.4712") == ()
            assert await work.cases.of_address(Network.EMAIL, "+34600123456") == ()


async def _append(database: WorkDatabase, line: Line) -> None:
    async with database.begin() as work:
        await work.record.append(line)


async def _write_and_fail(database: WorkDatabase) -> None:
    async with database.begin() as work:
        await work.cases.new_number()
        await work.cases.save(CASE)
        await work.journal.append(Entry(SMITH, message(), None, "<a@b>"))
        await work.holds.put(Held(SMITH, MessageId("m1"), "because", AT))
        await work.rooms.save(RoomRecord(SMITH, RoomKey("desk"), Standing.CREATING, "x"))
        await work.ghosts.save(SMITH, CARL, UserId("@g:example.org"))
        raise ZeroDivisionError


def _address(conversation: Conversation, token: str) -> ReplyAddress:
    assert conversation != DESK
    return ReplyAddress(SMITH, CARL, EndpointId("e2"), conversation, token)
