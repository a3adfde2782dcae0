"""Further names of columns: languages beside English, questions of forms, and help desks' own words. PURE.

Patterns as in `service.tabular.vocabulary`, and joined to those. Accents and the like are left out of names before.
"""

from __future__ import annotations

import re
import unicodedata

from service.tabular.questions import QUESTIONS

_ID = r"(?:_?(?:id|nr|no|nummer|numero|link|url))?"
_GERMAN = r"(?:beitrag|kommentar|nachricht|inhalt|post|posting|artikel|bild|video|eintrag|bewertung|profilbeitrag)"
_IBERIAN = r"(?:publicacion|comentario|mensaje|contenido|post|entrada|publicacao|conteudo|postagem|mensagem)"
_ITALIAN = r"(?:messaggio|commento|contenuto|post)"
_CYRILLIC = r"(?:сообщение|комментарий|пост|запись|публикация|контент|материал)"
_CYRILLIC_OF = r"(?:сообщения|комментария|поста|записи|публикации|контента|материала)"
_CONTENT = r"(?:post|posts|comment|message|content|item|tweet|video|image|photo|page|profile|reply|review|thread)"
_YOUR = (
    r"(?:your|dein|deine|ihr|ihre|euer|tu|su|seu|sua|il_tuo|la_tua|jouw|twoj|ton|votre|vas|vase|tvoj|ditt|din|dit"
    r"|sizin)"
)
_USERNAME = (
    r"(?:user_?name|account|handle|nickname|nick|benutzername|nutzername|nom(?:br)?e_de_usuario|usuario|gebruikersnaam)"
)
_MAIL_ADDRESS = (  # what forms of Google, Microsoft and LimeSurvey call the address of who answers
    r"adresse_(?:e_?mail|mail|electronique)|courriel|(?:direccion|endereco)_de_(?:e_?mail|correo(?:_electronico)?)|correo"
    r"|adresa_de_(?:e_?mail|posta_electronica)|διευθυνση_(?:email|ηλεκτρονικου_ταχυδρομειου)|alamat_surel"
    r"|indirizzo_(?:e_?mail|di_posta_elettronica)|e_?mail_?(?:adres|adress|adresse|cim)|adres_(?:poczty_)?e_?mail(?:owy)?"
    r"|e_?postadress(?:e)?|mailadresse|e_posta(?:_adresi)?|e_?mailova_adresa|alamat_e_?mail|dia_chi_e_?mail"
    r"|адрес_электронной_почты|электронная_почта|メール(?:アドレス)?|이메일(?:_?주소)?|电子邮(?:件|箱)(?:地址)?|邮箱|البريد_الالكتروني"
)
_LINK = r"(?:link|links|url|urls|lien|enlace|odkaz|ссылка|リンク|链接|연결|baglanti|lank|tautan)"
_REPORTED = (  # not the report, whose own page may have a link, too
    r"(?:reported|flagged|reporting|you_[a-z_]*report|signalee?s?|denunciad[oa]s?|reportad[oa]s?|segnalat[oaie]|gemeldet[a-z]*"
    r"|gemelde|melden|zgl(?:asz|osz)[a-z]+|signaler|denunciar|reportar|segnalare)"
)
FURTHER: dict[str, list[tuple[int, str]]] = {
    "reporter_id": [
        (1, rf"(?:.*_)?{_YOUR}_(?:[a-z]+_)?{_USERNAME}(?:_.*)?"),
        (
            1,
            r"melder_?(?:name|konto|account)|gemeldet_durch|eingereicht_von|reportado_por|quien_denuncia|quien_reporta",
        ),
        (1, r"кто_пожаловался|жалобщик|заявитель|автор_жалобы|отправитель_жалобы|пожаловался"),
        (1, r"(?:通報|報告)者(?:_?id|名)?|举报(?:人|者)(?:_?id)?|舉報(?:人|者)(?:_?id)?|신고자(?:_?id)?"),
        (1, r"sikayet_eden|sikayetci|bildiren|raporlayan|pelapor|nguoi_bao_cao"),
        (1, r"скаржник|хто_(?:поскаржився|скаржиться)|автор_скарги|жалбоподател"),
        (3, r"(?:associated|primary)_contact(?:_ids?)?"),
        (1, r"المبلغ|مقدم_البلاغ|صاحب_البلاغ"),
        (2, r"by(?:_(?:id|name|username|user_id|user|login))?"),
        (3, r"(?:full|contact|requester|customer)_(?:name|id|email)|e_?mail_(?:address|adresse)|correo_electronico"),
        (3, _MAIL_ADDRESS),
        (1, r"meldende[rsn]?_(?:person|nutzer|benutzer|account|stelle|konto)|identity_(?:member|user)_id"),
        (3, rf"(?:.*_)?{_YOUR}_(?:full_)?(?:name|e_?mail|nombre|correo)(?:_.*)?"),
        (4, r"(?:creator|opener)(?:_(?:id|name|username))?|created_by(?:_(?:id|name))?"),
    ],
    "target_id": [
        (1, rf"(?:gemeldete[rs]?|beanstandete[rs]?|betroffene[rs]?)_{_GERMAN}{_ID}|{_GERMAN}s?_(?:id|nr|nummer)"),
        (1, rf"{_IBERIAN}_(?:denunciad|reportad|señalad|sinalizad)[oa]{_ID}|id_de(?:_la|l)?_{_IBERIAN}"),
        (1, rf"{_ITALIAN}_(?:segnalat|denunciat)[oa]{_ID}"),
        (1, r"(?:на_)?(?:допис|дописи|коментар|повідомлення)(?:_id)?|(?:id|номер)_(?:допису|коментаря|повідомлення)"),
        (1, rf"(?:{_CONTENT}|product|listing)_(?:complained|reported|objected)_(?:about|to)"),
        (1, rf"(?:на_)?{_CYRILLIC}(?:_id)?|id_{_CYRILLIC_OF}|номер_{_CYRILLIC_OF}"),
        (
            1,
            r"(?:通報)?対象(?:の?投稿|の?コメント)?(?:_?id)?|(?:投稿|コメント)_?(?:id|番号)|投稿|被举报(?:内容|帖子|评论)|举报(?:内容|帖子|评论)_?id|(?:帖子|评论)(?:_?id)?",
        ),
        (1, r"(?:신고_?)?(?:대상|게시글|게시물|댓글)(?:_?(?:id|번호))?"),
        (5, r"被举报人(?:_?id)?|被舉報人|피신고자(?:_?id)?|被通報者|terlapor|nguoi_bi_bao_cao|denunciado|denunciada"),
        (5, r"hakkinda|sikayet_edilen"),
        (
            1,
            r"通報(?:する|した|された)?(?:投稿|コメント|内容)(?:の?(?:url|リンク|id))?|対象(?:の?(?:投稿|コメント))?の?(?:url|リンク)",
        ),
        (1, r"zg[lł](?:aszan|oszon)[a-z]{1,3}_(?:tres[a-z]{1,2}|wpis[a-z]?|komentarz[a-z]?|post[a-z]?|link|url)"),
        (3, rf"{_LINK}_(?:.+_)?{_REPORTED}(?:_.+)?"),
        (
            3,
            rf"(?:ссылка|адрес|url)_(?:на_)?{_CYRILLIC}(?:_.+)?|신고할?_?(?:게시글|게시물|댓글|글|콘텐츠)_?(?:의_?)?(?:(?:링크|url|주소)(?:_.*)?)?",
        ),
        (1, r"المنشور|التعليق|المحتوى|المنشور_المبلغ_عنه|رقم_(?:المنشور|التعليق)"),
        (1, r"(?:reported_)?(?:post|comment|message|article|review|board|bbs)_idx"),
        (1, r"reported_(?:rev|revision|edit|diff|page|thread|topic|message|file)_id"),
        (1, r"(?:reported|flagged)_(?:url|link|permalink)"),
        (3, rf"(?:reported|flagged)_{_CONTENT}_(?:url|link|permalink)"),
        (3, rf"(?:link|url|permalink|web_?address)s?_(?:to|of|for)_(?:the_|that_)?(?:[a-z]+_)?{_CONTENT}(?:_.*)?"),
        (3, rf"(?:which|what)_(?:{_CONTENT})_(?:are_you|do_you|would_you|is).*|{_CONTENT}_you_.*report.*"),
        (3, rf"(?:link|adresse|url)_(?:zum|zur|des|der)_(?:[a-z]+_)?{_GERMAN}s?(?:_.*)?|welche[nrs]?_{_GERMAN}_.*"),
        (3, rf"(?:enlace|link|url)_(?:para_)?(?:a|o|al|del|de|da|do)_(?:la_)?{_IBERIAN}(?:_.*)?"),
        (
            1,
            rf"gemelde?_(?:bericht|reactie|post|inhoud|artikel|foto|video){_ID}|zgloszon[ya]_(?:wpis|komentarz|post){_ID}",
        ),
    ],
    "author_id": [
        (1, r"who_(?:posted|wrote|made|published)_.*|wer_hat_.*(?:geschrieben|gepostet|verfasst|veroeffentlicht)"),
        (1, r"автор_(?:допису|коментаря)|на_кого|нарушитель|autor_(?:wpisu|postu|komentarza)"),
        (1, r"автор|автор_(?:сообщения|комментария|поста|записи)|投稿者|作者|작성자|الكاتب"),
    ],
    "occurred_at": [
        (
            1,
            r"дата(?:_и_время)?_жалобы|(?:通報|報告)日時?|举报时间|신고(?:일|일시|시간)|تاريخ_البلاغ|sygnatura_czasowa",
        ),
        (1, r"дата(?:_(?:і|та)_час)?_скарги"),
        (1, r"fecha(?:_y_hora)?_de(?:_la)?_(?:denuncia|reporte|queja)|data(?:_e_ora)?_(?:della_)?segnalazione"),
        (1, r"(?:rep|report|flag|complaint|case|ticket)_(?:timestamp|ts)|(?:date_)?time_(?:opened|reported|flagged)"),
        (
            1,
            r"(?:date|time|datetime|date_time)_(?:opened|reported|flagged|submitted)",
        ),
        (
            2,
            r"zeitstempel|datum_und_uhrzeit|datum_uhrzeit|marca_temporal|informazioni_cronologiche|horodateur|fecha_y_hora",
        ),
        (
            2,
            r"stworzone|utworzono|date_d_ouverture|creada?|creado|creato|criado_em|erstellt|vytvoreno|oprettet|opprettet",
        ),
        (2, r"дата(?:_и_время)?|日時|时间|일시|التاريخ|at|reg_date|dateline|event_(?:time|timestamp|date)"),
        (
            2,
            r"(?:受付|送信|登録|発生)(?:日時|日)|data_zgloszenia|data_i_godzina|(?:time|date)_sent|sent_(?:at|on|time)",
        ),
    ],
    "reason": [
        (2, r"причина_скарги|powod(?:_zgloszenia)?|сутність_скарги"),
        (
            2,
            r"(?:why|warum|weshalb|por_que|perche)(?:_.*)?|причина(?:_жалобы)?|(?:通報)?理由|举报原因|(?:신고)?사유|السبب",
        ),
    ],
}
_CUSTOM_FIELD = re.compile(r"\s*custom field \((.+)\)\s*\Z", re.IGNORECASE)
_OF_MODEL = re.compile(r"\s*'?[\w .-]*'?\[([^\[\]]+)\]\s*\Z")  # Reports[ReporterId], as Power BI exports
_CUSTOM_API = re.compile(r"(?<=\w)__c\Z")  # of Salesforce
_NUMBERED = re.compile(r"\s*(?:Q|Frage |Question )?\d+\s*(?:[.):]\s+|[、．]\s*)(?=\S)", re.IGNORECASE)  # of a survey
_GROUPED = re.compile(r"\w+/(?=\w)")  # of KoboToolbox
_ZONE = re.compile(r"(?<=[\w)])\s*\((?:utc|gmt|z)\)\s*\Z", re.IGNORECASE)
_OTHER_TIME = re.compile(
    r"(?:^|_)(?:first_(?:report|flag|complaint|notice)[a-z]*|updated?|edited|modified|changed|closed?|resolved|reviewed|handled|decided|deleted|removed|joined|registered|registration|signup|sign_up"
    r"|(?:e?_?mail|reply|answer|notification|reminder|letter|warning)_sent|check(?:ed)?|considered|processed|approved"
    r"|rejected|acknowledged|actioned|triaged|assigned|moderated|verified"
    r"|birthday|birthdate|dob|login|log_in|subscription|purchased?|bought|orders?|ordered|match|visited|loaded|answered"
    r"|replied|traitee?|bearbeitet|tratad[oa]|birth|born|expires?|expiry|due|last|until|ended?|exported|response|solved|since|geaendert|aktualisiert|erledigt"
    r"|geschlossen|actualizado|cerrado|modification|modifie|mise_a_jour|cloture|ferme|resolu|echeance|modificado|modificacion"
    r"|resuelto|fechado|atualizado|atualizacao|aggiornato|aggiornamento|modificato|modifica|chiuso|chiusura|bijgewerkt"
    r"|gesloten|aktualizacja|zamkniete|zamknieto|aenderung|letzte|faellig|aktualizace|uzavreno|guncelleme|kapanis"
    r"|изменен[а-я]*|обновлен[а-я]*|закрыт[а-я]*|更新日時?|更新时间|完了日|수정일|수정일시|endret|aendret|andrad|uppdaterad|stangd"
    r"|paivitetty)(?:_|$)"
)
_NUMBERED_TIME = re.compile(r"(?:date|time|stamp|epoch|unix|utc)|(?:^|_)(?:ts|at|on|when)(?:_|$)|datum|zeit|fecha|hora")


def bare(name: str) -> str:
    """A heading without what help desks put around it."""
    name = _NUMBERED.sub("", _GROUPED.sub("", name) if " " in name else name)
    inner = _CUSTOM_FIELD.match(name) or _OF_MODEL.match(name)
    return _CUSTOM_API.sub("", _ZONE.sub("", inner[1] if inner else name))


def patterns(field: str) -> list[tuple[int, str]]:
    """The further patterns of a field, in the form that names have when they are compared."""
    further = [*FURTHER.get(field, ()), *QUESTIONS.get(field, ())]
    return [(rank, _decomposed(pattern)) for rank, pattern in further]


def _decomposed(pattern: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", pattern) if not unicodedata.combining(c))


def may_be_when(plain: str, *, numbers: bool) -> bool:
    """Whether a column of times with this name may say when something was reported; numbers need a name for it."""
    return not _OTHER_TIME.search(plain) and (not numbers or _NUMBERED_TIME.search(plain) is not None)
