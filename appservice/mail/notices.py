"""That something waits at a desk, by mail to a mediator: no name, no word and no number of anybody's in it (M11)."""

from __future__ import annotations

from appservice.mail.plain import PlainMails
from policies.case import CaseId
from rooms.noticing import DeskNotice
from rooms.outcome import Outcome
from rooms.queue import Item


class NoticeMail:
    """Carries notices by SMTP."""

    def __init__(self, mails: PlainMails) -> None:
        self._mails = mails

    async def carry(self, item: Item, notice: DeskNotice, case: CaseId) -> Outcome:
        """Send it once. Raises Trouble."""
        if notice.code and notice.invites:
            subject, text = (
                "Your code for the mediators' room",
                (
                    "A mediator invites this address into the mediators' room, to take part by mail, which is not"
                    " end-to-end encrypted.\n\nIf you want that, telephone the mediator within a day, on the number"
                    f" that you know, and tell them this code:\n\n{notice.code}\n\nIf not, do nothing: nothing"
                    " more is sent here."
                ),
            )
        elif notice.code:
            subject, text = (
                f"Case {case}: your code",
                (
                    f"Somebody gave this address at the desk of case {case}, to be told that something waits there.\n\n"
                    f"If it was you, say this at that desk, in Matrix, within a day:\n\nyes {notice.code}\n\n"
                    "If it was not, do nothing: nothing more is sent here."
                ),
            )
        else:
            subject, text = (
                f"Case {case}: something waits",
                (
                    f"Something waits at the desk of case {case}. Open your Matrix client to see what.\n\n"
                    "This mail holds nothing else, and nobody reads what is answered to it. !notify off, said at that"
                    " desk, ends it."
                ),
            )
        return await self._mails.send(item, notice.to, subject, text)
