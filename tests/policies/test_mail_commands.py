"""What a mediator can do about somebody's mail."""

import pytest

from policies.case import DESK, JOINT, Case, Kind
from policies.commands.vocabulary import parse
from policies.effects import Effect, Introduce, Resume
from policies.networks.delivery import Cancel, Go, Wait, channel_key, may_relay
from policies.networks.mail import MailState, Report, decide_report
from policies.networks.portal import decide_enrolled
from policies.showing import GivePin, ShowHeaders, ShowMails
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named, refused

CASE = both_sides()
CARL = named(CASE, "Carl")
OWN = caucus_of(CASE, "Jones")


def consenting() -> Case:
    return done(CASE, "!consent Carl: yes", facts(None)).case


def test_what_is_said_to_a_paused_mailbox_waits_and_goes_on_when_it_is_resumed() -> None:
    paused = done(consenting(), "!mail pause Carl", facts(None)).case
    assert isinstance(may_relay(paused, OWN, CARL.id), Wait)
    resumed = done(paused, "!mail resume Carl", facts(None))
    assert isinstance(may_relay(resumed.case, OWN, CARL.id), Go)
    assert Resume(channel_key(CASE, CARL.endpoint.id)) in resumed.effects
    assert "Nothing is sent to Carl for now" in refused(paused, "!mail verify Carl")


def test_who_gets_links_alone_gets_one_when_a_mailbox_that_a_mail_came_back_from_is_resumed() -> None:
    links = done(CASE, "!mail links Carl", facts(None)).case

    def bounced(case: Case) -> Case:
        carl = named(case, "Carl")
        return decide_report(case, carl, carl.endpoint.id, Report(MailState.FAILED, "5.2.2")).case

    def sent(case: Case) -> list[Effect]:
        woken, *more = done(case, "!mail resume Carl", facts(None)).effects
        assert isinstance(woken, Resume), "what waited goes first"
        return more

    for stopped in (bounced(links), done(bounced(links), "!mail pause Carl", facts(None)).case):
        [link] = sent(stopped)
        assert isinstance(link, Introduce)
        assert (link.person, link.as_link) == (CARL.id, True)
    assert not sent(bounced(consenting())), "whatever came back is marked, and no link"
    assert not sent(done(links, "!mail pause Carl", facts(None)).case), "nothing was lost"


def test_a_new_address_is_a_new_channel_without_a_consent_and_with_first_mails() -> None:
    changed = done(consenting(), "!mail address Carl carl@example.com", facts(None))
    now = named(changed.case, "Carl")
    assert (now.id, now.endpoint.address) == (CARL.id, "carl@example.com")
    assert now.endpoint.id not in {person.endpoint.id for person in CASE.people}
    assert now.endpoint.content_consent is None
    assert {e.conversation for e in changed.effects if isinstance(e, Introduce)} == {OWN, JOINT}
    assert not isinstance(may_relay(changed.case, OWN, CARL.id), Cancel)
    assert "!mail pin Carl" in changed.answer
    assert "no words are mailed there, and none are taken" in changed.answer


def test_to_verify_an_address_is_to_believe_nothing_of_it_until_it_is_confirmed() -> None:
    known = decide_enrolled(consenting(), named(consenting(), "Carl"), AT, words=True).case
    asked = done(known, "!mail verify Carl")
    now = named(asked.case, "Carl").endpoint
    assert (now.address, now.enrolled, now.content_consent) == (CARL.endpoint.address, None, None)
    assert now.id not in {person.endpoint.id for person in known.people}
    assert all(e.as_link for e in asked.effects if isinstance(e, Introduce))
    assert {e.conversation for e in asked.effects if isinstance(e, Introduce)} == {OWN, JOINT}
    assert asked.effects[-1] == GivePin(CARL.id)
    again = decide_enrolled(asked.case, named(asked.case, "Carl"), AT, words=False).case
    assert named(again, "Carl").endpoint.enrolled == AT


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("!mail address Carl carl", "It needs"),
        ("!mail address Carl carl@nowhere", "is not a mail address"),
        ("!mail address Carl r.x@reply.example.org", "our own reply addresses"),
        ("!mail address Alice alice@example.com", "does not take part by mail"),
        ("!mail address Nobody x@example.com", "Nobody here is called"),
        ("!mail address Carl carl@example.net", "is Carl's address"),
        ("!mail resume Carl", "is not stopped"),
        ("!mail verify Alice", "does not take part by mail"),
        ("!mail pause Alice", "does not take part by mail"),
    ],
)
def test_what_can_not_be_done_is_said_with_what_would_work(said: str, why: str) -> None:
    if why == "It needs":
        assert why in str(parse(said))
    else:
        assert why in str(refused(CASE, said, facts(None)))


def test_an_invitation_again_is_the_first_mail_of_each_room() -> None:
    again = done(CASE, "!mail invite carl", facts(None)).effects
    assert {e.conversation for e in again if isinstance(e, Introduce)} == {OWN, JOINT}
    assert all(
        e.conversation != DESK and e.conversation.kind is not Kind.DESK for e in again if isinstance(e, Introduce)
    )


def test_the_desk_can_look_at_what_became_of_mails_and_at_headers() -> None:
    assert done(CASE, "!mail status Carl", facts(None)).effects == (ShowMails(CARL.id),)
    assert done(CASE, "!mail headers 2", facts(None)).effects == (ShowHeaders("2"),)
