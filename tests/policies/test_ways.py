"""Nobody's words go over a network to which they have not agreed; everything else goes on meanwhile (B2)."""

from dataclasses import replace

import pytest

from policies import routing
from policies.acts import create, take
from policies.board import NOTHING, case_board
from policies.case import JOINT, Case, CaseId, Consent, Conversation, Network, Phase, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.release import SubmitWords
from policies.commands.second import AddChannel
from policies.commands.vocabulary import parse
from policies.documents.beside import beside_for
from policies.documents.document import Action, BlobId, Document, DocumentId, Kept, Label, Version
from policies.documents.document import Consent as DocumentConsent
from policies.documents.enclosing import not_carried
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused, decide_filed
from policies.effects import Announce, Decision, Hold, Inform, Pose, Publish, Relay, Resume, Tell
from policies.message import MessageId, SignedDevice, Text
from policies.moderation.agreement import Confidentiality
from policies.moderation.floor import objection
from policies.names import ReleaseId
from policies.networks.delivery import Cancel, Go, Wait, may_carry, may_go_over, ways_key
from policies.networks.way import Way
from policies.outcome import Done
from policies.people.membership import readers
from policies.people.ways import answered, missing
from policies.plan import plan
from policies.questions.answering import lapse
from policies.questions.ask import Accepting, Carrying
from policies.questions.asking import Answer, meaning
from policies.questions.poll import ballot
from policies.releases.release import Release, Standing
from policies.releases.releasing import _need_not_agree
from policies.words.phrase import verbatim
from tests.policies.builders import AGREEMENT, AT, caucus_of, done, facts, message, named, of_kind, refused

MIA = AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR)
ALICE = AddPerson("Alice", Network.MATRIX, "@alice:example.org", side="Smith")
DORA = AddPerson("Dora", Network.MATRIX, "@dora:example.org", side="Jones")
CARL = AddPerson("Carl", Network.EMAIL, "carl@example.net", side="Jones", consent=Consent("Mia", AT, "agreed"))
BEA = AddPerson("Bea", Network.WHATSAPP, "+34600123456", Role.COUNSEL, "Jones", Consent("Mia", AT, "agreed"))
KNOWN = replace(facts(), whatsapp=True)
ON_WHATSAPP = "!party add Bea +34600123456 as counsel on Jones"


def created(*people: AddPerson, agreement: bool = True) -> tuple[Case, list[Pose]]:
    known = replace(facts(None), agreement=AGREEMENT if agreement else None, whatsapp=True)
    made = create(Case(CaseId("1042"), "x"), NewCase("x", (MIA, *people)), known)
    assert isinstance(made, Done)
    return made.case, of_kind(Pose, made.effects)


def open_to_all(case: Case) -> Case:
    return does(does(case, "!open").case, "!mode open").case


def does(case: Case, command: str, code: str = "7K5D") -> Done:
    return done(case, command, replace(KNOWN, code=code))


def answers(case: Case, name: str, *, yes: bool = True) -> Done:
    """Somebody answers the one question that is put to them."""
    person = named(case, name)
    [ask] = [a for a in case.asks if a.asked == person.id]
    given = Answer(ask.code, yes, person.id, ask.where, SignedDevice())
    outcome = take(case, given, replace(KNOWN, by=person.id))
    assert isinstance(outcome, Done), outcome
    return outcome


def asked(case: Case, name: str) -> list[object]:
    return [a.act for a in case.asks if a.asked == named(case, name).id]


def all_accepted(*people: AddPerson) -> Case:
    case, _ = created(*people)
    for person in people:
        case = answers(case, person.name).case
    return open_to_all(case)


def speaks(case: Case, name: str, where: str | None = None) -> Decision:
    to = caucus_of(case, where) if where else JOINT
    return routing.decide(case, message(case, name, to, Text("words")), facts(None))


def test_the_agreement_shows_by_which_networks_words_go_and_nobody_is_asked_twice() -> None:
    case, questions = created(ALICE, DORA, CARL)
    assert len(questions) == 3
    [hers] = [q for q in questions if q.to == named(case, "Alice").id]
    assert "What is said in EVERYONE · 1042 also goes by mail" in hers.words
    assert "Carl" not in hers.words
    [doras] = [q for q in questions if q.to == named(case, "Dora").id]
    assert "What is said in PRIVATE with mediator · 1042 also goes by mail" in doras.words
    for name in ("Alice", "Dora", "Carl"):
        outcome = answers(case, name)
        case = outcome.case
        assert of_kind(Pose, outcome.effects) == []
    assert [missing(case, person.id) for person in case.people] == [frozenset()] * 4
    assert case.asks == ()
    assert objection(open_to_all(case), named(case, "Alice").id, JOINT) is None


