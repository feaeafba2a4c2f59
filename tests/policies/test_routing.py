"""Where what somebody said goes, and above all where it doesn't."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import alarms, routing
from policies.case import DESK, JOINT, Case, Conversation, Kind, Phase
from policies.effects import (
    Decision,
    Explain,
    Hold,
    Inform,
    Ingest,
    Introduce,
    Pose,
    Post,
    Publish,
    Reconcile,
    Relay,
    Tell,
)
from policies.message import (
    AuthenticatedMail,
    Content,
    Edit,
    File,
    FileRef,
    Message,
    MessageId,
    Reaction,
    Removal,
    SignedDevice,
    Text,
    Unproven,
    Unreadable,
)
from policies.people.membership import caucuses_of, conversations, readers
from policies.plan import RoomKey, code_key
from policies.questions.answers import decide_answer
from policies.questions.asking import Answer
from policies.releases.release import Standing
from tests.policies.builders import both_sides, caucus_of, done, facts, message, named, of_kind

UNPROVEN = Unproven("its author is not proven", "Do this")
FILE = File("x.pdf", "application/pdf", 3, FileRef("{}"))
CONTENTS: tuple[Content, ...] = (
    Text("secret"),
    Edit(MessageId("m0"), "secret"),
    FILE,
    Reaction(MessageId("m0"), "secret"),
    Removal(MessageId("m0")),
    Unreadable("why", "secret"),
    Unreadable("why", "secret", "secret"),
    Text("!party remove Carl"),
    Text("yes 4F2A"),
)
FULL = both_sides(
    "!party add Bea bea@example.com as counsel on Smith",
    "!consent Bea: yes",
    "!party add Dan @dan:example.org as interpreter on Smith",
    "!party add Dan @dan:example.org as interpreter on Jones",
    "!party add Eve eve@example.net as expert",
    "!party add Olga @olga:example.org as observer",
    "!mediator add Ines @ines:example.org",
)


def anything(case: Case) -> st.SearchStrategy[Message]:
    return st.builds(
        lambda who, where, what, proof, native, files: replace(
            message(case, who.name, where, what, proof, native=native), files=files
        ),
        st.sampled_from(case.people),
        st.sampled_from(conversations(case)),
        st.sampled_from(CONTENTS),
        st.sampled_from([SignedDevice(), AuthenticatedMail(), UNPROVEN]),
        st.booleans(),
        st.sampled_from([(), (FILE,)]),
    )


def decide(said: Message, case: Case = FULL) -> Decision:
    return routing.decide(case, said, facts(said.author))


# --- over everything that may be said


@given(anything(FULL))
def test_words_stay_in_the_conversation_in_which_they_were_said(said: Message) -> None:
    decision = decide(said)
    where = (said.conversation,) if decision.rule != "put-aside" else caucuses_of(FULL, said.author)
    for effect in decision.effects:
        if isinstance(effect, Post | Relay):
            assert (effect.conversation,) == where
        if isinstance(effect, Relay):
            assert effect.to in readers(FULL, effect.conversation)
            assert effect.to != said.author


@given(anything(FULL))
def test_what_the_bot_says_of_it_has_no_word_of_it_and_reaches_nobody_else(said: Message) -> None:
    for effect in decide(said).effects:
        if isinstance(effect, Tell | Explain):
            assert "secret" not in effect.text
            own = (DESK, *caucuses_of(FULL, said.author))
            assert effect.conversation in own or said.conversation == DESK


@given(anything(FULL))
def test_what_is_not_proven_or_not_a_readers_is_carried_nowhere(said: Message) -> None:
    trusted = not isinstance(said.proof, Unproven) and said.author in readers(FULL, said.conversation)
    # A removal is cleartext to the homeserver: it can't be proven, and says nothing but that something is gone.
    if not trusted and not isinstance(said.content, Removal):
        assert not of_kind(Post, decide(said).effects)
        assert not of_kind(Relay, decide(said).effects)
        assert decide(said).case == FULL


@given(anything(FULL))
def test_nothing_but_a_proven_command_of_a_mediator_at_the_desk_changes_the_case(said: Message) -> None:
    decision = decide(said)
    # What stands aside changes nothing but what its author is asked.
    asked = replace(decision.case, asks=FULL.asks, releases=FULL.releases) if decision.rule == "put-aside" else None
    # Of a mediator it is kept what they wrote last, to be taken back by name.
    after = replace(asked or decision.case, posted=FULL.posted)
    if after != FULL or of_kind(Reconcile, decision.effects):
        assert said.conversation == DESK
        assert isinstance(said.content, Text)
        assert FULL.is_staff(said.author)
        assert not isinstance(said.proof, Unproven)


@given(anything(FULL))
def test_what_comes_with_a_mail_becomes_a_document_of_its_authors_own_room_and_stands_in_none(said: Message) -> None:
    decision = routing.decide(FULL, said, replace(facts(said.author), documents=True))
    assert not [post for post in of_kind(Post, decision.effects) if post.content in said.files]
    for ingest in of_kind(Ingest, decision.effects):
        assert ingest.home in (DESK, *caucuses_of(FULL, said.author))
        if ingest.attached:
            assert ingest.home.kind is Kind.CAUCUS
            assert (ingest.attached.conversation, ingest.attached.author) == (ingest.home, said.author)
            assert ingest.message == said.id


@given(anything(FULL))
def test_what_is_neither_carried_nor_held_is_talk_at_the_desk_a_command_or_a_reaction(said: Message) -> None:
    decision = decide(said)
    if not of_kind(Hold, decision.effects) and decision.rule != "said":
        assert said.conversation == DESK or isinstance(said.content, Reaction | Removal | Text)


# --- the ordinary


def test_a_word_of_alice_goes_to_those_on_mail_and_the_desk_learns_that_she_wrote() -> None:
    case = both_sides()
    decision = decide(message(case, "Alice", JOINT), case)
    (relay,) = of_kind(Relay, decision.effects)
    assert (relay.to, relay.author, relay.content) == (named(case, "Carl").id, named(case, "Alice").id, Text("hello"))
    assert of_kind(Tell, decision.effects) == [Tell(DESK, "Alice wrote in EVERYONE · 1042.")]
    assert not of_kind(Post, decision.effects)


def test_a_word_of_alices_caucus_goes_to_nobody_by_mail() -> None:
    case = both_sides()
    decision = decide(message(case, "Alice", caucus_of(case, "Smith")), case)
    assert not of_kind(Relay, decision.effects)
    assert of_kind(Tell, decision.effects) == [Tell(DESK, "Alice wrote in PRIVATE with mediator · 1042 (Smith).")]


def test_a_mail_of_carl_is_posted_as_his_words_in_the_room_that_he_wrote_to() -> None:
    case = both_sides()
    own = caucus_of(case, "Jones")
    decision = decide(message(case, "Carl", own, proof=AuthenticatedMail()), case)
    assert of_kind(Post, decision.effects) == [Post(own, named(case, "Carl").id, Text("hello"), MessageId("m1"))]


def test_the_mediators_own_words_are_not_noticed_to_the_mediator() -> None:
    case = both_sides()
    assert not of_kind(Tell, decide(message(case, "Mia", JOINT), case).effects)


def test_files_by_mail_come_into_the_caucus_and_are_held_from_the_joint_room() -> None:
    case = both_sides()
    own = replace(message(case, "Carl", caucus_of(case, "Jones")), files=(FILE,))
    assert [post.content for post in of_kind(Post, decide(own, case).effects)] == [Text("hello"), FILE]
    jointly = decide(replace(own, conversation=JOINT), case)
    assert of_kind(Hold, jointly.effects)
    assert not of_kind(Post, jointly.effects)


@pytest.mark.parametrize("where", ["caucus", "joint"])
def test_files_by_mail_go_to_the_vault_where_there_is_one(where: str) -> None:
    case = both_sides()
    own, carl = caucus_of(case, "Jones"), named(case, "Carl").id
    said = message(case, "Carl", own if where == "caucus" else JOINT, proof=AuthenticatedMail())
    decision = routing.decide(case, replace(said, files=(FILE, FILE)), replace(facts(carl), documents=True))
    [words] = of_kind(Post, decision.effects)
    assert (words.conversation, words.content) == (own, Text("hello"))
    attached = Post(own, carl, FILE, words.message)
    assert of_kind(Ingest, decision.effects) == [Ingest(said.id, own, attached=attached)] * 2


def test_a_removal_is_told_as_a_fact_and_of_nobody() -> None:
    case = both_sides()
    decision = decide(message(case, "Alice", JOINT, Removal(MessageId("m0")), UNPROVEN), case)
    assert [relay.author for relay in of_kind(Relay, decision.effects)] == [None]
    assert [tell.text for tell in of_kind(Tell, decision.effects)] == ["A message was removed in EVERYONE · 1042."]


def test_a_removal_of_what_was_never_carried_is_nothing() -> None:
    case = both_sides()
    assert decide(message(case, "Alice", JOINT, Removal(None), UNPROVEN), case).effects == ()


# --- what is refused or held


def test_an_unproven_word_in_matrix_is_held_and_its_author_told_the_remedy_alone() -> None:
    case = both_sides()
    decision = decide(message(case, "Alice", JOINT, proof=UNPROVEN), case)
    assert of_kind(Hold, decision.effects) == [Hold(MessageId("m1"), UNPROVEN.why)]
    (explain,) = of_kind(Explain, decision.effects)
    assert explain.conversation == caucus_of(case, "Smith")
    assert "Do this" in explain.text
    assert explain.to_unsigned_devices


def test_an_unproven_mail_is_held_and_nobody_is_answered_by_mail() -> None:
    case = both_sides()
    decision = decide(message(case, "Carl", JOINT, proof=UNPROVEN), case)
    assert not of_kind(Explain, decision.effects)
    assert {tell.conversation for tell in of_kind(Tell, decision.effects)} == {DESK, caucus_of(case, "Jones")}
    assert not of_kind(Introduce, decision.effects)


def test_somebody_with_two_caucuses_is_not_answered_by_a_guess() -> None:
    decision = decide(message(FULL, "Dan", JOINT, proof=UNPROVEN))
    assert not of_kind(Explain, decision.effects)
    there = decide(message(FULL, "Dan", caucus_of(FULL, "Smith"), proof=UNPROVEN))
    assert [explain.conversation for explain in of_kind(Explain, there.effects)] == [caucus_of(FULL, "Smith")]


def test_a_word_of_somebody_who_is_no_reader_is_held() -> None:
    case = both_sides()
    decision = decide(message(case, "Alice", caucus_of(case, "Jones")), case)
    assert decision.rule == "not-a-reader"
    assert of_kind(Hold, decision.effects)


def test_a_word_in_a_room_of_an_unknown_side_is_held() -> None:
    case = both_sides()
    unknown = Conversation(caucus_of(case, "Smith").kind)
    decision = decide(message(case, "Alice", unknown), case)
    assert decision.rule == "not-a-reader"


def test_what_cannot_be_read_is_held_with_its_reason() -> None:
    case = both_sides()
    decision = decide(message(case, "Carl", JOINT, Unreadable("its quote is unclear", "secret")), case)
    assert of_kind(Hold, decision.effects) == [Hold(MessageId("m1"), "its quote is unclear")]


@pytest.mark.parametrize(
    "said",
    [
        {"content": Unreadable("its quote is unclear", "all of it", "their own")},
        {"content": Text("their own"), "files": (FILE,)},
    ],
)
def test_what_is_surely_its_authors_and_not_fit_for_all_stands_aside_and_a_yes_brings_it_to_the_mediator(
    said: dict[str, Any],
) -> None:
    case = both_sides()
    sent = replace(message(case, "Carl", JOINT, proof=AuthenticatedMail()), **said)
    decision = decide(sent, case)
    assert decision.rule == "put-aside"
    own, carl = caucus_of(case, "Jones"), named(case, "Carl").id
    posts = of_kind(Post, decision.effects)
    assert {post.conversation for post in posts} == {own}
    assert [post.content for post in posts] == [Text("their own"), *sent.files]
    assert [hold.message for hold in of_kind(Hold, decision.effects)] == [sent.id]
    assert of_kind(Relay, decision.effects) == []
    (asked,) = of_kind(Pose, decision.effects)
    assert (asked.to, asked.conversation, asked.words) == (carl, own, "their own")
    yes = Answer(asked.code, yes=True, by=carl, where=own, proof=AuthenticatedMail())
    answered = decide_answer(decision.case, yes, facts(carl))
    assert of_kind(Publish, answered.effects) == []
    (release,) = answered.case.releases
    assert (release.standing, release.words, release.to) == (Standing.QUEUED, "their own", JOINT)


def test_what_can_not_stand_aside_is_held() -> None:
    unclear = Unreadable("its quote is unclear", "all of it", "their own")
    case = both_sides("!party add Eve eve@example.net as expert")
    for who, where in (("Eve", case), ("Carl", replace(case, phase=Phase.CLOSED))):
        decision = decide(message(where, who, JOINT, unclear, AuthenticatedMail()), where)
        assert of_kind(Post, decision.effects) == []
        assert of_kind(Hold, decision.effects)
    without = replace(unclear, own=" ")
    assert of_kind(Post, decide(message(case, "Carl", JOINT, without, AuthenticatedMail()), case).effects) == []


def test_whoever_sent_what_cannot_be_read_is_told_how_to_say_it_on_their_own_network() -> None:
    case = done(both_sides(), "!party add Bea +34600123456 on Jones", replace(facts(), whatsapp=True)).case
    for name, anew, never in (("Carl", "write a new mail", "WhatsApp"), ("Bea", "write it anew, in words", "mail to")):
        decision = decide(message(case, name, caucus_of(case, "Jones"), Unreadable("it is unclear", "secret")), case)
        [told] = of_kind(Inform, decision.effects)
        assert anew in told.text
        assert never not in told.text


def test_the_author_learns_what_did_not_reach_those_who_read_by_mail() -> None:
    case = both_sides()
    poll = Unreadable("it is of a kind that I can't carry (poll)", "secret")
    decision = decide(replace(message(case, "Alice", JOINT, poll), native=True), case)
    [explained] = of_kind(Explain, decision.effects)
    assert explained.conversation == caucus_of(case, "Smith")
    assert "did not reach those who read it outside of Matrix" in explained.text
    alone = decide(replace(message(case, "Alice", caucus_of(case, "Smith"), poll), native=True), case)
    assert of_kind(Explain, alone.effects) == []


def test_a_reaction_binds_nobody_and_goes_nowhere() -> None:
    case = both_sides()
    for proof in (SignedDevice(), UNPROVEN):
        assert decide(message(case, "Mia", DESK, Reaction(None, "yes 4F2A"), proof), case).effects == ()


# --- commands


@pytest.mark.parametrize("text", ["!open", "!party remove Carl", "yes 4F2A", "YES: 4f2a"])
def test_a_command_of_a_mediator_elsewhere_is_neither_obeyed_nor_passed_on(text: str) -> None:
    case = both_sides()
    for where in (JOINT, caucus_of(case, "Jones")):
        decision = decide(message(case, "Mia", where, Text(text)), case)
        assert decision.rule == "command-elsewhere"
        assert [type(effect) for effect in decision.effects] == [Tell]
        assert decision.case == case


def test_a_partys_exclamation_is_words() -> None:
    case = both_sides()
    assert of_kind(Relay, decide(message(case, "Alice", JOINT, Text("!open")), case).effects)


@pytest.mark.parametrize("content", [Edit(None, "!party remove Carl"), Reaction(None, "!open"), FILE])
def test_only_words_command(content: Content) -> None:
    case = both_sides()
    assert decide(message(case, "Mia", DESK, content), case).case == case


def test_an_unproven_command_is_not_obeyed() -> None:
    case = both_sides()
    decision = decide(message(case, "Mia", DESK, Text("!side add Brown"), UNPROVEN), case)
    assert decision.case == case
    assert of_kind(Hold, decision.effects)


def test_a_near_miss_is_answered_at_the_desk() -> None:
    case = both_sides()
    (tell,) = of_kind(Tell, decide(message(case, "Mia", DESK, Text("!opne")), case).effects)
    assert tell.conversation == DESK
    assert "!open" in tell.text


def test_words_at_the_desk_go_nowhere() -> None:
    case = both_sides()
    assert decide(message(case, "Mia", DESK), case).effects == ()


# --- coming and going


def test_whoever_comes_in_is_told_who_reads_there_but_not_at_the_desk() -> None:
    case = both_sides()
    alice, mia = named(case, "Alice"), named(case, "Mia")
    (tell,) = of_kind(Tell, routing.decide_arrival(case, alice, JOINT).effects)
    assert tell.conversation == JOINT
    assert "Carl (by mail)" in tell.text
    assert routing.decide_arrival(case, mia, DESK).effects == ()


def test_whoever_leaves_is_not_dragged_back() -> None:
    case = both_sides()
    decision = routing.decide_departure(case, named(case, "Alice"), JOINT)
    assert not of_kind(Reconcile, decision.effects)
    assert [tell.conversation for tell in of_kind(Tell, decision.effects)] == [DESK]


@pytest.mark.parametrize(
    ("whose", "said"), [("Alice", "the room in which Alice alone is told codes"), (None, "a Space of this case")]
)
def test_tampering_with_a_room_in_which_nobody_speaks_names_that_room(whose: str | None, said: str) -> None:
    case = both_sides()
    room = code_key(named(case, whose).id) if whose else RoomKey("space-desk")
    decision = alarms.decide_tampering(case, room, "@admin:example.org", "m.room.join_rules")
    [told] = of_kind(Tell, decision.effects)
    assert f"of {said}, which" in told.text


def test_tampering_alarms_the_desk_and_is_put_right() -> None:
    case = both_sides()
    decision = alarms.decide_tampering(case, JOINT, "Alice", "m.room.power_levels")
    assert of_kind(Reconcile, decision.effects)
    assert [tell.conversation for tell in of_kind(Tell, decision.effects)] == [DESK]
