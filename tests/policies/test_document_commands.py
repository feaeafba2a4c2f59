"""Documents go where two people said yes to, with proof, and are taken back by a word; commands show nobody more."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation
from policies.documents.carrying import Enclose, Hand, Recall
from policies.documents.document import Action, BlobId, Document, Kept, Label
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, decide_filed
from policies.documents.rights import Allowed, Wish, may
from policies.due import decide_due
from policies.effects import Decision, Effect, Inform, Pose, Post, Publish, Relay, Tell
from policies.message import MessageId, Proof, Reaction, Text, Unproven
from policies.schedule import Schedule
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind

PEOPLE = both_sides("!party add Bob @bob:example.org on Jones", "!party add Ann @ann:example.org as counsel on Smith")
HERS, HIS = caucus_of(PEOPLE, "Smith"), caucus_of(PEOPLE, "Jones")
SERVED, SENT = Kept(BlobId("b1"), "a1" * 32, 1200), Kept(BlobId("b2"), "b2" * 32, 1300)
DAY = timedelta(days=1)


def with_document(name: str = "brief.pdf", owner: str = "Alice", home: Conversation = HERS) -> Case:
    result = Passed(Kind.PDF, "application/pdf", SERVED, SENT, 3, ())
    filing = Filing(MessageId("m0"), named(PEOPLE, owner).id, home, home, name, result)
    return decide_filed(PEOPLE, filing, replace(facts(None), documents=True)).case


CASE = with_document()


def says(
    case: Case, name: str, words: str, where: Conversation = HERS, proof: Proof | None = None, **known: Any
) -> Decision:
    """Somebody says something, as the handler would have it decided."""
    told = replace(facts(named(case, name).id, code="8QQ8"), where=where, **known)
    heard = message(case, name, where, Text(words), proof, native=True)
    return routing.decide(case, heard, told)


def answers(decision: Decision, name: str, where: Conversation = HERS, yes: str = "yes", **known: Any) -> Decision:
    """Somebody answers the last question of theirs."""
    mine = [a for a in decision.case.asks if a.asked == named(decision.case, name).id]
    return says(decision.case, name, f"{yes} {mine[-1].code}", where, **known)


def document(case: Case) -> Document:
    [found] = case.documents
    return found


def sees(case: Case, name: str, action: Action = Action.VIEW, **later: Any) -> bool:
    wish = Wish(named(case, name).id, action, 1, AT + timedelta(**later))
    return isinstance(may(case, document(case), wish), Allowed)


def granted(command: str = "!doc grant D1 view to all") -> Decision:
    """The whole way: the mediator's preview and yes, the owner's yes."""
    preview = says(CASE, "Mia", command, DESK)
    return answers(answers(preview, "Mia", DESK), "Alice")


def told(effects: tuple[Effect, ...], where: Conversation) -> str:
    return "\n".join(e.text for e in effects if isinstance(e, Tell | Inform) and e.conversation == where)


def test_a_mediators_command_alone_gives_nothing_to_anybody() -> None:
    preview = says(CASE, "Mia", "!doc grant D1 view to all", DESK)
    assert "SHA-256: " + SERVED.sha256 in told(preview.effects, DESK)
    passed = answers(preview, "Mia", DESK)
    [asked] = of_kind(Pose, passed.effects)
    assert (asked.to, asked.conversation) == (named(CASE, "Alice").id, HERS)
    assert "Bob" in asked.then
    for decision in (preview, passed):
        assert not sees(decision.case, "Bob")
        assert not of_kind(Publish, decision.effects)


def test_a_document_that_two_said_yes_to_is_seen_by_those_they_were_shown() -> None:
    done = granted()
    assert sees(done.case, "Bob")
    assert sees(done.case, "Carl")
    assert not sees(done.case, "Bob", Action.DOWNLOAD)
    assert document(done.case).newest.label is Label.JOINT
    posts = of_kind(Publish, done.effects)
    assert {p.conversation for p in posts} == {JOINT}
    assert SERVED.sha256 in posts[0].words
    assert not of_kind(Hand, done.effects)


def test_a_file_itself_is_posted_only_where_it_may_be_downloaded() -> None:
    done = granted("!doc grant D1 download to all")
    [hand] = of_kind(Hand, done.effects)
    assert (hand.conversation, hand.sha256) == (JOINT, SERVED.sha256)
    served = {named(done.case, n).id for n in ("Mia", "Alice", "Bob", "Ann")}
    assert {s.person for s in document(done.case).servings} == served
    counted = granted("!doc grant D1 download to all opens 3")
    assert not of_kind(Hand, counted.effects)


def test_whoever_reads_a_room_by_mail_may_have_a_file_that_is_posted_there_and_was_not_served_by_that() -> None:
    done = granted("!doc grant D1 download to all")
    assert sees(done.case, "Carl", Action.DOWNLOAD)
    assert "served to Carl" not in told(says(done.case, "Alice", "!doc history D1").effects, HERS)


def test_a_grant_to_one_person_is_theirs_alone_and_told_to_them_alone() -> None:
    done = granted("!doc grant D1 view to Carl")
    assert sees(done.case, "Carl")
    assert not sees(done.case, "Bob")
    assert document(done.case).newest.label is Label.CONSENT
    assert not of_kind(Publish, done.effects)
    assert {e.to for e in of_kind(Inform, done.effects) if e.conversation == HIS} == {named(CASE, "Carl").id}


@pytest.mark.parametrize("yes", ["no", "yes"])
def test_no_and_an_unproven_yes_give_nothing(yes: str) -> None:
    passed = answers(says(CASE, "Mia", "!doc grant D1 view to all", DESK), "Mia", DESK)
    proof = Unproven("a strange device", "verify it") if yes == "yes" else None
    after = answers(passed, "Alice", yes=yes, proof=proof)
    assert not sees(after.case, "Bob")


def test_a_yes_counts_for_nobody_who_came_after_the_question() -> None:
    passed = answers(says(CASE, "Mia", "!doc grant D1 view to all", DESK), "Mia", DESK)
    more = says(passed.case, "Mia", "!party add Eva @eva:example.org as expert", DESK)
    after = answers(more, "Alice")
    assert not sees(after.case, "Bob")
    assert not sees(after.case, "Eva")


def test_whoever_reads_the_joint_room_later_was_not_meant() -> None:
    later = says(granted().case, "Mia", "!party add Eva @eva:example.org as expert", DESK)
    assert not sees(later.case, "Eva")
    assert sees(later.case, "Bob")


def test_a_party_offers_its_own_and_the_mediator_releases_it() -> None:
    offered = says(CASE, "Alice", "!doc request D1")
    agreed = answers(offered, "Alice")
    assert not sees(agreed.case, "Bob")
    preview = says(agreed.case, "Mia", "!release R1", DESK)
    done = answers(preview, "Mia", DESK)
    assert sees(done.case, "Bob")


def test_a_wrong_name_tells_a_party_no_name_of_anybody_else() -> None:
    case = with_document()
    for line in ("!doc grant D1 view to Zoe", "!doc revoke D1 from Zoe"):
        answer = told(says(case, "Alice", line).effects, HERS)
        assert "Nobody here is called Zoe" in answer
        assert not [name for name in ("Carl", "Mia") if name in answer]


def test_a_document_in_the_queue_is_not_sent_elsewhere_or_in_other_words() -> None:
    agreed = answers(says(CASE, "Alice", "!doc request D1"), "Alice").case
    for command in ("!release R1 to Jones", "!release R1: other words"):
        assert says(agreed, "Mia", command, DESK).refused


def test_what_its_owner_made_privileged_meanwhile_is_not_released() -> None:
    passed = answers(says(CASE, "Mia", "!doc grant D1 view to all", DESK), "Mia", DESK)
    narrow = says(passed.case, "Alice", "!doc label D1 privileged")
    after = answers(narrow, "Alice")
    assert not sees(after.case, "Bob")
    assert not sees(after.case, "Mia")


@pytest.mark.parametrize("where", [HIS, JOINT])
@pytest.mark.parametrize("command", ["show D1", "history D1", "revoke D1", "label D1 caucus", "grant D1 to all"])
def test_the_other_side_learns_nothing_by_any_command_not_even_that_it_is_there(
    command: str, where: Conversation
) -> None:
    theirs = says(CASE, "Bob", f"!doc {command}", where)
    nothing = says(PEOPLE, "Bob", f"!doc {command}", where)
    assert told(theirs.effects, where) == told(nothing.effects, where)
    assert replace(theirs.case, documents=()) == nothing.case
    assert "brief" not in str([e for e in theirs.effects if not (isinstance(e, Tell) and e.conversation == DESK)])


def test_a_list_shows_what_one_may_see() -> None:
    assert "brief.pdf" in told(says(CASE, "Alice", "!doc list").effects, HERS)
    assert told(says(CASE, "Bob", "!doc list", HIS).effects, HIS) == "No documents."
    assert "brief.pdf" in told(says(granted().case, "Bob", "!doc list", HIS).effects, HIS)


def test_what_is_privileged_is_not_on_the_mediators_list() -> None:
    narrow = says(CASE, "Alice", "!doc label D1 privileged").case
    assert told(says(narrow, "Mia", "!doc list", DESK).effects, DESK) == "No documents."
    assert says(narrow, "Mia", "!doc grant D1 to all", DESK).refused


def test_only_its_owner_widens_and_a_mediator_only_narrows() -> None:
    assert not says(CASE, "Mia", "!doc label D1 mediator-only", DESK).refused
    assert says(CASE, "Mia", "!doc label D1 consent-required", DESK).refused
    assert says(CASE, "Mia", "!doc label D1 privileged", DESK).refused
    assert says(CASE, "Ann", "!doc label D1 consent-required").refused
    assert not says(CASE, "Alice", "!doc label D1 consent-required").refused
    assert says(CASE, "Alice", "!doc label D1 joint").refused


@pytest.mark.parametrize("by", ["Mia", "Alice"])
def test_what_is_revoked_is_gone_at_once_and_out_of_the_rooms(by: str) -> None:
    case = granted("!doc grant D1 download to all").case
    gone = says(case, by, "!doc revoke D1", DESK if by == "Mia" else HERS)
    assert not sees(gone.case, "Bob")
    assert Recall(document(case).id) in gone.effects
    one = says(case, by, "!doc revoke D1 Bob", DESK if by == "Mia" else HERS)
    assert (sees(one.case, "Bob"), sees(one.case, "Carl")) == (False, True)


def test_what_ends_by_itself_is_taken_out_of_the_rooms_then() -> None:
    done = granted("!doc grant D1 download to all for 2d")
    [alarm] = of_kind(Schedule, done.effects)
    assert alarm.at == AT + 2 * DAY
    assert sees(done.case, "Bob", days=1)
    assert not sees(done.case, "Bob", days=2)
    due = decide_due(done.case, alarm.key, replace(facts(None), at=alarm.at))
    assert of_kind(Recall, due.effects)
    sooner = says(done.case, "Alice", "!doc expire D1 in 1h")
    assert not sees(sooner.case, "Bob", hours=1)
    later = says(sooner.case, "Alice", "!doc expire D1 in 3d")
    assert not sees(later.case, "Bob", hours=1)


def test_a_side_gets_its_own_file_back_in_its_own_room() -> None:
    shown = says(CASE, "Ann", "!doc show D1 file")
    [hand] = of_kind(Hand, shown.effects)
    assert hand.conversation == HERS
    at_desk = says(CASE, "Mia", "!doc show D1 file", DESK)
    assert [h.conversation for h in of_kind(Hand, at_desk.effects)] == [DESK]


def test_a_file_is_not_posted_where_somebody_may_not_have_it() -> None:
    done = granted("!doc grant D1 download to Carl")
    refused = says(done.case, "Carl", "!doc show D1 file", HIS)
    assert refused.refused
    assert not of_kind(Hand, refused.effects)


def test_a_history_tells_what_was_granted_agreed_to_and_served() -> None:
    case = granted("!doc grant D1 download to all").case
    text = told(says(case, "Alice", "!doc history D1").effects, HERS)
    assert re.search("Mia gave version 1 to Bob", text)
    assert "its owner agreed: version 1 for Bob (download), encrypted, from a verified device" in text
    assert "served to Bob (download), posted in joint" in text
    assert says(case, "Bob", "!doc history D1", HIS).refused


def test_a_reaction_grants_nothing() -> None:
    passed = answers(says(CASE, "Mia", "!doc grant D1 view to all", DESK), "Mia", DESK)
    liked = message(passed.case, "Alice", HERS, Reaction(MessageId("m1"), "👍"))
    assert not sees(routing.decide(passed.case, liked, facts()).case, "Bob")


def test_names_of_documents_are_not_put_on_record() -> None:
    for decision in (granted(), says(CASE, "Mia", "!doc list", DESK), says(CASE, "Alice", "!doc show D1")):
        assert "brief" not in decision.reason


def test_what_a_party_asks_of_the_vault_is_said_in_no_other_room() -> None:
    for command in ("list", "show D1", "history D1", "request D1", "label D1 privileged", "show D1 file"):
        decision = says(CASE, "Alice", f"!doc {command}")
        said = {
            e.conversation for e in decision.effects if isinstance(e, Tell | Inform | Pose | Publish | Post | Relay)
        }
        assert said <= {HERS, DESK}, command


def test_a_mediators_own_document_goes_by_the_mediators_yes_alone() -> None:
    case = with_document(owner="Mia", home=DESK)
    assert document(case).newest.label is Label.MEDIATORS
    assert not sees(case, "Alice")
    done = answers(says(case, "Mia", "!doc grant D9001 download to all", DESK), "Mia", DESK)
    assert sees(done.case, "Alice", Action.DOWNLOAD)
    assert [h.conversation for h in of_kind(Hand, done.effects)] == [JOINT]


def test_a_mediators_own_document_goes_to_one_side_alone() -> None:
    case = with_document(owner="Mia", home=DESK)
    done = answers(says(case, "Mia", "!doc grant D9001 view to Smith", DESK), "Mia", DESK)
    assert (sees(done.case, "Alice"), sees(done.case, "Bob")) == (True, False)
    assert {p.conversation for p in of_kind(Publish, done.effects)} == {HERS}


def test_nobody_answers_for_a_document_of_somebody_without_a_private_room() -> None:
    case = says(CASE, "Mia", "!party add Eva @eva:example.org as expert", DESK).case
    [found] = case.documents
    case = replace(case, documents=(replace(found, owner=named(case, "Eva").id, home=DESK),))
    assert says(case, "Mia", "!doc grant D1 view to all", DESK).refused


def with_two() -> Case:
    newer = Passed(
        Kind.PDF, "application/pdf", replace(SERVED, sha256="c3" * 32), replace(SENT, sha256="d4" * 32), 3, ()
    )
    filing = Filing(MessageId("m1"), named(CASE, "Alice").id, HERS, HERS, "brief.pdf", newer)
    return decide_filed(CASE, filing, replace(facts(None), documents=True)).case


def test_a_document_becomes_a_new_version_of_another_by_its_owners_word_and_its_number_ends() -> None:
    done = says(with_two(), "Alice", "!doc version D2 of D1")
    first, second = done.case.documents
    assert [(v.number, v.served.sha256) for v in first.versions] == [(1, SERVED.sha256), (2, "c3" * 32)]
    assert Recall(second.id) in done.effects
    assert "D2 is D1.2 now." in told(done.effects, HERS)
    for name in ("Alice", "Ann", "Mia"):
        wish = Wish(named(done.case, name).id, Action.VIEW, 1, AT)
        assert not isinstance(may(done.case, second, wish), Allowed)
        assert isinstance(may(done.case, first, replace(wish, version=2)), Allowed)
    assert "There is no document D2" in told(says(done.case, "Alice", "!doc show D2").effects, HERS)


def test_a_version_is_no_way_around_what_a_document_is_labelled_or_was_granted() -> None:
    strict = says(with_two(), "Alice", "!doc label D1 privileged").case
    joined = says(strict, "Alice", "!doc version D2 of D1").case
    assert joined.documents[0].newest.label is Label.PRIVILEGED
    shown = answers(answers(says(with_two(), "Mia", "!doc grant D2 view to all", DESK), "Mia", DESK), "Alice")
    again = says(shown.case, "Alice", "!doc version D2 of D1")
    assert again.case.documents == shown.case.documents
    assert "was given to others" in told(again.effects, HERS)


@pytest.mark.parametrize(("name", "where"), [("Mia", DESK), ("Ann", HERS), ("Bob", HIS)])
def test_nobody_but_its_owner_says_what_a_version_is(name: str, where: Conversation) -> None:
    case = with_two()
    assert says(case, name, "!doc version D2 of D1", where).case.documents == case.documents


def test_what_is_being_released_is_not_given_under_a_number_that_ended() -> None:
    asked = answers(says(with_two(), "Mia", "!doc grant D2 view to all", DESK), "Mia", DESK)
    joined = says(asked.case, "Alice", "!doc version D2 of D1")
    late = answers(replace(joined), "Alice")
    assert not any(document.grants for document in late.case.documents)
    assert not of_kind(Publish, late.effects)


def test_who_gets_words_by_mail_gets_a_link_to_the_document_with_them() -> None:
    carl = named(CASE, "Carl").id
    released = granted().effects
    [link] = [e for e in of_kind(Inform, released) if e.page]
    assert (link.to, link.conversation) == (carl, JOINT)
    assert "D1.1 is on your page" in link.text
    assert any(p.to == carl for p in of_kind(Publish, released))
    [alone] = [e for e in of_kind(Inform, granted("!doc grant D1 view to Carl").effects) if e.page]
    assert (alone.to, alone.conversation) == (carl, HIS)
    without = CASE.with_person(
        replace(named(CASE, "Carl"), endpoint=replace(named(CASE, "Carl").endpoint, content_consent=None))
    )
    preview = says(without, "Mia", "!doc grant D1 view to all", DESK)
    links_alone = answers(answers(preview, "Mia", DESK), "Alice").effects
    assert not [e for e in of_kind(Inform, links_alone) if e.page]
    assert any(p.to == carl for p in of_kind(Publish, links_alone))


def given(action: str, to: str = "Carl") -> Case:
    """Alice's document, given to somebody with both yeses."""
    return granted(f"!doc grant D1 {action} to {to}").case