def test_the_poll_of_that_question_names_rooms_as_people_know_them() -> None:
    case = open_to_all(created(ALICE, DORA, agreement=False)[0])
    case = does(case, "!party add Carl carl@example.net on Jones", "8MM8").case
    [ask] = [a for a in case.asks if a.asked == named(case, "Dora").id]
    poll = ballot(case, ask)
    assert poll is not None
    assert "“EVERYONE · 1042 by mail, PRIVATE with mediator · 1042 by mail”" in poll.question


def test_in_a_case_that_is_all_in_matrix_nothing_is_said_of_networks() -> None:
    _, questions = created(ALICE, DORA)
    assert [q.words for q in questions] == [AGREEMENT.words] * 2


def test_somebody_who_is_added_before_an_answer_makes_it_one_question_still() -> None:
    case, [first] = created(ALICE)
    outcome = does(case, "!party add Carl carl@example.net on Jones", "8MM8")
    [again] = [q for q in of_kind(Pose, outcome.effects) if q.to == first.to]
    assert "by mail" in again.words
    assert len(asked(outcome.case, "Alice")) == 1
    late = take(outcome.case, Answer(first.code, True, first.to, first.conversation, SignedDevice()), KNOWN)
    assert again.code == first.code or not isinstance(late, Done)
    assert asked(answers(outcome.case, "Alice").case, "Alice") == []


def test_a_network_that_comes_later_is_asked_about_by_itself() -> None:
    case = all_accepted(ALICE, DORA)
    outcome = does(case, ON_WHATSAPP)
    short = [q for q in of_kind(Pose, outcome.effects) if "this is the agreement" not in q.title]
    assert {q.to for q in short} == {named(case, "Alice").id, named(case, "Dora").id}
    assert all("by WhatsApp" in q.words and AGREEMENT.text not in q.words for q in short)
    # Bea reads nothing there yet, so nobody is kept from speaking.
    assert objection(outcome.case, named(case, "Alice").id, JOINT) is None


def with_bea() -> Case:
    """All had accepted; then Bea came in by WhatsApp, and has accepted too."""
    case = does(all_accepted(ALICE, DORA), ON_WHATSAPP).case
    case = does(case, "!consent Bea: agreed").case
    return answers(case, "Bea").case


def test_until_they_agree_they_read_and_do_not_speak_and_are_told_why() -> None:
    case = with_bea()
    alice = named(case, "Alice")
    assert alice.id in readers(case, JOINT)
    assert [room.levels.users[alice.id] for room in plan(case) if room.conversation == JOINT] == [-1]
    decision = speaks(case, "Alice")
    assert of_kind(Hold, decision.effects)
    assert not of_kind(Relay, decision.effects)
    [told] = of_kind(Inform, decision.effects)
    assert "not agreed that it also goes by WhatsApp" in told.text
    assert told.conversation == caucus_of(case, "Smith")


def test_a_yes_lets_them_speak_again_and_what_waited_goes() -> None:
    outcome = answers(with_bea(), "Alice")
    assert Resume(ways_key(outcome.case)) in outcome.effects
    decision = speaks(outcome.case, "Alice")
    assert [r.to for r in of_kind(Relay, decision.effects)] == [named(outcome.case, "Bea").id]
    assert "agreed that their words also go by WhatsApp" in outcome.answer


def test_what_the_mediator_and_those_who_agreed_say_goes_meanwhile() -> None:
    case = with_bea()
    bea = named(case, "Bea").id
    assert may_carry(case, named(case, "Mia").id, JOINT, bea) == Go()
    assert may_carry(case, None, JOINT, bea) == Go()
    assert isinstance(may_carry(case, named(case, "Alice").id, JOINT, bea), Wait)
    agreed = answers(case, "Dora").case
    assert may_carry(agreed, named(case, "Dora").id, JOINT, bea) == Go()


def test_the_private_room_of_a_side_follows_the_same_rule_for_each_of_its_people() -> None:
    case = with_bea()
    decision = speaks(case, "Dora", "Jones")
    [relay] = of_kind(Relay, decision.effects)
    assert isinstance(may_go_over(case, relay), Wait)
    assert may_go_over(answers(case, "Dora").case, relay) == Go()
    no = answers(case, "Dora", yes=False).case
    assert isinstance(may_go_over(no, relay), Cancel)
    # She speaks with her mediator all the same.
    assert objection(no, named(no, "Dora").id, caucus_of(no, "Jones")) is None


