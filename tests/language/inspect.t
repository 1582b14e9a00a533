# SPDX-License-Identifier: GPL-2.0-only
context: policy p {\n}\npolicy default {\n}\nclass a { host ::1 }\nclass b { dport 465 }\ninspect {\n@\n}
default policy p => ok
default policy default => ok
default none => ok
class a exempt => ok
class a exempt => ok: default none
class a policy p => ok
class b policy p\nclass a exempt\ndefault policy default => ok: class b policy p
pickup pass\ndefault none => ok: pickup pass
default none => ok: pickup drop
ports { 2525, 25 }\ndefault none => ok: ports { 25, 2525 }
default none => ok: ports 25
class x exempt => error: 7-7: there is no class x
class a policy x => error: 16-16: there is no policy x
default policy x => error: 16-16: there is no policy x
class a exempt\nclass a policy p => error: 1-16: nothing reaches this line: class a has one before it
default none\nclass a exempt => error: 1-14: nothing reaches this line: default stands before it
default none\ndefault policy p => error: 1-16: nothing reaches this line: default stands before it
default exempt => error: 9-14: syntax error, unexpected 'exempt', expected policy or none
class a none => error: 9-12: syntax error, unexpected 'none', expected policy or exempt
default none\npickup pass\npickup drop => error: 1-11: pickup is given already
default none\npickup maybe => error: 8-12: syntax error, unexpected 'maybe', expected pass or drop
default none\nports 25\nports 26 => error: 1-8: ports are given already: write ports { A, B }
default none\nports { } => error: 7-9: the set is empty

context: @
inspect { } => error: 1-7: inspect has no line: 'default policy NAME' inspects all, 'class NAME policy NAME' some
inspect { ports 25 } => error: 1-7: inspect has no line: 'default policy NAME' inspects all, 'class NAME policy NAME' some
inspect { default none }\ninspect { default none } => error: 1-7: there is an inspect list already: one list, first match wins
inspect { default policy p }; policy p { } => ok: default policy p
exempt { 10.0.0.1, ::1 } => ok
exempt 10.0.0.1\nexempt { 10.0.0.2, 10.0.0.3 } => ok: exempt 10.0.0.1-10.0.0.3
exempt { } => error: 8-10: the set is empty
flush ruleset => ok: -
exempt ::1\nflush ruleset => error: 1-13: flush ruleset stands first or not at all
flush => error: 6-6: syntax error, unexpected end of line, expected ruleset
include "x" => error: 1-7: syntax error, unexpected 'include', expected end of file, flush, policy, exempt, set, class, inspect, regex or domains
policy p { }\npolicy p { } => error: 8-8: policy p exists already
policy p { slot 1 }\npolicy q { slot 1 } => error: 12-17: slot 1 belongs to policy p
policy a { }; policy b { }; policy c { }; policy d { }; policy e { }; policy f { }; policy g { }; policy h { } => ok: policy h {
policy a { }; policy b { }; policy c { }; policy d { }; policy e { }; policy f { }; policy g { }; policy h { }; policy i { } => error: 120-120: there are 8 slots: no room for another policy
policy p } => error: 10-10: syntax error, unexpected '}', expected '{'
