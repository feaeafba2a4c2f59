"""What was written beside a file, on its way to one reader outside of Matrix: words, which go where words may go."""

from __future__ import annotations

from policies.case import Case, Conversation, Person, PersonId
from policies.networks.way import CARRIED_BY
from policies.people.ways import carries
from policies.words.phrase import Phrase, phrase


def beside_for(case: Case, author: PersonId, where: Conversation, reader: Person, words: Phrase | str) -> Phrase | str:
    """Those words, if their author has agreed to that network; else that there were some (B2)."""
    if not words or carries(case, author, where, reader.id):
        return words
    way = CARRIED_BY[reader.endpoint.network]
    return phrase("What {name} wrote beside it does not go {way}.", name=case.name_of(author), way=way)