def test_a_mediator_has_a_document_sent_to_whoever_may_download_it_and_gets_words_by_mail() -> None:
    [sent] = of_kind(Enclose, says(given("download"), "Mia", "!doc send D1 to Carl", DESK).effects)
    assert (sent.document, sent.version, sent.sha256) == ("D1", 1, SERVED.sha256)
    assert (sent.to, sent.conversation) == (named(CASE, "Carl").id, HIS)
    [asked] = of_kind(Enclose, says(given("download"), "Carl", "!doc send D1", HIS).effects)
    assert asked == sent


@pytest.mark.parametrize(
    ("case", "name", "words", "why"),
    [
        (given("view"), "Mia", "!doc send D1 to Carl", "may not download"),
        (CASE, "Mia", "!doc send D1 to Carl", "may not download"),
        (given("download", "Bob"), "Mia", "!doc send D1 to Bob", "does not carry documents"),
        (given("download", "Carl opens 1"), "Mia", "!doc send D1 to Carl", "so many openings"),
        (given("download", "Carl opens 1"), "Carl", "!doc send D1", "so many openings"),
        (given("download"), "Mia", "!doc send D1", "Name to whom"),
        (given("download"), "Mia", "!doc send D1 to Zoe", "Zoe"),
        (given("download"), "Alice", "!doc send D1 to Carl", "by a mediator alone"),
        (done(given("download"), "!mail links Carl").case, "Mia", "!doc send D1 to Carl", "links alone"),
        (done(given("download"), "!mail links Carl").case, "Carl", "!doc send D1", "links alone"),
        (done(given("download"), "!discreet Carl on").case, "Mia", "!doc send D1 to Carl", "may tell nothing"),
        (done(given("download"), "!mail verify Carl").case, "Mia", "!doc send D1 to Carl", "not confirmed"),
        (CASE, "Carl", "!doc send D1", "There is no document D1"),
    ],
)
def test_nothing_is_sent_without_a_grant_a_consent_and_a_mediators_word(
    case: Case, name: str, words: str, why: str
) -> None:
    where = DESK if name == "Mia" else HERS if name == "Alice" else HIS
    decision = says(case, name, words, where)
    assert not of_kind(Enclose, decision.effects)
    assert why in str(decision.effects)


def test_only_mediators_are_told_how_somebody_is_reached() -> None:
    """Whether the other side's Carl gets words by mail is no business of Alice's, whose document it is."""
    by_link = done(given("download"), "!mail links Carl").case
    told = [says(case, "Alice", "!doc send D1 to Carl").effects for case in (given("download"), by_link)]
    assert told[0] == told[1]
