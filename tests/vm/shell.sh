#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the VM, for a person: namespaces up, Postfix in the server's, the shipped rules in force, a prompt.
cd /job/tests || exit 1
. ./lib.sh
. ./prepare.sh
prepare || exit 1
lab_up
postfix_up server
on router esmtpctl -f /etc/esmtp.conf
cat <<E

  client $client4 $client6   --   router   --   server $server4 $server6 (Postfix)

  on client nc $server4 25                talk to the server through the router
  on router esmtpctl list counters        what was found; "esmtpctl --help" has the rest
  on server tail -f /var/log/mail-server.log
  exit                                    ends the VM

E
exec bash --rcfile <(cat /job/tests/lib.sh; echo "PS1='vm# '") -i
