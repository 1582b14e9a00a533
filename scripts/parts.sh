# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by what runs many tests: they are run in parts, and virtual machines beside one another; results are added up.
#
# A part reports by "ok" and "not ok" lines, or by a last line "N passed, N failed" of its own. One that ends with an
# error has at least one failure; one that reports nothing could not run, and that is a failure too.

passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $(jobs -p) 2>/dev/null' EXIT
log=$work/log failures=$work/failures
: >"$failures"
# Of each machine: what it is called, the kernel it boots, its tests and its process; what it says is in $work/NUMBER.
machine_name=() machine_kernel=() machine_tests=() machine_pid=()

# part NAME COMMAND...
part()
{
	local name=$1 start=$SECONDS
	shift
	echo "== $name"
	"$@" 2>&1 </dev/null | tee "$log"
	account "$name" "${PIPESTATUS[0]}" "$start"
}

# failure_lines: each failure in the log, with the last lines of its reason
failure_lines()
{
	awk 'function flush(   i) { for (i = n > 12 ? n - 12 : 0; i < n; i++) print reason[i]; n = 0 }
	     /^not ok /  { flush(); print; on = 1; next }
	     /^(ok|#|==|[0-9]+ passed,)/ { flush(); on = 0 }
	     on          { reason[n++] = $0 }
	     END         { flush() }' "$log" | cut -c 1-240 | head -n 40
}

# account NAME EXIT-CODE START: what stands in the log is a part's
account()
{
	local name=$1 code=$2 start=$3 p f last
	# A run that was cut off (124 and above) did not get to its last line: one in the log is not about the whole.
	last=''
	[ "$code" -ge 124 ] || last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	if [ -n "$last" ]; then
		read -r p _ f _ <<<"$last"
	else
		p=$(grep -c '^ok ' "$log")
		f=$(grep -c '^not ok ' "$log")
	fi
	if [ $((p + f)) = 0 ]; then
		echo "not ok $name: no result (exit code $code)" | tee -a "$log"
		f=1
	elif [ "$code" != 0 ] && { [ "$f" = 0 ] || [ "$code" -ge 124 ]; }; then
		# What was cut off has failed whatever else did: some of its tests were not run.
		echo "not ok $name: exit code $code" | tee -a "$log"
		f=$((f + 1))
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	[ "$f" = 0 ] || { echo "== $name"; failure_lines; } >>"$failures"
	echo "== $name: $p passed, $f failed, $((SECONDS - start)) s"
}

# machine_start NAME KERNEL TEST...: in a virtual machine with that kernel, '' = the host's; machines_end waits for it
machine_start()
{
	local i=${#machine_pid[@]} name=$1 kernel=$2
	shift 2
	"$here/vm-test" ${kernel:+-k "$kernel"} "${@##*/}" >"$work/$i" 2>&1 </dev/null &
	machine_pid+=($!)
	machine_name+=("$name")
	machine_kernel+=("$kernel")
	machine_tests+=("${*##*/}")
}

# machines_start KERNEL N: all tests in the virtual machine: N machines share them, and those that measure on the
# instruction clock have one with that clock. They wait more than they work, so there may be more than processors.
machines_start()
{
	local kernel=$1 n=$2 tests share i k
	mapfile -t tests < <(grep -L "$on_clock" tests/vm/t-*.sh tests/vm/t_*.py)
	for ((i = 0; i < n; i++)); do
		share=()
		for ((k = i; k < ${#tests[@]}; k += n)); do
			share+=("${tests[k]}")
		done
		machine_start "${kernel:+$kernel, }virtual machine $((i + 1)) of $n" "$kernel" "${share[@]}"
	done
	mapfile -t tests < <(grep -l "$on_clock" tests/vm/t-*.sh tests/vm/t_*.py)
	machine_start "${kernel:+$kernel, }virtual machine with instruction clock" "$kernel" "${tests[@]}"
}

# failed_tests FILE: "TEST PASSED FAILED" of each file of tests in a machine's output that failed, but for those after
# which the kernel's log was not clean. What is said behind the last of them (memory leaks) is about no file.
failed_tests()
{
	awk '/^# t[-_][^ ]*$/ { t = $2 }
	     /^# t[-_][^ ]*: / { t = "" }
	     /^ok /           { good[t]++ }
	     /^not ok /       { bad[t]++ }
	     /^not ok .*: kernel log/ { final[t] = 1 }
	     END { for (t in bad) if (t && !(t in final)) print t, good[t] + 0, bad[t] }' "$1"
}

# machines_end: waits for the machines and reports each as a part
machines_end()
{
	local i code
	for i in "${!machine_pid[@]}"; do
		code=0
		wait "${machine_pid[i]}" || code=$?
		echo "== ${machine_name[i]}"
		tee "$log" <"$work/$i"
		account "${machine_name[i]}" "$code" 0
	done
	for i in "${!machine_pid[@]}"; do
		once_more "$i"
	done
	machine_pid=() machine_name=() machine_kernel=() machine_tests=()
}

# once_more MACHINE: a host that is busy, or stands still for a while, makes tests fail that wait for an answer. A few that
# failed have one more try, alone, and its results count; so has a machine that did not come to its first test, for it has
# said nothing of us. What failed first is said all the same.
once_more()
{
	local again names=() seeded=() line t p f seed
	if ! grep -q '^# t[-_]' "$work/$1"; then
		failed=$((failed - 1))
		read -ra names <<<"${machine_tests[$1]}"
		try_again "$1" "did not come to its first test"
		return
	fi
	mapfile -t again < <(failed_tests "$work/$1")
	[ ${#again[@]} -gt 0 ] && [ ${#again[@]} -le 3 ] || return 0
	for line in "${again[@]}"; do
		read -r t p f <<<"$line"
		seed=$(seed_of "$work/$1" "$t")
		if [ -n "$seed" ]; then
			seeded+=("$t=$seed")
		else
			names+=("$t")
		fi
		passed=$((passed - p))
		failed=$((failed - f))
	done
	[ ${#names[@]} = 0 ] || try_again "$1" "failed beside others"
	for t in "${seeded[@]}"; do
		names=("${t%=*}")
		ESMTP_SEED=${t#*=} try_again "$1" "failed beside others"
	done
}

# seed_of FILE TEST: the seed that a test of chance has printed. What it has found by that it finds again.
seed_of()
{
	awk -v t="# $2" '$0 == t     { on = 1; next }
	                 /^# t[-_]/  { on = 0 }
	                 on && sub(/^# ESMTP_SEED=/, "") { print; exit }' "$1"
}

# try_again MACHINE WHY: once_more's names
try_again()
{
	echo "== $2, once more alone: ${names[*]}" | tee -a "$failures"
	part "${machine_name[$1]}, once more" "$here/vm-test" ${machine_kernel[$1]:+-k "${machine_kernel[$1]}"} "${names[@]}"
}

# verdict: failures once more where nobody has to look for them, then the last line, "N passed, N failed"
verdict()
{
	sed 's/^not ok/failed:/' "$failures"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
