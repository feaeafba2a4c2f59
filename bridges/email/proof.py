"""Whether a mail proves that the enrolled party sent it. Pure; the default is that it does not.

The token in the address says which room is meant, and no more: whoever was forwarded a mail has it. The party's
proof is the one From address, vouched for by our own mail server. Nothing here proves the words: see `reply`.
"""

from enum import StrEnum, unique
from typing import Final

from bridges.email.authentication import MethodResult
from bridges.email.ids import EmailAddress, MalformedAddress, parse_address
from bridges.email.incoming import AutomaticKind, IncomingHead
from policies.frozen import frozen


@unique
class UnprovenReason(StrEnum):
    """What is missing from the proof. The value goes on record."""

    MALFORMED = "malformed"
    NOT_ONE_SENDER = "not_one_sender"
    OTHER_SENDER = "other_sender"
    NO_RESULTS_OF_OURS = "no_results_of_ours"
    SEVERAL_RESULTS_OF_OURS = "several_results_of_ours"
    UNREADABLE_RESULTS = "unreadable_results"
    DMARC_NOT_PASSED = "dmarc_not_passed"
    OTHER_DOMAIN_PASSED = "other_domain_passed"
    NO_ALIGNED_SIGNATURE = "no_aligned_signature"
    SIGNED_IN_PART = "signed_in_part"

    @property
    def in_words(self) -> str:
        """For the mediator, without an address."""
        return _IN_WORDS[self]


_IN_WORDS: Final = {
    UnprovenReason.MALFORMED: "its header breaks the rules of mail",
    UnprovenReason.NOT_ONE_SENDER: "it does not name exactly one sender",
    UnprovenReason.OTHER_SENDER: "it comes from another address than the one on record",
    UnprovenReason.NO_RESULTS_OF_OURS: "no Authentication-Results of ours",
    UnprovenReason.SEVERAL_RESULTS_OF_OURS: "more than one Authentication-Results claims to be ours",
    UnprovenReason.UNREADABLE_RESULTS: "our Authentication-Results can't be read",
    UnprovenReason.DMARC_NOT_PASSED: "the sender's domain does not vouch for it (DMARC)",
    UnprovenReason.OTHER_DOMAIN_PASSED: "another domain than the sender's vouches for it",
    UnprovenReason.NO_ALIGNED_SIGNATURE: "the sender's domain has not signed it (DKIM)",
    UnprovenReason.SIGNED_IN_PART: "only a part of it is signed (DKIM l=)",
}


@frozen
class Proven:
    """The enrolled address sent it."""


@frozen
class Unproven:
    """A person may have sent it, but not provably this one: hold."""

    reason: UnprovenReason


@frozen
class NotAReply:
    """No person's answer: never posted, never answered; the mediator is told."""

    kind: AutomaticKind


Proof = Proven | Unproven | NotAReply


@frozen
class Trust:
    """Whose word counts. `authserv_id`: the name under which our own mail server states what it verified;
    `own_domain`: that of the reply addresses.

    `spf`: whether the operator accepts SPF where nothing is signed; `arc_sealers`: the forwarders whose word on what
    they had verified counts, by domain (RFC 8617). Both are narrow unless somebody opens them.
    """

    authserv_id: str
    own_domain: str
    spf: bool = False
    arc_sealers: frozenset[str] = frozenset()


def prove(mail: IncomingHead, enrolled: EmailAddress, trust: Trust) -> Proof:
    """Judge a mail that came to a reply address; `enrolled` is the party's confirmed address.

    Sources: RFC 8601, RFC 7489, RFC 3834, RFC 8617.
    """
    own_domain = trust.own_domain.lower()
    if mail.automatic is not None:
        return NotAReply(mail.automatic)
    if own_domain in (mark.lower() for mark in mail.loop_marks):
        return NotAReply(AutomaticKind.OUR_OWN)
    senders = [parse_address(sender) for sender in mail.senders]
    if any(isinstance(each, EmailAddress) and each.domain == own_domain for each in senders):
        return NotAReply(AutomaticKind.OUR_OWN)
    if mail.malformed:
        return Unproven(UnprovenReason.MALFORMED)
    if len(senders) != 1 or isinstance(senders[0], MalformedAddress):
        return Unproven(UnprovenReason.NOT_ONE_SENDER)
    if senders[0].key != enrolled.key:
        return Unproven(UnprovenReason.OTHER_SENDER)
    missing = _missing(mail, enrolled.domain, trust)
    return Proven() if missing is None else Unproven(missing)


