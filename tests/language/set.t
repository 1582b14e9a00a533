# SPDX-License-Identifier: GPL-2.0-only
context: @
set a { 192.0.2.1 } => ok
set a { 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 } => ok: set a { 192.0.2.0/24, 2001:db8::/32 }
set a {\n192.0.2.1,\n192.0.2.9,\n} => ok: set a { 192.0.2.1, 192.0.2.9 }
set a { 10.0.0.1-10.0.0.9 } => ok
set a { 25, 2525, 26 } => ok: set a { 25-26, 2525 }
set a { 1000-2000 } => ok
SET a { 25 } => ok: set a { 25 }
set a { } => error: 7-9: the set is empty
set a { 25, 10.0.0.1 } => error: 13-20: set a has ports: addresses do not go with them
set a { ::1, 25 } => error: 14-15: set a has addresses: ports do not go with them
set a { mail.example.org } => error: 9-24: this is no IPv4 or IPv6 address; names are not resolved
set a { 0 } => error: 9-9: a port is a number from 1 to 65535, a range of them FIRST-LAST
set 1a { 25 } => error: 5-6: the name of a set begins with a letter
set a { 25 }\nset a { 26 } => error: 5-5: set a exists already
set a 25 => error: 7-8: syntax error, unexpected '25', expected '{'
set a { 25 }\nset b { @a } => error: 9-10: a named set stands alone, without braces and others beside it
set a { ::1 }\nexempt @a => ok: exempt @a
set a { ::1 }\nset b { ::2 }\nexempt @b\nexempt @a => ok: exempt @b
set a { ::1 }\nexempt ::7\nexempt @a => ok: exempt ::7
set a { ::1 }\nexempt { @a, ::2 } => error: 10-11: a named set stands alone, without braces and others beside it
set a { 25 }\nexempt @a => error: 8-9: set a has ports, here belong addresses
exempt @a => error: 8-9: there is no set a
exempt @ => error: 8-8: behind @ stands the name of a set
exempt @a; set a { ::1 } => error: 8-9: set a is defined only behind this line

context: set hosts { 10.0.0.1, ::1 }\nset ports { 25, 2525 }\nset six { ::6 }\npolicy p { }\nclass k {\n@\n}\ninspect { class k policy p; }
host @hosts => ok
saddr @hosts => ok
daddr @hosts => ok
dport @ports => ok
saddr @hosts\ndaddr @six => ok: daddr @six
saddr "@hosts" => ok: saddr @hosts
dport @hosts => error: 7-12: set hosts has addresses, here belong ports
saddr @ports => error: 7-12: set ports has ports, here belong addresses
saddr { @hosts } => error: 9-14: a named set stands alone, without braces and others beside it
saddr @none => error: 7-11: there is no set none

context: set four { 10.0.0.1 }\nset six { ::6 }\nset ports { 25, 2525 }\npolicy p { }\n@
class k { saddr @four; daddr @six } => error: 7-7: nothing can belong to class k: one line has only IPv4, another only IPv6 addresses
inspect { ports @ports; default policy p } => ok: ports @ports
inspect { ports @six; default policy p } => error: 17-20: set six has addresses, here belong ports