def test_a_yes_for_everyones_room_is_none_for_the_private_one() -> None:
    case = all_accepted(ALICE, CARL)
    outcome = does(case, "!party add Eve eve@example.net as counsel on Smith")
    [question] = [q for q in of_kind(Pose, outcome.effects) if q.to == named(case, "Alice").id]
    assert "PRIVATE with mediator" in question.words
    assert "EVERYONE" not in question.words


def test_a_no_changes_nothing_else_and_the_mediator_hears_what_helps() -> None:
    before = with_bea()
    outcome = answers(before, "Alice", yes=False)
    assert "does NOT agree" in outcome.answer
    assert "release words of theirs one by one" in outcome.answer
    assert (outcome.case.people, outcome.case.floor) == (before.people, before.floor)
    assert objection(outcome.case, named(before, "Alice").id, JOINT)
    # Nothing asks her again by itself; the mediator does.
    assert asked(does(outcome.case, "!status").case, "Alice") == []
    again = does(outcome.case, "!agreement send")
    assert [type(act) for act in asked(again.case, "Alice")] == [Carrying]
    assert objection(answers(again.case, "Alice").case, named(before, "Alice").id, JOINT) is None


def test_silence_is_a_no() -> None:
    case = with_bea()
    [ask] = [a for a in case.asks if a.asked == named(case, "Alice").id]
    over = lapse(case, ask)
    assert "has not answered" in of_kind(Tell, over.effects)[0].text
    assert objection(over.case, ask.asked, JOINT)
    assert asked(does(over.case, "!status").case, "Alice") == []


def test_the_board_and_the_agreement_show_who_is_not_carried() -> None:
    case = with_bea()
    shown = case_board(case, NOTHING, at=AT).text
    assert "Words not carried: Alice, by WhatsApp in the joint room (reads the joint room" in shown
    assert "Alice agree to a network" in shown or "agree to a network that carries their words" in shown
    assert "Alice: not yet by WhatsApp in the joint room" in does(case, "!agreement").answer


def test_what_was_agreed_on_paper_counts_like_an_answer() -> None:
    case = with_bea()
    outcome = does(case, "!agreement accepted Alice: by telephone on 3 May")
    assert "Alice: agreed that words also go by WhatsApp in the joint room" in outcome.answer
    assert asked(outcome.case, "Alice") == []
    assert "need not" in refused(outcome.case, "!agreement accepted Alice: again")


def test_what_is_accepted_on_paper_in_a_case_file_covers_all_who_stand_in_it() -> None:
    given = Consent("Mia", AT, "signed")
    case, questions = created(replace(ALICE, accepted=given), replace(CARL, accepted=given))
    assert questions == []
    assert not missing(case, named(case, "Alice").id)


@pytest.mark.parametrize("first", [True, False])
def test_what_is_accepted_on_paper_covers_who_has_two_channels_in_the_file(*, first: bool) -> None:
    given = Consent("Mia", AT, "signed")
    alice = replace(ALICE, accepted=given if first else None)
    also = AddChannel("Alice", Network.WHATSAPP, "+34600999888", given, given)
    steps = (MIA, alice, also, replace(DORA, accepted=given), replace(CARL, accepted=given))
    known = replace(facts(None), agreement=AGREEMENT, whatsapp=True)
    made = create(Case(CaseId("1042"), "x"), NewCase("x", steps), known)
    assert isinstance(made, Done)
    # On paper for each channel, and over which networks words go for both.
    asked_of = [made.case.person(ask.asked) for ask in made.case.asks]
    assert [one and one.of_network for one in asked_of] == ([] if first else ["Alice (matrix)"])
    assert not any(missing(made.case, person.id) for person in made.case.people)


def test_who_has_no_private_room_is_the_mediators_to_ask() -> None:
    case = all_accepted(ALICE, DORA)
    case = does(case, "!party add Olga @olga:example.org as expert").case
    case = does(case, "!agreement accepted Olga: on paper").case
    outcome = does(case, ON_WHATSAPP)
    [told] = [t.text for t in of_kind(Tell, outcome.effects) if "Olga" in t.text]
    assert "has no private room to be asked in" in told
    assert not [t for t in of_kind(Tell, does(outcome.case, "!status").effects) if "Olga has no" in t.text]


def test_without_an_agreement_it_is_a_question_of_its_own() -> None:
    case, questions = created(ALICE, CARL, agreement=False)
    [question] = questions
    assert question.to == named(case, "Alice").id
    assert "may yours also go this way" in question.title.lower()
    case = open_to_all(case)
    assert objection(case, question.to, JOINT)
    assert objection(case, named(case, "Carl").id, JOINT) is None
    assert "Alice: not yet by mail" in does(case, "!agreement").answer
    assert objection(answers(case, "Alice").case, question.to, JOINT) is None


