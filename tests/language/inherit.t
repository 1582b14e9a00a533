context: policy base {\n tls allow\n verbs add bdat\n match cmd line length > 512 drop log\n match body line length > 998 log\n}\npolicy p {\n@\n}
inherit base => ok: -
inherit base\nmatch body line length > 998 reset => ok: match body line length > 998 reset
inherit base\nmatch header length > 9 drop => ok: match header length > 9 drop
inherit base\nverbs remove { vrfy, etrn } => ok: verbs { auth data ehlo helo help mail noop quit rcpt rset saml send soml starttls bdat }
inherit base\ntls deny => ok: verbs { auth data ehlo etrn helo help mail noop quit rcpt rset saml send soml vrfy bdat }
inherit base\ntls allow log => ok: tls allow log
inherit base\nverbs remove starttls => error: 1-21: 'tls allow' needs starttls in the set of verbs
tls deny\ninherit base => error: 1-12: what is inherited must stand before lines that change it
match cmd rcpt count > 5 log\ninherit base => error: 1-12: what is inherited must stand before lines that change it
inherit base\ninherit base => error: 1-12: policy p has such a line already
inherit base\nmatch body line length > 998 drop\nmatch body line length > 998 drop log => error: 1-37: line 9 has the same match

context: @
policy a { match cmd rcpt count > 5 drop }; policy b { inherit a; match cmd rcpt count > 5 log } => ok: match cmd rcpt count > 5 log
policy a { match cmd rcpt count > 5 drop }; policy b { inherit a; match cmd rcpt count > 5 log; match cmd rcpt count > 5 log } => error: 97-124: line 1 has the same match
policy a { tls allow log }\npolicy b { inherit a; tls allow } => ok: tls allow
policy a { tls allow log }\npolicy b { inherit a; tls deny } => ok: tls deny
policy a { tls allow; verbs starttls }\npolicy b { inherit a; tls deny } => error: 8-8: without starttls no command would pass
policy a { tls allow; verbs starttls }\npolicy b { inherit a } => ok: verbs { starttls }
