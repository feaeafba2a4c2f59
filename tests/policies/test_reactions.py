"""A reaction binds nobody; a mediator's alone leaves Matrix, for whoever wrote that message by WhatsApp."""

from dataclasses import replace
from datetime import timedelta
from unicodedata import category, name

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, EndpointId
from policies.effects import Decision, Explain, Relay, Tell
from policies.message import AuthenticatedMail, Message, MessageId, Proof, Reaction, Removal, SignedWebhook, Unproven
from policies.networks.reactions import LASTS, not_shown, still_stands
from policies.outcome import Reacted
from policies.words.emoji import emoji_of
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind

BEA_JOINS = "!party add Bea +34600123456 on Jones"
CASE = done(both_sides("!mediator add Max @max:example.org"), BEA_JOINS, replace(facts(), whatsapp=True)).case
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
FORGEABLE = Unproven("it is in clear, so the homeserver could have written it", "")


def wrote(who: str, where: Conversation = HIS, proof: Proof | None = None, name: str = "m0") -> Message:
    """Something that somebody said, over their own channel if nothing else is said."""
    there = SignedWebhook("1", named(CASE, who).endpoint.id) if proof is None else proof
    return replace(message(CASE, who, where, proof=there, native=False), id=MessageId(name))


def reacts(
    who: str, target: Message, key: str = "👍", *, where: Conversation | None = None, case: Case = CASE
) -> Decision:
    """What follows from a reaction, for which nothing vouches."""
    said = message(case, who, where or target.conversation, Reaction(target.id, key), FORGEABLE)
    return routing.decide(case, said, replace(facts(said.author), reacted=Reacted(target)))


def takes_back(*standing: Message, removed: int, target: Message) -> Decision:
    """What follows when one of several reactions is removed."""
    gone = message(CASE, "Mia", target.conversation, Removal(standing[removed].id), FORGEABLE)
    return routing.decide(CASE, gone, replace(facts(gone.author), reacted=Reacted(target, standing)))


def reaction(who: str, target: Message, key: str, name: str) -> Message:
    said = message(CASE, who, target.conversation, Reaction(target.id, key), FORGEABLE)
    return replace(said, id=MessageId(name))


@pytest.mark.parametrize("where", [JOINT, HIS], ids=["joint", "private"])
def test_a_mediators_goes_to_whoever_wrote_that_by_whatsapp_and_to_nobody_else(where: Conversation) -> None:
    [relay] = of_kind(Relay, reacts("Mia", wrote("Bea", where)).effects)
    assert (relay.to, relay.conversation) == (named(CASE, "Bea").id, where)
    assert relay.content == Reaction(MessageId("m0"), "👍")


@pytest.mark.parametrize(
    "target",
    [
        wrote("Carl", JOINT, AuthenticatedMail()),
        wrote("Alice", JOINT),
        wrote("Mia", JOINT),
        wrote("Bea", JOINT, FORGEABLE),
        wrote("Bea", JOINT, SignedWebhook("1", named(CASE, "Carl").endpoint.id)),
    ],
    ids=["by mail", "in Matrix", "a mediator's", "unproven", "from a channel that was hers"],
)
def test_one_on_anything_else_stays_in_matrix(target: Message) -> None:
    assert not of_kind(Relay, reacts("Mia", target).effects)


def test_a_partys_goes_nowhere_and_it_is_told_so_once_and_in_private() -> None:
    first = reacts("Alice", wrote("Bea", JOINT))
    assert not of_kind(Relay, first.effects)
    [told] = of_kind(Explain, first.effects)
    assert told.conversation == HERS
    assert "Carl, Bea can't see it. It counts as no answer" in told.text
    assert reacts("Alice", wrote("Bea", JOINT), case=first.case).effects == ()
    alone = reacts("Alice", wrote("Mia", HERS))
    assert alone.effects == ()
    assert alone.case == CASE


def test_a_mediator_is_told_once_how_far_it_goes() -> None:
    first = reacts("Mia", wrote("Bea", JOINT))
    [told] = of_kind(Tell, first.effects)
    assert told.conversation == DESK
    assert "without your name" in told.text
    assert not of_kind(Tell, reacts("Mia", wrote("Bea", JOINT), case=first.case).effects)


def test_a_report_reaches_the_desk_alone() -> None:
    for key in ("⚠️", "⚠"):
        [told] = reacts("Mia", wrote("Bea", JOINT), key).effects
        assert isinstance(told, Tell)
        assert told.text.startswith("REPORT")


def test_a_reaction_in_one_room_on_a_message_of_another_goes_nowhere() -> None:
    assert not of_kind(Relay, reacts("Mia", wrote("Bea", HIS), where=JOINT).effects)
    assert not of_kind(Relay, reacts("Mia", wrote("Bea", JOINT), where=HIS).effects)


def test_to_whom_it_is_said_no_more_nothing_is_shown() -> None:
    gone = both_sides()
    said = message(gone, "Mia", JOINT, Reaction(MessageId("m0"), "👍"), FORGEABLE)
    decision = routing.decide(gone, said, replace(facts(said.author), reacted=Reacted(wrote("Bea", JOINT))))
    assert not of_kind(Relay, decision.effects)