def test_a_case_of_before_goes_on_and_asks_about_what_is_new_alone() -> None:
    case = replace(all_accepted(ALICE, DORA, CARL), carried=None)
    assert objection(case, named(case, "Alice").id, JOINT) is None
    assert does(case, "!status").case.carried is None
    assert asked(does(case, "!party add Fay fay@example.net as counsel on Jones").case, "Alice") == []
    outcome = does(case, ON_WHATSAPP)
    [act] = asked(outcome.case, "Alice")
    assert act == Carrying((Way(JOINT, Network.WHATSAPP),))
    alice = named(outcome.case, "Alice").id
    assert may_carry(outcome.case, alice, JOINT, named(outcome.case, "Carl").id) == Go()


def test_an_unanswered_agreement_of_before_is_shown_anew_once_a_network_comes() -> None:
    case, _ = created(ALICE)
    case = replace(case, carried=None, asks=tuple(replace(a, act=Accepting()) for a in case.asks))
    outcome = does(case, "!party add Carl carl@example.net on Jones")
    [act] = asked(outcome.case, "Alice")
    assert isinstance(act, Accepting)
    assert Way(JOINT, Network.EMAIL) in act.ways


def test_what_is_released_goes_by_its_authors_yes_to_the_network_shown() -> None:
    case = answers(with_bea(), "Alice", yes=False).case
    alice = named(case, "Alice")
    own = caucus_of(case, "Smith")
    known = replace(KNOWN, by=alice.id, where=own, code="9PP9")
    submitted = SubmitWords("a date in June").perform(case, known)
    assert isinstance(submitted, Done)
    [question] = of_kind(Pose, submitted.effects)
    assert "Bea (counsel, by WhatsApp)" in question.then
    case = answers(submitted.case, "Alice").case
    shown = does(case, f"!release {case.releases[-1].id}", "6QQ6")
    released = does(shown.case, "yes 6QQ6")
    assert released.case.releases[-1].standing is Standing.RELEASED
    to_bea = [p for p in of_kind(Publish, released.effects) if p.to == named(case, "Bea").id]
    assert [may_go_over(released.case, p) for p in to_bea] == [Go()]
    assert to_bea[0].over == {Network.WHATSAPP}
    # Should Bea take part another way by then, that was not shown.
    unlike = replace(to_bea[0], over=frozenset())
    assert isinstance(may_go_over(released.case, unlike), Cancel)


@pytest.mark.parametrize("mode", [Confidentiality.SHARE, Confidentiality.OPEN])
def test_no_confidentiality_lets_words_pass_over_a_network_that_was_refused(mode: Confidentiality) -> None:
    case = with_bea()
    agreement = replace(AGREEMENT, confidentiality=mode)
    accepted = tuple(replace(a, sha256=agreement.sha256) for a in case.acceptances)
    case = replace(case, agreements=(agreement,), acceptances=accepted)
    alice = named(case, "Alice").id
    release = Release(ReleaseId("R1"), alice, None, "x", False, caucus_of(case, "Smith"), JOINT, Standing.ASKED, AT)
    assert not _need_not_agree(case, release)
    assert _need_not_agree(answers(case, "Alice").case, release)


def test_who_goes_to_another_side_takes_the_joint_answers_along() -> None:
    case = all_accepted(ALICE, DORA, CARL)
    old = named(case, "Alice").id
    moved = does(does(case, "!party side Alice on Brown").case, "yes 7K5D").case
    new = named(moved, "Alice").id
    assert new != old
    assert not missing(moved, new)


def test_the_mediators_room_and_the_triage_desk_ask_nobody() -> None:
    case = replace(with_bea(), id=CaseId("mediators"))
    assert not missing(case, named(case, "Alice").id)


def test_a_document_goes_as_a_copy_where_its_owners_words_go_or_by_their_yes_to_it() -> None:
    case = with_bea()
    dora, bea = named(case, "Dora"), named(case, "Bea")
    blob = Kept(BlobId("b"), "0" * 64, 9)
    version = Version(1, Label.CAUCUS, Kind.PDF, "application/pdf", AT, blob, blob, pages=1)
    paper = Document(DocumentId("D1"), dora.id, caucus_of(case, "Jones"), "plan.pdf", (version,))
    assert "by WhatsApp" in str(not_carried(case, paper, version, bea))
    assert not_carried(answers(case, "Dora").case, paper, version, bea) is None
    given = DocumentConsent("0" * 64, bea.id, Action.DOWNLOAD, AT, "encrypted", Network.WHATSAPP)
    assert not_carried(case, replace(paper, consents=(given,)), version, bea) is None
    by_mail = replace(given, over=Network.EMAIL)
    assert not_carried(case, replace(paper, consents=(by_mail,)), version, bea)


