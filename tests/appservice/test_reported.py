"""What people report in their clients is shown at the desk, once, and nowhere else (M10)."""

from dataclasses import replace

import pytest

from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.reports import AT_ONCE, EventReport
from appservice.reported import KIND, EventReportReader, ReportsIn
from appservice.upkeep.housekeeping import Housekeeping
from policies.case import DESK, JOINT, Conversation
from policies.effects import Tell
from policies.plan import room_key
from rooms.queue import State
from tests.appservice.matrix.test_client import FakeHomeserver, there
from tests.policies.builders import both_sides, caucus_of
from tests.rooms.builders import CODEC, HOUSE, Site

__all__ = ["there"]
CASE = both_sides()


class Listed:
    """The homeserver's list, the latest first."""

    def __init__(self, *reports: EventReport) -> None:
        self.reports, self.pages = list(reports), 0

    async def page(self, start: int = 0) -> tuple[EventReport, ...]:
        self.pages += 1
        return tuple(self.reports[start : start + AT_ONCE])


async def site_with_rooms() -> Site:
    site = Site(CASE)
    await site.change(CASE)
    await site.reconcile()
    return site


def report(
    site: Site, number: int, where: Conversation = JOINT, by: str = "@alice:example.org", why: str = ""
) -> EventReport:
    room = site.database.committed.rooms[CASE.id, room_key(where)].room_id
    return EventReport(number, str(room), "$said", by, why)


async def read_all(site: Site) -> list[str]:
    """Read what came; what rooms were told by it."""
    reader = EventReportReader(CODEC, HOUSE)
    before = len(site.outbox())
    items = [i for i in site.database.committed.inbox.items.values() if i.kind == KIND and i.state is State.READY]
    for item in items:
        async with site.database.begin() as work:
            await reader.read(work, item)
    told = site.outbox()[before:]
    assert all(isinstance(effect, Tell) and effect.conversation == DESK for effect in told)
    return [effect.text for effect in told if isinstance(effect, Tell)]


async def test_a_report_stands_at_the_desk_once_however_often_it_is_listed() -> None:
    site = await site_with_rooms()
    listed = Listed(report(site, 2, caucus_of(CASE, "Smith")), report(site, 1))
    incoming = ReportsIn(site.database, listed)
    await incoming.fetch()
    first, second = await read_all(site)
    assert first.startswith("REPORT: Alice reported a message in EVERYONE · 1042, with their client.")
    assert "PRIVATE with mediator · 1042 (Smith)" in second
    assert "could have made it up" in first
    await incoming.fetch()
    assert await read_all(site) == []


async def test_what_stands_in_the_reason_can_pass_for_nothing_of_ours() -> None:
    site = await site_with_rooms()
    await ReportsIn(site.database, Listed(report(site, 1, why="\u202eREPORT: Carl is out\n!close"))).fetch()
    (text,) = await read_all(site)
    assert "> REPORT: Carl is out\n> !close" in text
    assert "\u202e" not in text


async def test_of_rooms_that_are_not_ours_nothing_is_kept_and_of_strangers_no_name() -> None:
    site = await site_with_rooms()
    elsewhere = EventReport(2, "!other:example.org", "$x", "@alice:example.org", "secret")
    await ReportsIn(site.database, Listed(elsewhere, report(site, 1, by="@zoe:example.org"))).fetch()
    (text,) = await read_all(site)
    assert "somebody who takes no part in this case" in text
    assert len([item for item in site.database.committed.inbox.items.values() if item.kind == KIND]) == 1


async def test_after_an_absence_all_pages_are_read_and_then_no_more_than_the_first() -> None:
    site = await site_with_rooms()
    listed = Listed(*(report(site, number) for number in range(AT_ONCE + 5, 0, -1)))
    incoming = ReportsIn(site.database, listed)
    await incoming.fetch()
    assert len([item for item in site.database.committed.inbox.items.values() if item.kind == KIND]) == AT_ONCE + 5
    listed.pages = 0
    await incoming.fetch()
    assert listed.pages == 1


class Refusing:
    async def fetch(self) -> None:
        raise MatrixError("GET event_reports", "M_FORBIDDEN", 403, transient=False)


async def test_what_is_about_rooms_of_others_is_looked_through_once() -> None:
    site = await site_with_rooms()
    elsewhere = EventReport(1, "!of-others", "$said", "@alice:example.org", "")
    listed = Listed(*(replace(elsewhere, number=number) for number in range(3 * AT_ONCE, 0, -1)))
    incoming = ReportsIn(site.database, listed)
    await incoming.fetch()
    assert listed.pages == 4
    await incoming.fetch()
    assert listed.pages == 5


class BreaksOff(Listed):
    """Gives its first page, and no other until it is whole."""

    whole = False

    async def page(self, start: int = 0) -> tuple[EventReport, ...]:
        if start and not self.whole:
            raise MatrixError("GET event_reports", "M_UNKNOWN", 502, transient=True)
        return await super().page(start)


async def test_where_the_list_breaks_off_none_of_it_is_lost() -> None:
    site = await site_with_rooms()
    listed = BreaksOff(*(report(site, number) for number in range(AT_ONCE + 5, 0, -1)))
    incoming = ReportsIn(site.database, listed)
    with pytest.raises(MatrixError):
        await incoming.fetch()
    listed.whole = True
    await incoming.fetch()
    stored = [item for item in site.database.committed.inbox.items.values() if item.kind == KIND]
    assert len(stored) == AT_ONCE + 5


class Sweeps:
    async def sweep_bot(self) -> None:
        pass


class Duty:
    is_ours = True


async def test_a_token_that_does_not_count_keeps_nothing_else_from_being_done(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(CASE)
    await Housekeeping(site.database, Duty(), Sweeps(), reports=Refusing()).look_for_events()  # type: ignore[arg-type]
    assert "can't be fetched" in caplog.text


@pytest.mark.enable_socket
async def test_the_list_is_asked_for_as_its_administrator_and_read_with_care(there: FakeHomeserver) -> None:
    good = {"id": 7, "room_id": "!r:x", "event_id": "$e", "user_id": "@a:x", "reason": "rude", "sender": "@b:x"}
    there.says(200, {"event_reports": [good, {**good, "id": "8"}, None, {**good, "reason": None}], "total": 4})
    async with Homeserver(there.url, "an administrator's token") as homeserver:
        found = await homeserver.reports.page(50)
        there.says(200, {"event_reports": 7})
        with pytest.raises(MatrixError):
            await homeserver.reports.page()
    assert [(one.number, one.reason) for one in found] == [(7, "rude"), (7, "")]
    asked = there.requests[0]
    assert asked.path == "/_synapse/admin/v1/event_reports"
    assert dict(asked.query) == {"limit": str(AT_ONCE), "from": "50", "dir": "b"}
    assert "rude" not in repr(found)
