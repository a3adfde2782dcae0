"""Words that names of columns are made of, as regular expressions for normalised names. PURE."""

from __future__ import annotations

ID = r"(?:_(?:[a-z]{0,8}id|ids|uuid|pk|key|ref|reference|uri|no|nr|num|number|seq|srl|idx|fk|did|hash|fullname))"
NAME = (
    r"(?:_(?:name|username|user_name|screen_name|display_name|login|handle|nick|nickname|email|e_mail|mail|acct"
    r"|pseudonym))"
)
WHO = (
    r"(?:users?|usr|account|member|person|profile|nutzer|benutzer|usuario|utilisateur|utente|uzytkownik|gebruiker|konto"
    r"|mitglied|player|reader|character|gamer|streamer|channel_user|participant)"
)
PERSON = rf"(?:_{WHO})?(?:{ID}|{NAME})*"
REPORTER = (
    r"(?:reporter|reporters|flagger|accuser|denouncer|snitch|complainant|complainer|notifier|informer|informant|submitter|requester|plaintiff"
    r"|whistleblower|melder|meldender|beschwerdefuehrer|denunciante|informante|reclamante|signaleur|signalant|plaignant"
    r"|segnalatore|segnalante|denunciador|zglaszajacy|anmelder|indsender|rapporteur)"
)
ADDRESS = r"(?:ip|ip_addr|ip_address|ip_hash|digest|token|cookie|session|session_id|device|device_id|identifier)"
FILED = (
    r"(?:reported|flagged|complained|submitted|filed|raised|notified|informed|lodged|gemeldet|signale|reportado"
    r"|denunciado)"
)
BY = r"(?:by|von|par|por|da)"
WRITER = r"(?:author|poster|writer|autor|autora|verfasser|auteur|autore)"
AUTHOR = rf"(?:{WRITER}|owner|creator|ersteller|op|uploader)"
TARGET = r"(?:target|ziel|cible|alvo|obiettivo|hedef|doel|cel|объект|objet_signale|举报对象|举报目标)"
ACCUSED = (
    r"(?:reported|flagged|complained|complainee|accused|offending|offender|target|targeted|subject|suspect|reportee|denounced|gemeldeter?"
    r"|against|whom|violator|spammer|scammer|perpetrator|culprit|defendant|abuser|wrongdoer)"
)
OFFENDER = (
    r"(?:accused|offender|reportee|suspect|violator|spammer|scammer|perpetrator|culprit|defendant|abuser|wrongdoer)"
)
CONTENT = (
    r"(?:post|comment|cmt|cmnt|content|contents|message|msg|item|entity|object|status|statuses|tweet|toot|reply|answer|review|video"
    r"|photo|image|note|submission|listing|ad|media|statement|record|resource|reportable|flaggable|reviewable|moderatable|commentable|beitrag|kommentar"
    r"|nachricht|inhalt|publicacion|comentario|mensaje|contenido|commentaire|publication|contenu|messaggio|contenuto|wpis"
    r"|komentarz|bericht|reactie|postagem|conteudo|produkt|product|pin|story_item|skeet|anuncio|annonce|inserat|anzeige"
    r"|annuncio|ilan|iklan|advert|advertisement|job|event)"
)
THINGS = (  # content of some sites: by name only with an id after it
    r"(?:domain|link|paste|file|song|track|recipe|book|poll|question|quote|repository|repo|package|plugin|playlist|podcast|rev|revision|diff|snippet|lyrics|document"
    r"|episode|chapter|artwork|clip|gif|meme|pet|property|vehicle|offer|auction|deal)"
)
SITES = (  # where contents stand, by their names
    r"chat|direct|private|wall|feed|news|timeline|live|stream|public|lobby|lesson|course|class|movie|book|song|game|club"
    r"|team|server|activity|track|market|shop|store|seller|trip|ride"
)
PLACE = (
    r"(?:context|thread|topic|article|discussion|story|page|parent|root|conversation|debate|board|forum|subforum|channel"
    r"|room|community|subreddit|group|category_thread|thema|artikel|diskussion|hilo|tema|articulo|sujet|fil|argomento)"
)
WHEN = r"(?:at|on|time|date|datetime|ts|dttm|dtm|dt|timestamp|utc|am|um|le|el|il|day|moment|when)"
FILING = (
    r"(?:report|reports|reported|reporting|accuse|accused|accusation|denounced|flag|flags|flagged|complaint|complained|submission|submitted|filed|filing"
    r"|notice|received|ticket|meldung|gemeldet|signalement|denuncia|occurred|raised|lodged|opened)"
)
TIME = (
    r"(?:time|date|datetime|timestamp|ts|created|created_utc|creation|create|when|epoch|datum|zeit|zeitpunkt|uhrzeit"
    r"|erstellt|fecha|fecha_hora|hora|momento|data|data_ora|quando|heure|horodatage|cree|created_unix|logged|entered|inserted)"
)
RULED = (
    r"(?:decided|decision|resolved|resolution|closed|reviewed|review|moderated|handled|action_taken|actioned|completed"
    r"|entschieden|erledigt)"
)

WORDS = r"[^\W\d]+"
OF_THE_REPORT = (  # follows "reported" or "flagged" in columns that do not say what was reported
    r"(?:by|at|on|in|to|via|from|date|time|day|datetime|timestamp|utc|reason|count|times|status|state|type|kind|category"
    r"|severity|priority|issue|problem|text|note|notes|comments|description|details|host|hours|source|author|is|for|email|mail|e_mail|username|nickname|handle|acct|placement|rank|score|value)(?:_|\Z)"
)
DETAILS = (  # of an account, as it was when it was reported
    r"(?:age|gender|sex|bio|country|city|location|ip|messages|log|world|server|health|food|effects|sneak|sprint|on_ground"
    r"|gamemode|game_mode|level|photos?|photo_count|lifetime_reports|reports|(?:[a-z]+_)*(?:count|total|reports))(?:_|\Z)"
)
