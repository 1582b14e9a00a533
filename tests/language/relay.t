# SPDX-License-Identifier: GPL-2.0-only
context: domains d { a.b, .c.d, "[192.0.2.1]" }\ndomains o { o.b }\npolicy base {\nmail-relay o drop log\nmatch mail-relay o cmd rcpt count > 2 log\n}\npolicy p {\n@\n}
inherit base\nmail-relay d reset => ok: mail-relay d reset
inherit base\nmail-relay o log => ok: mail-relay o log
inherit base\nmatch not mail-relay d reset => ok: match not mail-relay d reset
inherit base\nmail-relay d reset\nmail-relay d log => error: 1-16: line 9 has the same match
