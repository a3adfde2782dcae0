"""Columns called like those who reported that only say in what role they did, or who passed it on. PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.tabular.looks import ColumnLook
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text

_MOST_ROLES = 12
_FEW = 10  # rows that show nothing
_FEW_WORDS = 4
_MORE = 4  # times as many accounts
_MOSTLY = 0.5  # of the words
_ROLE = re.compile(
    r"(?:registered_|anonymous_|trusted_|site_|forum_|community_)?(?:users?|members?|guests?|visitors?|anonymous|anon"
    r"|mod(?:erator)?s?|admin(?:istrator)?s?|staff|employee|team|support|agents?|systems?|bots?|robots?|auto(?:mod|mated"
    r"|matic)?|machine|filter|ai|human|people|person|customers?|clients?|buyers?|sellers?|vendors?|merchants?|authors?"
    r"|owners?|readers?|viewers?|subscribers?|players?|parents?|teachers?|students?|trusted|flaggers?|trusted_flagger"
    r"|authority|government|police|ngo|organi[sz]ation|company|business|individual|public|internal|external|yes|no|true"
    r"|false|web(?:site)?|app|mobile|desktop|android|ios|i_?phone|e?_?mail|phone|chat|api|form|mitglied|nutzer|benutzer"
    r"|gast|moderation|verband|behoerde|verein|firma|privat(?:person)?|leser|kunde|haendler|automatisch|membre|invite"
    r"|utilisateur|moderateur|administrateur|visiteur|lecteur|client|vendeur|acheteur|anonyme|robot|systeme|usuario"
    r"|miembro|socio|invitado|moderador|administrador|anonimo|visitante|lector|comprador|vendedor|cliente|sistema|utente"
    r"|ospite|moderatore|lettore|gebruiker|lid|beheerder|uzytkownik|gosc)"
)


def without_constants(found: Mapping[int, list[ColumnLook]]) -> dict[int, list[ColumnLook]]:
    """The columns that may be who reported, by rank, without those of one account beside others: a program's or so."""
    several = {rank for rank, looks in found.items() if any(look.distinct > 1 for look in looks)}
    instead = several & {0, 1} or several
    return {
        rank: [
            o for o in looks if o.distinct > 1 or len(o.known) < _FEW or not instead or (rank == 0 and min(instead) > 1)
        ]
        for rank, looks in found.items()
    }


def without_roles(found: Mapping[int, list[ColumnLook]]) -> dict[int, list[ColumnLook]]:
    """The columns that may be who reported, by rank, without those of a few roles, or of a few words under a name that
    need not mean people (`report_from`), beside one of many accounts.
    """
    most = max((look.distinct for looks in found.values() for look in looks), default=0)

    def is_role(rank: int, look: ColumnLook) -> bool:
        few = look.distinct <= _FEW_WORDS and rank > 1 and not look.has_numbers and len(look.known) >= _FEW
        return look.distinct * _MORE <= most and (few or has_roles(look))

    return {rank: [look for look in looks if rank == 0 or not is_role(rank, look)] for rank, looks in found.items()}


def has_roles(look: ColumnLook) -> bool:
    """Whether a column has a few words, most of them for roles such as guest and moderator."""
    if look.distinct > _MOST_ROLES:
        return False
    words = {normalised(plain_text(value)) for value in look.known}
    return sum(_ROLE.fullmatch(word) is not None for word in words) > _MOSTLY * len(words)
