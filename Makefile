# SPDX-License-Identifier: GPL-2.0-only
# nf_conntrack_esmtp.ko and esmtpctl. "make help" lists the targets.

# The running kernel's headers, else the newest that are installed.
KDIR	?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	   $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -Vr))
PREFIX	?= /usr
DESTDIR	?=
MODULE	:= nf_conntrack_esmtp

Q	:= $(if $(filter 1,$(V)),,@)
quiet	:= $(if $(filter 1,$(V)),,-s)
# Not "make kernelrelease": Debian's headers answer that with the version of the source.
kver	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$(KDIR)/include/generated/utsrelease.h")
moddir	= $(DESTDIR)/lib/modules/$(kver)/extra

# Headers come without the vmlinux that BTF would be made from; kbuild says so at each build unless told not to try.
kbuild	= $(MAKE) $(quiet) -C "$(KDIR)" M="$(CURDIR)" \
	  $(if $(wildcard $(KDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=)

all: module tool

module: | kdir
	$(Q)+$(kbuild) modules

tool:
	$(Q)$(MAKE) $(quiet) -C userspace all PREFIX="$(PREFIX)"

kdir:
	$(if $(KDIR),,$(error no kernel headers: install linux-headers-$(shell dpkg --print-architecture), or name a \
		folder with KDIR=))

# userspace/ brings the tool, its manual pages and /etc/esmtp.conf, which is neither overwritten nor removed.
install: all
	$(Q)install -D -m 644 $(MODULE).ko "$(moddir)/$(MODULE).ko"
	$(Q)$(MAKE) $(quiet) -C userspace install PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)"
	$(Q)install -D -m 644 scripts/esmtp.service "$(DESTDIR)$(PREFIX)/lib/systemd/system/esmtp.service"
	$(if $(DESTDIR),,$(Q)depmod -a $(kver))

uninstall:
	$(Q)rm -f "$(moddir)/$(MODULE).ko" \
		"$(DESTDIR)$(PREFIX)/lib/systemd/system/esmtp.service"
	$(Q)$(MAKE) $(quiet) -C userspace uninstall PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)"
	$(if $(DESTDIR),,$(Q)depmod -a $(kver))

clean:
	$(Q)rm -rf .build
	$(Q)$(MAKE) $(quiet) -C userspace clean
	$(Q)$(MAKE) $(quiet) -C tests/unit clean
	$(Q)$(MAKE) $(quiet) -C tests/fuzz clean
	$(Q)$(MAKE) $(quiet) -C tests/bench clean
	$(if $(KDIR),$(Q)$(kbuild) clean)

setup:
	$(Q)scripts/setup

style:
	$(Q)scripts/style

unit:
	$(Q)$(MAKE) $(quiet) -C tests/unit check

build-all:
	$(Q)scripts/kbuild-all

vm: setup
	$(Q)scripts/vm-test $(if $(KERNEL),-k $(KERNEL)) $(TEST)

uml: setup
	$(Q)scripts/debug-test uml $(TEST)

check-debug: setup
	$(Q)scripts/debug-test debug $(TEST)

MINUTES	?= 10
soak: setup
	$(Q)MINUTES=$(MINUTES) scripts/vm-test -t $$(($(MINUTES) * 60 + 1200)) $(if $(KERNEL),-k $(KERNEL)) t_evade

# A crash leaves its input in tests/fuzz/build.
SECONDS	?= 60
fuzz: setup
	$(Q)$(MAKE) $(quiet) -C tests/fuzz run SECONDS=$(SECONDS)

coverage: setup
	$(Q)scripts/coverage engine
	$(Q)scripts/coverage module

# "make bench WRITE=1" makes what is found the new baseline.
WRITE	?=
bench: setup
	$(Q)$(MAKE) $(quiet) -C tests/bench check $(if $(WRITE),WRITE=1)
	$(Q)$(if $(WRITE),WRITE=1) scripts/vm-test -o .build/bench t_cost
	$(if $(WRITE),$(Q)cp .build/bench/router.baseline tests/bench/)

# Ends with the line "N passed, N failed".
check: setup
	$(Q)scripts/check

# Every kernel, with the user space and the nft of its suite: hours. KERNEL= takes one.
check-kernels: setup
	$(Q)scripts/check-kernels $(KERNEL)

demo: setup
	$(Q)scripts/vm-test $(if $(KERNEL),-k $(KERNEL)) --demo

shell: setup
	$(Q)scripts/vm-test $(if $(KERNEL),-k $(KERNEL)) --shell

help:
	@echo 'all        the module (module) and the command line tool (tool); KDIR= names the kernel headers'
	@echo 'install    into DESTDIR, PREFIX=$(PREFIX); uninstall takes it back'
	@echo 'clean'
	@echo 'setup      install what building and testing need (Debian, root)'
	@echo 'demo       what inspection does, shown in a virtual machine'
	@echo 'shell      the same machine with a prompt'
	@echo 'check      every test; parts of it:'
	@echo 'style      checkpatch and the rules of this tree'
	@echo 'unit       the engine under ASan and UBSan'
	@echo 'build-all  the module against every kernel, with sparse'
	@echo 'vm         tests in the virtual machine; TEST="t-lab ..." runs only these,'
	@echo '           KERNEL=7.3 boots another kernel'
	@echo 'check-kernels  the same tests on every kernel, or on KERNEL='
	@echo 'uml        tests in a debug kernel that runs as a program: memory, locks, failing allocations; TEST= as above'
	@echo 'check-debug  tests in a debug kernel under QEMU: two processors, preemption, sleeps; TEST= as above'
	@echo 'fuzz       engine, packet path, tables and language by libFuzzer, each for SECONDS=$(SECONDS)'
	@echo 'coverage   lines and branches that tests reach, by file: of the engine natively, of the module in a debug kernel'
	@echo 'bench      instructions against tests/bench/*.baseline; WRITE=1 writes these anew'
	@echo 'soak       random TCP evasions in the virtual machine for MINUTES=$(MINUTES); ESMTP_SEED=N repeats a run'

.PHONY: all module tool kdir install uninstall clean setup style unit build-all vm uml soak fuzz bench coverage
.PHONY: check check-kernels check-debug demo shell help
