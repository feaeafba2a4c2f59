"""Digests of somebody who takes part by mail: set by a mediator, or by that person in private (B6)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Network
from policies.commands.form import Form
from policies.effects import Inform, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.digest import Digest, digest_text, read_times
from policies.outcome import Done, Facts, Outcome, Refused, own_or_named
from policies.people.membership import caucuses_of
from policies.words.phrase import phrase
from policies.words.zones import WRITTEN, zone_named


@frozen
class SetDigest:
    """At which times of the day others' words are mailed to somebody; no times: at once. No name: whoever says it."""

    name: str | None
    times: tuple[int, ...] | None
    zone: str | None = None
    """None: the clock by which times are shown to that person."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What waits goes out, or goes on waiting until then; the person is told."""
        meant = own_or_named(case, self.name, facts, phrase("digest"), "18:00", whole=True)
        if isinstance(meant, Refused):
            return meant
        by_mail = (leg for leg in case.legs_of(meant.id) if leg.endpoint.network is Network.EMAIL)
        person = next(by_mail, meant)
        if person.endpoint.network is not Network.EMAIL:
            return Refused(
                phrase("{name} does not take part by mail", name=person.name), phrase("Digests are for mail alone")
            )
        digest = Digest(self.times, self.zone or case.zone_of(person.id)) if self.times else None
        after = case.with_person(replace(person, digest=digest))
        said = (
            f"What others say is mailed to {person.name} at {digest}, and no more at once; questions still are."
            if digest
            else f"What others say is mailed to {person.name} at once again; what waited goes now."
        )
        # Where it was said, too, for it may have been said over their other channel.
        told = dict.fromkeys([person.id, *([meant.id] if case.same_voice(meant.id, facts.by) else [])])
        own = (Inform(leg, where, digest_text(digest)) for leg in told for where in caucuses_of(case, leg)[:1])
        return Done(after, said, (Resume(channel_key(case, person.endpoint.id)), *own))


def _read(words: list[str]) -> SetDigest | str:
    if words and words[-1].lower() == "off":
        return SetDigest(" ".join(words[:-1]) or None, None)
    zone = words.pop() if len(words) > 1 and ":" not in words[-1] else None
    if zone is not None and zone_named(zone) is None:
        return WRITTEN
    if not words:
        return phrase("It needs the times of the day")
    times = read_times(words[-1])
    return times if isinstance(times, str) else SetDigest(" ".join(words[:-1]) or None, times, zone)


DigestCommand = SetDigest

FORMS: tuple[Form[DigestCommand], ...] = (
    Form(
        "digest",
        "!digest [NAME] 18:00[,08:00] [ZONE] or !digest [NAME] off",
        phrase("others' words go by mail at these times alone, all of a room's in one mail. A party sets its own"),
        "!digest Carl 18:00 Europe/Berlin",
        _read,
        party=True,
    ),
)
