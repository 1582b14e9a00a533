#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the VM: the main job, shown. demo.py has the show.
cd /job/tests || exit 1
. ./lib.sh
. ./prepare.sh
echo "Starting a client, a router and a Postfix behind it ..."
prepare && lab_up && postfix_up server || exit 1
exec python3 demo.py