def test_what_is_written_beside_a_file_goes_where_words_go() -> None:
    case = with_bea()
    dora, bea, own = named(case, "Dora").id, named(case, "Bea"), caucus_of(case, "Jones")
    assert beside_for(case, dora, own, bea, "look at page 3") == "What Dora wrote beside it does not go by WhatsApp."
    assert beside_for(answers(case, "Dora").case, dora, own, bea, "look at page 3") == "look at page 3"
    assert beside_for(case, named(case, "Mia").id, own, bea, "look at page 3") == "look at page 3"


def test_whoever_may_not_write_is_not_given_the_word() -> None:
    case = with_bea()
    assert "not agreed that what they say there also goes by WhatsApp" in refused(case, "!turn Alice")
    assert "!agreement send" in refused(case, "!turn Alice 10m")
    assert does(answers(case, "Alice").case, "!turn Alice").case.floor.turn is not None


def on_both(case: Case, name: str, address: str) -> Case:
    """Somebody is reached over another network, too, and has not accepted the agreement there yet."""
    added = does(case, f"!channel add {name} {address}", "6H4C").case
    return does(added, "yes 6H4C", "8C8C").case


def test_whoever_has_withdrawn_is_not_asked_by_their_other_channel_either() -> None:
    case = answers(on_both(all_accepted(ALICE, DORA), "Alice", "+34600999888"), "Alice (WhatsApp)").case
    hers = {leg.id for leg in case.legs_of(named(case, "Alice (Matrix)").id)}
    case = replace(case, withdrawn=(named(case, "Alice (Matrix)").id,))
    case = does(case, "!party add Carl carl@example.net on Jones").case
    outcome = does(case, "!agreement send", "3D3D")
    assert not hers & {question.to for question in of_kind(Pose, outcome.effects)}
    assert named(case, "Carl").id in {question.to for question in of_kind(Pose, outcome.effects)}


def test_a_closed_case_asks_nothing_and_one_that_is_open_again_does() -> None:
    case = replace(all_accepted(ALICE, DORA), phase=Phase.CLOSED)
    outcome = does(case, ON_WHATSAPP)
    assert {question.to for question in of_kind(Pose, outcome.effects)} <= {named(outcome.case, "Bea").id}
    assert "The case is closed" in refused(outcome.case, "!agreement send")
    again = does(outcome.case, "!resume")
    assert named(case, "Alice").id in {question.to for question in of_kind(Pose, again.effects)}


def test_a_closed_case_shows_no_agreement_anew() -> None:
    case, [first] = created(ALICE)
    case = replace(case, phase=Phase.CLOSED)
    outcome = does(case, "!party add Carl carl@example.net on Jones", "8MM8")
    assert first.to not in {question.to for question in of_kind(Pose, outcome.effects)}


def test_nobody_is_proposed_to_move_their_own_other_channel() -> None:
    case = on_both(all_accepted(ALICE, DORA), "Alice", "+34600999888")
    outcome = answers(does(case, ON_WHATSAPP).case, "Alice (Matrix)", yes=False)
    assert "have Bea take part another way" in outcome.answer


IVO = AddPerson("Ivo", Network.MATRIX, "@ivo:example.org", Role.INTERPRETER, "Smith")
FOR_BOTH = (ALICE, DORA, IVO, replace(IVO, side="Jones"))


def put_to(outcome: Done, name: str) -> dict[Conversation, str]:
    """What somebody is asked in each room."""
    who = named(outcome.case, name).id
    questions = [question for question in of_kind(Pose, outcome.effects) if question.to == who]
    assert len({question.conversation for question in questions}) == len(questions)
    return {question.conversation: f"{question.words} {question.then}" for question in questions}


def takes_all(case: Case, name: str) -> Case:
    """Somebody says yes to all that is put to them."""
    while waiting := [a for a in case.asks if a.asked == named(case, name).id]:
        given = Answer(waiting[0].code, True, waiting[0].asked, waiting[0].where, SignedDevice())
        outcome = take(case, given, replace(KNOWN, by=waiting[0].asked))
        assert isinstance(outcome, Done)
        case = outcome.case
    return case