@pytest.mark.parametrize("key", ["👍", "❤️", "❤", "👍🏽", "👩‍👩‍👧", "✅", "🫶", "😢"])
def test_one_emoji_is_one(key: str) -> None:
    assert emoji_of(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "yes",
        "I agree",
        "👍 yes",
        "👍👍",
        "5",
        "5️⃣",
        "\u202e👍",
        "👍\n",
        "🇪",
        "\u200d",
        "🇳🇴",
        "🇴🇰",
        "🇪🇸",
        "❶",
        "➓",
        "⍺",
        "🆗",
        "💯",
        "🔟",
        "🔜",
        "Ⓜ️",
        "↑",
    ],
)
def test_words_are_none_whoever_put_them_there(key: str) -> None:
    assert emoji_of(key) is None
    decision = reacts("Mia", wrote("Bea", JOINT), key)
    assert not of_kind(Relay, decision.effects)
    assert "NOT shown by WhatsApp" in of_kind(Tell, decision.effects)[-1].text


PICTURES = [one for one in map(chr, range(0x110000)) if emoji_of(one)]
DRAWN_AS_WORDS = (
    "LETTER",
    "DIGIT",
    "NUMBER",
    "KEYCAP",
    "IDEOGRAPH",
    "SQUARED OK",
    "INPUT SYMBOL",
    "HUNDRED",
    "EIGHTEEN",
)


def test_no_character_that_is_a_letter_or_a_digit_is_an_emoji() -> None:
    assert len(PICTURES) > 1000
    for one in PICTURES:
        # "Cn": assigned since the tables of this Python were made.
        assert category(one) in {"So", "Sm", "Cn"}, hex(ord(one))
        assert not one.isalnum()
        assert not any(word in name(one, "").replace("LOVE LETTER", "") for word in DRAWN_AS_WORDS), name(one)


@given(st.lists(st.sampled_from([*PICTURES, "\u200d", "\ufe0f", *"🏽🇳🇴🇰❶➓⍺5A🆗"]), max_size=6).map("".join))
def test_what_travels_as_a_reaction_is_made_of_pictures_and_what_joins_them(key: str) -> None:
    emoji = emoji_of(key)
    assert emoji is None or {*emoji} <= {*PICTURES, "\u200d", "\ufe0f", "🏽"}


# --- taken back


def test_what_is_taken_back_is_shown_no_more_and_nobody_is_told_that_words_were_removed() -> None:
    target = wrote("Bea", JOINT)
    decision = takes_back(reaction("Mia", target, "👍", "r1"), removed=0, target=target)
    [relay] = decision.effects
    assert isinstance(relay, Relay)
    assert (relay.to, relay.content) == (named(CASE, "Bea").id, Reaction(target.id, ""))


def test_what_was_replaced_and_is_taken_back_changes_nothing_and_the_newest_leaves_the_one_before() -> None:
    target = wrote("Bea", JOINT)
    two = (reaction("Mia", target, "👍", "r1"), reaction("Max", target, "❤️", "r2"))
    assert takes_back(*two, removed=0, target=target).effects == ()
    [relay] = takes_back(*two, removed=1, target=target).effects
    assert isinstance(relay, Relay)
    assert relay.content == Reaction(target.id, "👍")


@pytest.mark.parametrize(("who", "key"), [("Alice", "👍"), ("Mia", "yes"), ("Mia", "⚠️")])
def test_what_was_never_shown_takes_nothing_away(who: str, key: str) -> None:
    target = wrote("Bea", JOINT)
    shown, other = reaction("Mia", target, "❤️", "r1"), reaction(who, target, key, "r2")
    assert takes_back(shown, other, removed=1, target=target).effects == ()
    [relay] = takes_back(shown, other, removed=0, target=target).effects
    assert isinstance(relay, Relay)
    assert relay.content == Reaction(target.id, "")


def test_none_is_shown_on_what_is_old_or_to_whom_nothing_may_be_written() -> None:
    assert not_shown(AT, AT + LASTS - timedelta(seconds=1), is_open=True, may_show=True) is None
    assert not_shown(AT, AT + LASTS, is_open=True, may_show=True)
    assert not_shown(AT, AT, is_open=False, may_show=True)
    assert not_shown(AT, AT, is_open=True, may_show=False)


def test_what_was_taken_back_meanwhile_is_to_be_shown_no_more() -> None:
    target = wrote("Bea", JOINT)
    his, hers = reaction("Alice", target, "👍", "r1"), reaction("Mia", target, "❤️", "r2")
    assert still_stands(CASE, "❤️", (his, hers))
    assert not still_stands(CASE, "👍", (his, hers))
    assert not still_stands(CASE, "❤️", ())
    assert still_stands(CASE, "", ())


def test_what_stands_on_a_telephone_that_is_not_theirs_now_is_told_when_it_is_taken_back() -> None:
    there = SignedWebhook("1", EndpointId("former"))
    target = wrote("Bea", JOINT, there)
    [told] = takes_back(reaction("Mia", target, "👍", "r1"), removed=0, target=target).effects
    assert isinstance(told, Tell)
    assert "NOT taken away" in told.text
    assert "(Bea). If it was shown there, it still is." in told.text
    in_matrix = wrote("Alice", JOINT, FORGEABLE)
    assert takes_back(reaction("Mia", in_matrix, "👍", "r1"), removed=0, target=in_matrix).effects == ()
