"""Questions of forms as headings: "What is the username of the player you are reporting?". PURE.

Patterns as in `service.tabular.vocabulary`, and joined to those. Who answers is "you", or speaks of "my" name.
Questions about why, when and with which evidence are of neither.
"""

from __future__ import annotations

_OTHER = (  # of the complaint itself
    r"(?!why|when|how|where|describe|description|reason|evidence|proof|screenshot|type|category|details|additional|any_"
    r"|what_(?:type|kind|rule|happened|is_your)|which_rule|have_you|did_you|do_you|please_(?:describe|explain)|pourquoi"
    r"|warum|weshalb|por_que|perche|waarom|dlaczego)"
)
_PEOPLE = (
    r"(?:users?|players?|members?|accounts?|person|people|persons|someone|staff|streamers?|profiles?|channels?|sellers?"
    r"|drivers?|names?|usernames?|ign|gamertags?)"
)
_CONTENT = (
    r"(?:posts?|comments?|messages?|contents?|videos?|images?|photos?|reviews?|listings?|ads?|adverts?|pages?|items?"
    r"|urls?|links?)"
)
_YOU = (
    r"(?:that_|which_|who_|whom_)?"
    r"(?:you_re|youre|you_are|you_want_to|you_wish_to|you_would_like_to|you_d_like_to|being)"
)
_REPORT = r"(?:report|reporting|reported|flag|flagging|complaining_about|complain_about)"
_YOUR = (
    r"(?:your|my|dein|deine|ihr|ihre|tu|su|seu|sua|il_tuo|la_tua|uw|jouw|je|twoj|twoja|ton|votre|mon|vas|ditt|din|ваш"
    r"|ваше|твой)"
)
_WHO_I_AM = (
    r"(?:name|username|user_name|nickname|nick|login|handle|ign|gamertag|steam_id|discord(?:_(?:id|tag|name|username))?|account"
    r"|user_id|player_id|id|tag|alias|pseudo|phone(?:_number)?|nombre|usuario|nom|naam|nome|ник|имя)"
)
_OFFENDER = r"(?:offender|accused|culprit|perpetrator|rule_?breaker|suspect|violator|cheater|hacker|abuser|troll)"
_NAMED = r"(?:name|username|user_name|nickname|handle|ign|gamertag|id|tag|account|steam_id|profile|discord[a-z_]*)"
QUESTIONS: dict[str, list[tuple[int, str]]] = {
    "reporter_id": [
        (1, rf"(?:what_(?:is|s)_)?{_YOUR}(?:_[a-z]+){{0,2}}_{_WHO_I_AM}(?:_(?!of|for_the|that|which).*)?"),
        (1, r"(?:name|username|nickname|ign)_of_(?:the_)?(?:reporter|reporting_(?:player|user|person))|reporting_as"),
    ],
    "target_id": [
        (3, rf"{_OTHER}(?:.*_)?{_CONTENT}_{_YOU}(?:_.*)?_?{_REPORT}(?:_.*)?"),
        (5, rf"{_OTHER}(?:.*_)?{_PEOPLE}(?:_s)?_{_YOU}(?:_.*)?_?{_REPORT}(?:_.*)?"),
        (5, rf"who(?:m)?_(?:are|do|would|is)_(?:you|being)(?:_.*)?_{_REPORT}.*|who_is_being_reported.*"),
        (
            5,
            rf"{_OTHER}(?:.*_)?{_OFFENDER}(?:_s|s)?(?:_[a-z]+){{0,2}}_{_NAMED}|(?:name|username|ign)s?_of_(?:the_)?{_OFFENDER}s?",
        ),
        (5, rf"other_(?:player|user|person|member|account|party)(?:_s)?(?:_{_NAMED})*"),
        (5, r"(?:login|nick|nazwa|konto|profil|uzytkownik[a-z]*)(?:_.*)?_(?:ktor[a-z]+|kogo)_zglaszasz(?:_.*)?"),
        (5, r"(?:usuario|nombre|perfil|cuenta|persona)(?:_.*)?_que_(?:estas_)?(?:denunci|report)a.*"),
        (5, r"a_quien_.*(?:denunci|report)a.*"),
        (
            5,
            r"(?:usuario|nome|perfil|conta|pessoa)(?:_.*)?_que_(?:voce_)?(?:esta_)?denunci.*|quem_(?:voce|tu)_(?:.*_)?denunci.*",
        ),
        (5, r"(?:utente|nome|profilo|persona)(?:_.*)?_che_(?:stai_)?segnal.*|chi_stai_segnal.*"),
        (
            5,
            r"(?:gebruiker|naam|profiel|persoon|speler)[a-z]*(?:_.*)?_die_(?:je|u)_(?:wilt_)?(?:meldt|melden|rapporte).*",
        ),
        (
            5,
            r"w(?:en|elche[nrs]?_(?:person|nutzer|benutzer|spieler))_.*(?:melden|meldest|gemeldet).*|qui_.*signaler?.*",
        ),
    ],
}