def is_its_senders(mail: IncomingHead, trust: Trust) -> Proof:
    """Judge a mail that came to an address where anybody may write: whether it is from the one address in its From."""
    senders = [parse_address(sender) for sender in mail.senders]
    only = senders[0] if len(senders) == 1 else None
    if isinstance(only, EmailAddress):
        return prove(mail, only, trust)
    return NotAReply(mail.automatic) if mail.automatic else Unproven(UnprovenReason.NOT_ONE_SENDER)


def _missing(mail: IncomingHead, domain: str, trust: Trust) -> UnprovenReason | None:
    """What our own mail server did not vouch for."""
    ours = [each for each in mail.authentication if each.authserv_id == trust.authserv_id.lower()]
    if not ours:
        return UnprovenReason.NO_RESULTS_OF_OURS
    if len(ours) > 1:
        return UnprovenReason.SEVERAL_RESULTS_OF_OURS
    results = ours[0].results
    if results is None:
        return UnprovenReason.UNREADABLE_RESULTS
    if mail.length_tag:
        return UnprovenReason.SIGNED_IN_PART
    missing = _unaligned(results, domain, spf=trust.spf)
    return None if missing is None or _vouched_on_its_way(mail, results, domain, trust) else missing


def _unaligned(results: tuple[MethodResult, ...], domain: str, *, spf: bool) -> UnprovenReason | None:
    dmarc = [each for each in results if each.method == "dmarc" and each.result != "none"]
    if not dmarc:
        vouched = _signed(results, domain) or (spf and _sent_by_its_domain(results, domain))
        return None if vouched else UnprovenReason.NO_ALIGNED_SIGNATURE
    if any(each.result != "pass" for each in dmarc):
        return UnprovenReason.DMARC_NOT_PASSED
    if any(each.every("header.from") != (domain,) for each in dmarc):
        return UnprovenReason.OTHER_DOMAIN_PASSED
    return None


def _signed(results: tuple[MethodResult, ...], domain: str) -> bool:
    return any(
        each.method == "dkim" and each.result == "pass" and _speaks_for(each.every("header.d"), domain)
        for each in results
    )


def _sent_by_its_domain(results: tuple[MethodResult, ...], domain: str) -> bool:
    """SPF speaks for the envelope's sender, which must be of the very domain of From."""
    spf = [each for each in results if each.method == "spf"]
    return (
        len(spf) == 1
        and spf[0].result == "pass"
        and [sender.rpartition("@")[2] for sender in spf[0].every("smtp.mailfrom")] == [domain]
    )


def _vouched_on_its_way(mail: IncomingHead, results: tuple[MethodResult, ...], domain: str, trust: Trust) -> bool:
    """Forwarded, and so not to be verified any more, by forwarders alone whose seals count: the first of them had
    verified it. That the seals are genuine is our own mail server's word."""
    arc = [each.result for each in results if each.method == "arc"]
    if arc != ["pass"] or not mail.seals or not all(seal.sealer in trust.arc_sealers for seal in mail.seals):
        return False
    first = mail.seals[0].results
    return first is not None and _unaligned(first, domain, spf=False) is None


def _speaks_for(signers: tuple[str, ...], domain: str) -> bool:
    """Only the domain itself or one above it in the DNS, which controls it anyway.

    DMARC's relaxed alignment would also let a subdomain sign for its parent; telling those from strangers that
    share a public suffix needs a list that goes stale, and then opens. So this is narrower.
    """
    return len(signers) == 1 and (domain == signers[0] or domain.endswith(f".{signers[0]}"))
