"""What the organisation has set up, and what follows from that for every decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from policies.case import PersonId
from policies.frozen import frozen
from policies.moderation.agreement import Agreement
from policies.moderation.closing import USUAL, Terms
from policies.moderation.rulebook import IN_FORCE, Rulebook
from policies.outcome import Facts
from policies.people.identity import Identity
from policies.words.language import Language
from policies.words.zones import UNIVERSAL
from rooms.ids import UserId


@frozen
class House:
    """What the organisation has set up: its mediators (user id to name), and what `policies.outcome.Facts` needs."""

    server_name: str
    own_prefix: str
    reply_domain: str | None
    mediators: Mapping[UserId, str]
    agreement: Agreement | None = None
    """The organisation's agreement to mediate; None: it uses none."""
    whatsapp: bool = False
    """Whether there is a WhatsApp bridge."""
    one_number: bool = False
    """Whether all of it goes over one number."""
    notices_by_whatsapp: bool = False
    """Whether mediators can be told by it that something waits."""
    documents: bool = False
    """Whether files go to the vault."""
    deletes_media: bool = False
    """Whether we may delete files from the homeserver."""
    heads_to: tuple[str, ...] = ()
    """Who gets the signed heads of the record by mail."""
    zone: str = UNIVERSAL
    """Where it is, for new cases."""
    language: Language = Language.ENGLISH
    """In which it speaks to parties, for new cases."""
    rules: Rulebook = IN_FORCE
    """Of the joint room, for new cases."""
    organisation: str = ""
    telephone: str = ""
    """As those are told who take part in no case."""
    triage: Mapping[UserId, str] = field(default_factory=dict)
    """Who reads what strangers write (user id to name); nobody: there is no triage desk."""
    mediators_room: Mapping[UserId, str] = field(default_factory=dict)
    """Who is in the mediators' room in Matrix (user id to name); nobody: there is none."""
    successor: tuple[str, UserId] | None = None
    """Who comes in when no mediator is left at a desk."""
    page: str | None = None
    """What a link to somebody's page begins with; None: there is no page."""
    discreet_page: str | None = None
    """The same for those who asked for discreet contact; None: no other."""
    undo: timedelta = timedelta(0)
    """How long mediators may take back what they wrote before it leaves to other networks."""
    terms: Terms = USUAL
    """How long a closed case keeps what it needs no more."""

    def facts(self, at: datetime, by: PersonId | None, code: str, identities: Mapping[PersonId, Identity]) -> Facts:
        """What an act needs to know of the organisation, and of the moment."""
        return Facts(
            at,
            by,
            code,
            self.server_name,
            self.own_prefix,
            self.reply_domain,
            identities,
            self.agreement,
            whatsapp=self.whatsapp,
            one_number=self.one_number,
            notices_by_whatsapp=self.notices_by_whatsapp,
            documents=self.documents,
            heads_to=self.heads_to,
            deletes_media=self.deletes_media,
            rules=self.rules,
            zone=self.zone,
            language=self.language,
            organisation=self.organisation,
            telephone=self.telephone,
            undo=self.undo,
            page=self.page,
            discreet_page=self.discreet_page,
            terms=self.terms,
            successor=self.successor,
        )