@pytest.mark.parametrize("agreement", [True, False])
def test_an_interpreters_question_tells_a_side_nothing_of_the_other_sides_room(agreement: bool) -> None:
    case, _ = created(*FOR_BOTH, agreement=agreement)
    for name in ("Alice", "Dora", "Ivo"):
        case = takes_all(case, name)
    outcome = does(case, ON_WHATSAPP)
    smith, jones = (caucus_of(case, side) for side in ("Smith", "Jones"))
    asked_there = put_to(outcome, "Ivo")
    assert set(asked_there) == {smith, jones}
    assert "EVERYONE" in asked_there[smith]
    assert "PRIVATE" not in asked_there[smith]
    assert "nothing you write here" not in asked_there[smith]
    assert "PRIVATE" in asked_there[jones]
    assert "EVERYONE" not in asked_there[jones]
    # Each answer is for its own room.
    ivo, ways = named(case, "Ivo").id, {Way(JOINT, Network.WHATSAPP), Way(jones, Network.WHATSAPP)}
    assert missing(outcome.case, ivo) == ways
    [hers] = [a for a in outcome.case.asks if a.asked == ivo and a.where == jones]
    given = Answer(hers.code, True, ivo, jones, SignedDevice())
    after = take(outcome.case, given, replace(KNOWN, by=ivo))
    assert isinstance(after, Done)
    assert missing(after.case, ivo) == {Way(JOINT, Network.WHATSAPP)}
    assert missing(takes_all(after.case, "Ivo"), ivo) == frozenset()


def test_an_interpreters_agreement_shows_the_room_in_which_it_is_put_and_the_other_room_asks_for_itself() -> None:
    case, questions = created(*FOR_BOTH, CARL)
    hers = {q.conversation: q.words for q in questions if q.to == named(case, "Ivo").id}
    smith, jones = (caucus_of(case, side) for side in ("Smith", "Jones"))
    assert set(hers) == {smith, jones}
    assert AGREEMENT.text in hers[smith]
    assert "EVERYONE · 1042 also goes by mail" in hers[smith]
    assert "PRIVATE" not in hers[smith].partition("How your words travel")[2]
    assert AGREEMENT.text not in hers[jones]
    assert "PRIVATE with mediator · 1042 also goes by mail" in hers[jones]
    # Nothing is put anew for its own sake, and all is answered in the end.
    assert put_to(does(case, "!status"), "Ivo") == {}
    done_with = takes_all(case, "Ivo")
    assert missing(done_with, named(case, "Ivo").id) == frozenset()
    assert put_to(does(done_with, "!status"), "Ivo") == {}


def test_a_network_that_comes_to_one_side_leaves_the_interpreters_agreement_as_it_was_put_to_the_other() -> None:
    case, _ = created(*FOR_BOTH)
    case = does(case, "!party add Carl carl@example.net on Jones", "8MM8").case
    outcome = does(case, "!party add Fay fay@example.net as counsel on Jones", "9NN9")
    assert put_to(outcome, "Ivo") == {}
    assert len(asked(outcome.case, "Ivo")) == 2


def test_a_yes_for_one_sides_room_is_bound_to_that_room() -> None:
    case, _ = created(*FOR_BOTH)
    smith, jones = (Carrying((Way(caucus_of(case, side), Network.EMAIL),)) for side in ("Smith", "Jones"))
    assert meaning(case, smith) != meaning(case, jones)


def asked_on_both() -> Case:
    """Alice is asked whether her words also go by WhatsApp; then she gets mail, too, and the agreement there shows the
    same way."""
    return on_both(does(all_accepted(ALICE, DORA), ON_WHATSAPP).case, "Alice", "alice@example.net")


BY_WHATSAPP = Way(JOINT, Network.WHATSAPP)


def test_a_yes_over_one_channel_closes_what_is_asked_over_the_other_about_the_same_ways() -> None:
    case = asked_on_both()
    matrix = named(case, "Alice (Matrix)").id
    [there] = [a for a in case.asks if a.asked == matrix]
    outcome = answers(case, "Alice (mail)")
    assert missing(outcome.case, matrix) == frozenset()
    assert asked(outcome.case, "Alice (Matrix)") == []
    [told] = [i for i in of_kind(Inform, outcome.effects) if i.to == matrix]
    assert there.code in told.text
    assert "answered over another channel" in told.text


def test_silence_over_one_channel_does_not_overturn_the_yes_of_the_other() -> None:
    case = asked_on_both()
    [there] = [a for a in case.asks if a.asked == named(case, "Alice (Matrix)").id]
    # As it stands in a case of which the question was left open beside the yes.
    agreed = answers(case, "Alice (mail)").case
    over = lapse(replace(agreed, asks=(*agreed.asks, there)), there)
    assert missing(over.case, there.asked) == frozenset()
    assert of_kind(Tell, over.effects) == []


def test_silence_is_told_once_the_last_question_about_it_is_closed() -> None:
    case = asked_on_both()
    [there] = [a for a in case.asks if a.asked == named(case, "Alice (Matrix)").id]
    over = lapse(case, there)
    assert of_kind(Tell, over.effects) == []
    assert answered(over.case, there.asked, BY_WHATSAPP) is None
    assert missing(answers(over.case, "Alice (mail)").case, there.asked) == frozenset()
    alone = lapse(replace(case, asks=(there,)), there)
    assert "has not answered" in of_kind(Tell, alone.effects)[0].text
    assert answered(alone.case, there.asked, BY_WHATSAPP) is False


