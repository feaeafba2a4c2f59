"""A letter waits while it is quiet where it goes; what stands in a room waits for nobody."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from policies.case import JOINT, Network
from policies.effects import Relay, Tell
from policies.message import MessageId, Text
from policies.networks.quiet import Quiet
from rooms.deliver import Deliverer
from rooms.outcome import Parked, Sent
from rooms.outgoing import PEOPLE
from tests.policies.builders import both_sides, named
from tests.rooms.builders import Site, item_of

CASE = both_sides()


def frozen(at: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: at


async def test_in_quiet_hours_a_letter_waits_until_they_end_and_a_room_does_not() -> None:
    carl, end = named(CASE, "Carl"), datetime(2026, 1, 6, 7, tzinfo=UTC)
    quiet = CASE.with_person(replace(carl, quiet=Quiet(20 * 60, 8 * 60, "Europe/Berlin")))
    site = await Site(quiet).begin()
    letter = Relay(MessageId("m"), JOINT, named(CASE, "Alice").id, Text("hello"), carl.id)
    for at, sent in ((end - timedelta(hours=5), False), (end, True)):
        deliverer = Deliverer(
            site.database, site.builder, site.poster, dict.fromkeys(Network, site.courier), clock=frozen(at)
        )
        outcome, _ = await deliverer.deliver(item_of(letter, CASE.id, kind=PEOPLE), letter)
        assert isinstance(outcome, Sent) is sent
        if isinstance(outcome, Parked):
            assert outcome.until == end
    assert len(site.courier.carried) == 1
    assert isinstance((await site.deliver(Tell(JOINT, "hello")))[0], Sent)
