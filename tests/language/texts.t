context: regex spam "casino|lottery" nocase\ndomains ours { example.org }\npolicy p {\n@\n}
match header Subject regex spam drop log => ok
match not header "Message-ID" regex spam log => ok: match not header Message-ID regex spam log
match header X-Sender domains ours log => ok
match mime filetype regex spam reset log => ok
match not mime filetype regex spam continue => ok
match header To regex spam header length > 5 cmd verb data log => ok
match header Subject regex ours log => error: 28-31: ours is no regex: write 'domains ours'
match header Subject regex nobody log => error: 28-33: there is no regex nobody
match header Subject regex spam mask => error: 1-36: mask is for ehlo-reply-parameter and cmd verb; expected drop, reset or log
match header "a b" regex spam log => error: 14-18: no field can have this name
match header "" regex spam log => error: 14-15: the name of a field has 1 to 28 letters
match header X-234567890123456789012345678 regex spam log => error: 14-42: the name of a field has 1 to 28 letters
match header Subject regex spam log\nmatch header SUBJECT regex spam drop => error: 1-36: line 4 has the same match
