# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of esmtpctl for bash.

_esmtpctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word words=() i

	if [[ $prev == @(-f|--file|-cf|-pf) ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == -* ]] || words+=("$word")
	done
	case ${words[*]} in
	'') word='list reset add delete flush metrics check monitor unload' ;;
	list) word='ruleset counters policies classes sessions exempt' ;;
	reset) word='counters' ;;
	flush) word='ruleset' ;;
	add | delete) word='exempt' ;;
	*) word='' ;;
	esac
	[[ $cur != -* ]] || word='--file --check --print --json --all --absolute --time --help --version'
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
}
complete -o filenames -F _esmtpctl esmtpctl
