"""Headings of several words in other languages, as English ones: "Date du signalement" as `report_date`. PURE.

A heading is put into English only if each of its words is known: "Date d'inscription" stays what it is. Plurals are
left out on purpose, since "Nombre de signalements" is a count. What a column is taken for is checked against its
values, as for every other name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def _words(*groups: str) -> dict[str, str]:
    """Foreign words to the English one that each group begins with."""
    return {word: group.split(":")[0] for group in groups for word in group.split(":")[1].split()}


_PARTS = _words(
    "date:date fecha data datum date_et_heure fecha_y_hora data_e_ora data_e_hora datum_und_uhrzeit datum_en_tijd",
    "time:heure hora ora uhrzeit zeit zeitpunkt tijd tijdstip",
    "author:auteur autor autora autore verfasser verfasserin",
    "no:no n numero nr nummer num",
    "id:id identifiant identificador identificativo kennung",
    "ref:reference referencia riferimento referentie",
    "name:nom nombre nome name naam pseudo pseudonyme",
    "email:e_mail email mail courriel correo correo_electronico adresse_e_mail",
    "reason:motif raison motivo razon grund reden",
    "text:texte texto testo text tekst",
    "title:titre titulo titolo titel",
    "link:lien enlace link",
    "status:statut estado stato status",
    "decision:decision decisione decisao entscheidung beslissing",
)
_REPORT = _words("report:signalement denuncia reporte segnalazione meldung melding")
_CONTENT = _words(
    "comment:commentaire comentario commento kommentar kommentars reactie",
    "message:message mensaje mensagem messaggio nachricht",
    "content:contenu contenido conteudo contenuto inhalt inhalts publication publicacion postagem"
    " beitrag beitrags beitrages bericht",
)
_PLACE = _words(
    "article:article articulo artigo articolo artikel artikels", "topic:sujet tema topico argomento thema themas"
)
_PEOPLE = _words("user:utilisateur usuario utente nutzer nutzers benutzer benutzers gebruiker membre miembro mitglied")
_REPORTERS = _words(
    "reporter:signalant signalante signaleur plaignant declarant denunciante informante reclamante segnalante"
    " segnalatore denunciador melder melders meldenden zglaszajacego"
)
_OWNERS = (
    _REPORTERS
    | _REPORT
    | _CONTENT
    | _PLACE
    | _PEOPLE
    | _words("moderator:moderateur moderador moderatore moderator moderators")
)
_REPORTED = r"(?:signalee?|reportad[oa]|denunciad[oa]|segnalat[oa]|gemeldete?[rs]?|gemelde?)"
_LINK = _words("url:url link lien enlace adresse")
_OF = r"(?:d|de|du|des|del|de_la|de_el|de_l|do|da|di|della|dello|dell|der|van|van_de|van_het|von)"
_BY, _ON = r"(?:par|por|da|door|von|durch)", r"(?:le|el|il|op|em|am)"


def _one_of(words: Mapping[str, str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_PART_OF = re.compile(rf"({_one_of(_PARTS)})_{_OF}_({_one_of(_OWNERS)})(?:_{_REPORTED})?")
_NUMBERED = re.compile(rf"({_one_of(_REPORT | _CONTENT | _PLACE)})_(?:n|no|n_o|nr|num|numero|nummer)")
_RUN_ON = re.compile(
    rf"(melde|meldungs|meldings|{_one_of(_CONTENT)})s?(datum|zeitpunkt|zeit|nummer|nr|id|autor|verfasser|text|tekst)"
)
_THINGS = _CONTENT | _PEOPLE | _LINK
_THING_REPORTED = re.compile(rf"({_one_of(_THINGS)})_{_REPORTED}")
_REPORTED_THING = re.compile(rf"{_REPORTED}_({_one_of(_THINGS)})")


def in_english(name: str) -> str:
    """A normalised heading in English words; unchanged if it is not a compound that is known."""
    if found := _PART_OF.fullmatch(name):
        return f"{_OWNERS[found[2]]}_{_PARTS[found[1]]}"
    if found := _NUMBERED.fullmatch(name):
        return f"{_OWNERS[found[1]]}_no"
    if found := _RUN_ON.fullmatch(name):
        return f"{_OWNERS.get(found[1], 'report')}_{_PARTS[found[2]]}"
    if found := _THING_REPORTED.fullmatch(name) or _REPORTED_THING.fullmatch(name):
        return f"reported_{_THINGS[found[1]]}"
    if re.fullmatch(rf"{_REPORTED}_{_BY}|(?:{_one_of(_REPORT)})_{_BY}", name):
        return "reported_by"
    if re.fullmatch(rf"{_REPORTED}_{_ON}", name):
        return "reported_at"
    return "datetime" if "_" in name and _PARTS.get(name) == "date" else name
