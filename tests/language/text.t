# SPDX-License-Identifier: GPL-2.0-only
context: regex l "a" nocase\ndomains d { a.b, .c.d }\npolicy p {\n@\n}
match sender-address regex l drop log => ok
match sender-address regex l continue => ok
match recipient-address regex l reset => ok
match not sender-address regex l log => ok
match sender-address domains d drop => ok
match not recipient-address domains d drop log => ok
MATCH SENDER-ADDRESS REGEX l DROP => ok: match sender-address regex l drop
match sender-address regex l not recipient-address domains d drop log => ok
match sender-address regex l sender-address length > 5 cmd rcpt count > 2 reset log => ok
match sender-address regex l recipient-address regex l drop => ok
match sender-address regex l mask => error: 1-33: mask is for ehlo-reply-parameter and cmd verb; expected drop, reset or log
match sender-address regex nobody drop => error: 28-33: there is no regex nobody
match sender-address domains nobody drop => error: 30-35: there is no domains nobody
match sender-address regex d drop => error: 28-28: d is no regex: write 'domains d'
match sender-address domains l drop => error: 30-30: l is no domains: write 'regex l'
match sender-address regex "a" drop => error: 28-30: syntax error, unexpected 'a', expected a name
match sender-address l drop => error: 22-22: syntax error, unexpected 'l', expected length, regex or domains
match recipient-address length > 5 drop => error: 25-30: syntax error, unexpected 'length', expected regex or domains
match sender-address regex l sender-address regex l drop => error: 30-51: the rule has this condition already
match sender-address regex l drop\nmatch sender-address regex l log => error: 1-32: line 4 has the same match
match sender-address regex l drop;match recipient-address regex l drop => ok: match recipient-address regex l drop
match sender-address regex l drop\nbanner keep => ok: banner keep
context: regex a "1"; regex b "2"; regex c "3"; regex d "4"; regex e "5"; regex f "6"; regex g "7"; regex h "8"; regex i "9"\npolicy p {\nmatch sender-address regex a log; match sender-address regex b log; match sender-address regex c log; match sender-address regex d log\nmatch sender-address regex e log; match sender-address regex f log; match sender-address regex g log\n@\n}
match sender-address regex h drop => ok
match sender-address regex h recipient-address regex i drop => ok
match sender-address regex h drop\nmatch sender-address regex a drop recipient-address regex i drop => error: 35-51: syntax error, unexpected 'recipient-address', expected end of line, log or '}'
match sender-address regex h drop\nmatch sender-address regex a drop => error: 1-33: line 3 has the same match
match sender-address regex h drop\nmatch sender-address regex a recipient-address regex h drop\nmatch not sender-address regex a drop => ok: match not sender-address regex a drop
match sender-address regex h drop\nmatch sender-address regex i drop => error: 1-33: more than 8 regex and domains for sender-address in one policy: put several expressions into one regex