def test_a_question_about_more_than_was_answered_elsewhere_stays_and_its_silence_is_about_the_rest() -> None:
    case = asked_on_both()
    [there] = [a for a in case.asks if a.asked == named(case, "Alice (Matrix)").id]
    private = Way(caucus_of(case, "Smith"), Network.WHATSAPP)
    more = replace(there, act=Carrying((BY_WHATSAPP, private)))
    case = answers(replace(case, asks=tuple(more if a == there else a for a in case.asks)), "Alice (mail)").case
    assert asked(case, "Alice (Matrix)") == [more.act]
    over = lapse(case, more)
    assert answered(over.case, there.asked, BY_WHATSAPP)
    assert answered(over.case, there.asked, private) is False


def test_silence_after_a_no_leaves_the_no_and_tells_the_mediator_who_asked_again() -> None:
    case = answers(with_bea(), "Alice", yes=False).case
    case = does(case, "!agreement send").case
    [ask] = [a for a in case.asks if a.asked == named(case, "Alice").id]
    over = lapse(case, ask)
    assert "has not answered" in of_kind(Tell, over.effects)[0].text
    assert over.case.carried == case.carried


def test_a_yes_is_taken_back_through_the_mediator_and_given_again() -> None:
    case = answers(with_bea(), "Alice").case
    alice, bea = named(case, "Alice"), named(case, "Bea").id
    [relay] = of_kind(Relay, speaks(case, "Alice").effects)
    outcome = does(case, "!agreement refused Alice: by telephone on 3 May")
    assert "NOT by WhatsApp in the joint room" in outcome.answer
    assert objection(outcome.case, alice.id, JOINT)
    assert isinstance(may_go_over(outcome.case, relay), Cancel)
    assert Resume(ways_key(outcome.case)) in outcome.effects
    assert outcome.case.acceptances == case.acceptances
    [told] = [i for i in of_kind(Inform, outcome.effects) if i.to == alice.id]
    assert told.conversation == caucus_of(case, "Smith")
    assert "none of your words go to others by mail or WhatsApp" in told.text
    assert "you read in EVERYONE" in told.text
    # Of what the others agreed to, nothing changes, and nobody is asked by itself.
    assert missing(outcome.case, named(case, "Dora").id) == missing(case, named(case, "Dora").id)
    assert asked(outcome.case, "Alice") == []
    assert "has not said no already" in refused(outcome.case, "!agreement refused Alice: again")
    for again in (
        answers(does(outcome.case, "!agreement send").case, "Alice").case,
        does(outcome.case, "!agreement accepted Alice: by telephone").case,
    ):
        assert objection(again, alice.id, JOINT) is None
        assert may_carry(again, alice.id, JOINT, bea) == Go()


def test_a_refusal_by_telephone_closes_the_open_question_and_not_the_agreement() -> None:
    case = does(with_bea(), "!agreement refused Alice: by telephone").case
    assert asked(case, "Alice") == []
    case, _ = created(ALICE, CARL)
    case = does(case, "!agreement refused Alice: by telephone").case
    assert [type(act) for act in asked(case, "Alice")] == [Accepting]
    # What she is shown and says yes to afterwards, counts.
    assert not missing(answers(case, "Alice").case, named(case, "Alice").id)


def test_in_a_case_of_before_a_yes_is_taken_back_for_that_person_alone() -> None:
    case = replace(all_accepted(ALICE, DORA, CARL), carried=None)
    outcome = does(case, "!agreement refused Alice: by telephone")
    assert objection(outcome.case, named(case, "Alice").id, JOINT)
    assert objection(outcome.case, named(case, "Dora").id, JOINT) is None
    assert missing(outcome.case, named(case, "Dora").id) == frozenset()
    assert of_kind(Pose, outcome.effects) == []


def test_a_refusal_needs_a_name_a_wording_and_a_network() -> None:
    case = all_accepted(ALICE, DORA)
    assert "has not said no already" in refused(case, "!agreement refused Alice: by telephone")
    assert "has not said no already" in refused(case, "!agreement refused Mia: by telephone")
    assert "how it was refused" in str(parse("!agreement refused Alice"))


def test_the_words_of_a_refusal_tell_no_side_which_network_the_other_has() -> None:
    case, _ = created(*FOR_BOTH, CARL)
    for name in ("Alice", "Dora", "Ivo"):
        case = takes_all(case, name)
    outcome = does(case, "!agreement refused Ivo: by telephone")
    jones = Way(caucus_of(case, "Jones"), Network.EMAIL)
    assert jones in missing(outcome.case, named(case, "Ivo").id)
    [told] = of_kind(Inform, outcome.effects)
    assert "mail or WhatsApp" in told.text


