"""The short texts of a mail that stand in no template: its marks and its subjects, in each language."""

from collections.abc import Mapping
from types import MappingProxyType

from policies.frozen import frozen
from policies.words.language import Language


@frozen
class Phrases:
    """One language's. The marks are known by what stands beside these words, never by them."""

    above: str
    end: str
    first: str
    news: str
    whose: str
    discreet: str


PHRASES: Mapping[Language, Phrases] = MappingProxyType(
    {
        Language.ENGLISH: Phrases(
            "Please write your answer above this line", "end", "an invitation", "something new", "did you write to us?",
            "A message for you",
        ),
        Language.GERMAN: Phrases(
            "Bitte schreiben Sie Ihre Antwort über diese Zeile", "Ende", "eine Einladung", "etwas Neues",
            "haben Sie uns geschrieben?", "Eine Nachricht für Sie",
        ),
        Language.SPANISH: Phrases(
            "Escriba su respuesta por encima de esta línea", "fin", "una invitación", "algo nuevo",
            "¿nos ha escrito usted?", "Un mensaje para usted",
        ),
        Language.FRENCH: Phrases(
            "Veuillez écrire votre réponse au-dessus de cette ligne", "fin", "une invitation", "du nouveau",
            "nous avez-vous écrit ?", "Un message pour vous",
        ),
    }
)  # fmt: skip
