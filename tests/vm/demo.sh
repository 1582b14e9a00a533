#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the VM, for a person: mail without inspection and with it, side by side. See demo.py.
cd /job/tests || exit 1
. ./lib.sh
. ./prepare.sh
prepare || exit 1
exec python3 demo.py