def test_the_turn_of_whoever_may_not_write_any_more_is_over_and_the_desk_knows() -> None:
    case = does(does(all_accepted(ALICE, DORA), "!turn Alice").case, ON_WHATSAPP).case
    case = does(case, "!consent Bea: agreed").case
    assert case.floor.turn
    outcome = answers(case, "Bea")
    assert outcome.case.floor.turn is None
    assert [t.text for t in of_kind(Tell, outcome.effects) if "The turn of Alice is over" in t.text]
    # Nobody else waits for somebody who can't speak; she does.
    assert objection(outcome.case, named(case, "Alice").id, JOINT)
    assert objection(answers(outcome.case, "Dora").case, named(case, "Dora").id, JOINT) is None
    kept = answers(answers(case, "Alice").case, "Bea").case
    assert kept.floor.turn == case.floor.turn


def test_in_a_case_of_before_who_goes_to_another_side_is_asked_about_its_room_alone() -> None:
    case = replace(does(all_accepted(ALICE, DORA, CARL), "!turn Alice").case, carried=None)
    moved = does(does(case, "!party side Alice on Jones").case, "yes 7K5D")
    alice = named(moved.case, "Alice").id
    own = Way(caucus_of(moved.case, "Jones"), Network.EMAIL)
    assert missing(moved.case, alice) == {own}
    assert asked(moved.case, "Alice") == [Carrying((own,))]
    assert objection(moved.case, alice, JOINT) is None
    assert moved.case.floor.turn
    assert moved.case.floor.turn.person == alice
    assert missing(moved.case, named(moved.case, "Dora").id) == frozenset()


def test_whoever_has_withdrawn_is_not_shown_the_agreement_anew() -> None:
    case = answers(created(ALICE, DORA)[0], "Dora").case
    alice = named(case, "Alice").id
    case = replace(case, withdrawn=(alice,))
    after = does(case, "!party add Carl carl@example.net on Jones")
    assert alice not in {question.to for question in of_kind(Pose, after.effects)}
    assert named(case, "Dora").id in {question.to for question in of_kind(Pose, after.effects)}


def test_what_is_accepted_on_paper_closes_the_question_of_the_other_channel_and_says_so_there() -> None:
    case = asked_on_both()
    [there] = [a for a in case.asks if a.asked == named(case, "Alice (Matrix)").id]
    outcome = does(case, "!agreement accepted Alice (mail): by telephone")
    assert (asked(outcome.case, "Alice (mail)"), asked(outcome.case, "Alice (Matrix)")) == ([], [])
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (there.asked, there.where)
    assert f"the code {there.code} was answered over another channel" in told.text


def test_a_no_to_the_agreement_does_not_say_that_nothing_follows_where_a_question_does() -> None:
    case = does(created(ALICE, DORA)[0], "!party add Eve eve@example.net as counsel on Smith").case
    outcome = answers(case, "Alice", yes=False)
    assert of_kind(Pose, outcome.effects)
    [told] = [one.text for one in of_kind(Inform, outcome.effects) if one.to == named(case, "Alice").id]
    assert told == "Your no to the agreement is noted, and the mediator knows. Nothing is implied against you."


@pytest.mark.parametrize("kept", [True, False])
def test_the_name_of_a_file_goes_where_its_authors_words_go(*, kept: bool) -> None:
    case = does(all_accepted(ALICE, DORA), "!party add Eve eve@example.net as counsel on Smith").case
    alice, eve, own = named(case, "Alice").id, named(case, "Eve").id, caucus_of(case, "Smith")
    blob = Kept(BlobId("b1"), "1" * 64, 9)
    result = Passed(Kind.PDF, "application/pdf", blob, blob, 3, ()) if kept else Refused(verbatim("It is a film."))
    filing = Filing(MessageId("m1"), alice, own, own, "we would take 20000.pdf", result)
    for yes in (True, False):
        answer = answers(case, "Alice", yes=yes).case
        decision = decide_filed(answer, filing, replace(KNOWN, documents=True))
        told = [one.text for one in of_kind(Inform, decision.effects) if one.to == eve]
        assert ["20000" in text for text in told] == [yes]
        assert ["20000" in one.text for one in of_kind(Announce, decision.effects)] == [True]
        if kept:
            listed = done(decision.case, "!doc list", replace(KNOWN, by=eve, where=own, documents=True))
            assert ["20000" in str(one.text) for one in of_kind(Inform, listed.effects)] == [yes]
