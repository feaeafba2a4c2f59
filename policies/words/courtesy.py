"""What everybody says in a mail out of courtesy, in the languages in which answers are read: no sign of a quote.

A closing is the end of a mail: a formula, and below it a few short lines, such as a name, a firm and a telephone
number. That somebody closes each mail alike, in private and to all, tells nothing.
"""

from __future__ import annotations

import re
from typing import Final

_LINES: Final = 4
"""So many lines stand below the formula at most."""
_WORDS: Final = 5
"""So many words has each of them."""
_FORMULAS: Final = (
    # English
    *("regards", "kind regards", "kindest regards", "best regards", "warm regards", "with kind regards", "best wishes"),
    *("with best wishes", "with best regards", "yours sincerely", "yours faithfully", "yours truly", "sincerely"),
    *("sincerely yours", "respectfully", "all the best", "best", "cheers", "thanks", "many thanks", "thank you"),
    *("thank you very much", "thanks and kind regards", "thank you and kind regards"),
    # German
    *("mit freundlichen grüßen", "mit freundlichem gruß", "mit besten grüßen", "mit herzlichen grüßen"),
    *("freundliche grüße", "viele grüße", "beste grüße", "liebe grüße", "herzliche grüße", "schöne grüße", "gruß"),
    *("grüße", "hochachtungsvoll", "mfg", "lg", "vielen dank", "danke", "vielen dank und freundliche grüße"),
    # French
    *("cordialement", "bien cordialement", "très cordialement", "bien à vous", "meilleures salutations", "salutations"),
    *("salutations distinguées", "sincères salutations", "avec mes meilleures salutations", "merci", "merci beaucoup"),
    # Spanish
    *("saludos", "un saludo", "un cordial saludo", "saludos cordiales", "cordialmente", "atentamente", "gracias"),
    *("muchas gracias", "reciba un cordial saludo", "le saluda atentamente"),
    # Italian
    *("cordiali saluti", "distinti saluti", "saluti", "un saluto", "un cordiale saluto", "grazie", "grazie mille"),
    # Portuguese
    *("cumprimentos", "melhores cumprimentos", "com os melhores cumprimentos", "atenciosamente", "abraço", "obrigado"),
    *("obrigada", "muito obrigado", "muito obrigada"),
    # Dutch
    *("groet", "groeten", "vriendelijke groet", "met vriendelijke groet", "met vriendelijke groeten", "mvg"),
    *("hartelijke groet", "hartelijke groeten", "hoogachtend", "alvast bedankt", "bedankt"),
)
PHRASES: Final = (
    # English
    *("thank you for your message", "thank you very much for your message", "thank you for your quick reply"),
    *("thank you for your email", "thank you very much for your mail", "thank you for your answer"),
    *("I look forward to hearing from you soon", "I am looking forward to hearing from you"),
    *("I look forward to your reply", "I hope this message finds you well", "I hope this email finds you well"),
    *("please let me know if you have any further questions", "please let me know if you have any questions"),
    *("please do not hesitate to contact me", "I wish you a nice weekend"),
    # German
    *("vielen Dank für Ihre Nachricht", "vielen Dank für Ihre Mail", "vielen Dank für Ihre Antwort"),
    *("vielen Dank für Ihre E-Mail", "vielen Dank für Ihre schnelle Antwort", "herzlichen Dank für Ihre Nachricht"),
    *("vielen Dank für Ihre Mühe", "vielen Dank für die Nachricht", "ich danke Ihnen für Ihre Nachricht"),
    *("ich freue mich auf Ihre Antwort", "ich freue mich auf Ihre Rückmeldung", "bitte melden Sie sich bei Fragen"),
    *("über eine Rückmeldung würde ich mich freuen", "für Rückfragen stehe ich Ihnen gerne zur Verfügung"),
    *("für Rückfragen stehe ich gerne zur Verfügung", "ich wünsche Ihnen ein schönes Wochenende"),
    # French
    *("je vous remercie de votre message", "je vous remercie pour votre message", "merci beaucoup pour votre message"),
    *("merci beaucoup pour votre réponse", "je vous remercie par avance de votre réponse"),
    *("dans l'attente de votre réponse", "je reste à votre disposition pour toute question"),
    "je vous prie d'agréer, Madame, Monsieur, l'expression de mes salutations distinguées",
    "veuillez agréer, Madame, Monsieur, l'expression de mes salutations distinguées",
    # Spanish
    *("muchas gracias por su mensaje", "muchas gracias por su respuesta", "muchas gracias por su correo"),
    *("quedo a la espera de su respuesta", "quedo a su disposición para cualquier pregunta"),
    *("en espera de su respuesta le saludo atentamente", "le agradezco mucho su mensaje"),
    # Italian
    *("la ringrazio per il suo messaggio", "grazie mille per il suo messaggio", "grazie mille per la sua risposta"),
    *("resto in attesa di un suo riscontro", "in attesa di un suo riscontro porgo cordiali saluti"),
    "resto a disposizione per qualsiasi chiarimento",
    # Portuguese
    *("muito obrigado pela sua mensagem", "muito obrigada pela sua mensagem", "muito obrigado pela sua resposta"),
    *("muito obrigada pela sua resposta", "fico a aguardar a sua resposta", "fico ao dispor para qualquer questão"),
    # Dutch
    *("hartelijk dank voor uw bericht", "dank u wel voor uw bericht", "hartelijk dank voor uw antwoord"),
    *(
        "ik kijk uit naar uw antwoord",
        "ik kijk uit naar uw reactie",
        "ik hoor graag van u",
        "ik wens u een fijn weekend",
    ),
)
"""Whole sentences that everybody writes."""
_ONE_OF_THEM: Final = "|".join(sorted(map(re.escape, _FORMULAS), key=len, reverse=True))
_FORMULA: Final = re.compile(rf"(?i:{_ONE_OF_THEM})[\s,.!–-]*(?:[^\W\d_a-z][\w.'’-]*\s*){{0,3}}")
"""And behind it, maybe, a name."""
_TELEPHONE: Final = re.compile(r"(?:[^\W\d]+[.:\s]*){0,2}[+(0][\d\s()/.-]{6,24}")
"""An amount of money begins otherwise."""


def without_closing(text: str) -> str:
    """The text without its closing, if it has one."""
    lines = text.rstrip().splitlines()
    shown = [i for i, line in enumerate(lines) if line.strip()]
    for i in shown[-_LINES - 1 :]:
        below = [lines[j] for j in shown if j > i]
        if _FORMULA.fullmatch(lines[i].strip()) and all(map(_is_of_a_signature, below)):
            return "\n".join(lines[:i])
    return text


def _is_of_a_signature(line: str) -> bool:
    line = line.strip(" \u00a0-–—|")
    if any(map(str.isdigit, line)):
        return _TELEPHONE.fullmatch(line) is not None
    words = line.split()
    return len(words) <= _WORDS and (len(words) < 3 or not line[0].islower()) and not line.startswith(">")
