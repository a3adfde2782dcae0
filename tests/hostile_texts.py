"""Ids, names and words as an attacker would choose them, to ping people or to place a link."""

HOSTILE = [
    "@everyone",
    "@channel @here @all @room @anna:example.org",
    "<!channel> <!here|here> <@U024BE7LH> <#C024BE7LR|general> <@&123> </deploy:42>",
    "](http://evil.example) [click](https://evil.example/a?b=c&d)",
    "http://evil.example www.evil.example evil.example HTTPS://EVIL.EXAMPLE/x ftp://evil.example",
    "javascript:alert(1) mailto:a@evil.example slack://open matrix:u/anna:evil.example",
    "`code` ```block``` *bold* _it_ ~~gone~~ ~town-square ||spoiler|| # head > quote #room:evil.example",
    "moc.live\u202e.www \u2066isolated\u2069 zero\u200bwidth \u200f\u061c",
    "one\ntwo\r\n- three\u2028four\x00five\x1b[31m",
    "evil\u3002example evil\uff0eexample",
    "<b>bold</b><script>alert(1)</script> &lt;!channel&gt;",
]
