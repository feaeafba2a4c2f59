"""Whether something may leave now: what policies say of it, once more, right before it does (I3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

from policies.case import Case, CaseId
from policies.documents.carrying import Enclose, Hand
from policies.documents.enclosing import may_enclose
from policies.effects import AskWhose, Explain, Inform, Introduce, Pose, Post, Publish, Relay, Tell
from policies.message import Reaction
from policies.networks.delivery import (
    Cancel,
    Go,
    Verdict,
    Wait,
    may_address,
    may_come_alone,
    may_disturb,
    may_go_over,
    may_publish,
    may_relay,
    may_warn,
)
from policies.networks.reactions import may_react
from policies.questions.poll import Ballot
from rooms.documents import may_hand
from rooms.lanes import confirm_wait_key
from rooms.letters import ToPerson, addressee
from rooms.outcome import Cancelled, Parked
from rooms.polls import Poll, PollEnd
from rooms.postings import IntoRoom

AT_ONCE: Final = timedelta(minutes=5)
"""How long after it was decided."""


def kept_back(case: Case, effect: ToPerson, said: datetime, at: datetime) -> Parked | Cancelled | None:
    """Why a letter, decided then, may not leave now. Whether it goes with its words, or as a link to them, is the
    courier's affair. What may not go any more waits for nothing."""
    to = addressee(effect)
    verdicts = (
        may_say(case, effect, at),
        may_go_over(case, effect, said) if isinstance(effect, Relay | Publish) else Go(),
        may_relay(case, effect.conversation, to),
        _may_disturb(case, effect, said, at),
        may_come_alone(case, to, said, at) if isinstance(effect, Relay | Publish) else Go(),
    )
    stops = [why for verdict in verdicts if (why := stopped(verdict))]
    return next((why for why in stops if isinstance(why, Cancelled)), stops[0] if stops else None)


def _may_disturb(case: Case, effect: ToPerson, said: datetime, at: datetime) -> Verdict:
    match effect:
        case Inform(at_once=True):
            return _still_at_once(said, at)
        case Inform(to=to, due=datetime() as due):
            return may_warn(case, to, due, at)
        case _:
            return may_disturb(case, addressee(effect), at)


def _still_at_once(said: datetime, at: datetime) -> Verdict:
    """An answer to who is at the device this moment; later it would disturb whoever asked to be left in peace."""
    return Go() if at < said + AT_ONCE else Cancel("it could not be said at once, and they asked for quiet")


def may_say(case: Case, effect: IntoRoom | ToPerson, at: datetime) -> Verdict:
    """Whether the service's own words, or a document, may still be said, to whomever they are addressed."""
    match effect:
        case Hand():
            return may_hand(case, effect, at)
        case Enclose():
            return may_enclose(case, effect, at)
        case Pose(to, conversation, code) | Poll(to, conversation, Ballot(code)):
            return may_address(case, conversation, to, code)
        case Inform(to, conversation):
            return may_address(case, conversation, to)
        case Publish(conversation=conversation, audience=audience, to=to):
            return may_publish(case, conversation, audience, to)
        case Relay(content=Reaction(), to=to):
            return may_react(case, to)
        case Post() | Tell() | Explain() | Relay() | Introduce() | AskWhose() | PollEnd():
            return Go()
        case _:
            assert_never(effect)


def until_confirmed(case_id: CaseId) -> Parked:
    """Nothing leaves a case that was restored from a backup before a mediator has looked at it (I11)."""
    return Parked(confirm_wait_key(case_id), "the case was restored from a backup; !repair confirms it")


def stopped(verdict: Verdict) -> Parked | Cancelled | None:
    """What a verdict makes of a delivery; None: it may go."""
    match verdict:
        case Go():
            return None
        case Wait(why, key, until):
            return Parked(key, why, until)
        case Cancel(why):
            return Cancelled(why)
        case _:
            assert_never(verdict)
