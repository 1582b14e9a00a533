// SPDX-License-Identifier: GPL-2.0-only
/*
 * One schedule or more for each known way round an inspecting router. text.c has the language; what the server
 * has to have read stands behind READS, and without it only judge.c's rules hold.
 */
#include "evade.h"

#define SAY(text)	"stage \"" text "\"\n"
#define EARLY(text)	"stage early \"" text "\"\n"
#define OTHER(text)	" other \"" text "\""
#define READS(text)	"reads \"" text "\"\n"

#define HELLO		SAY("EHLO c.test\\r\\n")
#define BYE		SAY("QUIT\\r\\n")
#define ENVELOPE	SAY("MAIL FROM:<a@c.test>\\r\\n") SAY("RCPT TO:<b@s.test>\\r\\n")
#define DATA		ENVELOPE SAY("DATA\\r\\n")
#define TAIL		"line two\\r\\nXEXCH50 1 2\\r\\n.\\r\\n"
/* 14 + 2 + 10 bytes, then 10 + 13 + 3 */
#define MESSAGE		"Subject: mail\\r\\n\\r\\nline one\\r\\n" TAIL

#define READS_HELLO	READS("EHLO c.test\\r\\n")
#define READS_BYE	READS("QUIT\\r\\n")
#define READS_DATA	READS("MAIL FROM:<a@c.test>\\r\\nRCPT TO:<b@s.test>\\r\\nDATA\\r\\n")
#define READS_MAIL	READS_HELLO READS_DATA READS(MESSAGE) READS_BYE

/* A command that says one thing to the router and another to the server, if it can. */
#define TRUE_NOOP	SAY("NOOP abcdef\\r\\n")
#define EVIL		OTHER("STARTTLS\\r\\nXX\\n")
#define READS_TRUE	READS_HELLO READS("NOOP abcdef\\r\\n") READS_BYE

const struct fixed_case cases[] = {
	/* Repeats and overlaps. */
	{ "other bytes behind the true ones of a command do not reach the server",
	  HELLO TRUE_NOOP "seg 0 13\n" "seg 0 13" EVIL "\n" "seg 5 8" OTHER("\\r\\nEXPN\\r\\n") "\n" BYE READS_TRUE },
	{ "bytes of a command that came first are what the server reads, whatever the true ones are",
	  HELLO TRUE_NOOP "seg 0 13" EVIL " ttl\n" "seg 0 13\n" BYE
	  READS_HELLO READS("XXXXXXXX\\r\\nXX\\n") READS_BYE },
	{ "a command that overlaps with new bytes is overwritten as far as it was read",
	  HELLO SAY("NOOP abc\\r\\nNOOP def\\r\\n") "seg 0 10 ttl\n" "seg 4 16" OTHER("\\r\\nEX\\r\\nNOOP zzz\\r\\n") "\n" BYE
	  READS_HELLO READS("NOOP abc\\r\\nNOOP zzz\\r\\n") READS_BYE },
	{ "an edited command repeated in other pieces stays edited",
	  HELLO SAY("STARTTLS\\r\\nNOOP\\r\\nXEXCH50 1\\r\\n") "seg 0 16 ttl\n" "seg 5 5\n" "seg 3 9\n" "seg 0 1\n" "seg 7 20\n"
	  "seg 1 6\n" "seg 0 27\n" "seg 16 3\n" "seg 18 9\n" BYE
	  READS_HELLO READS("XXXXXXXX\\r\\nNOOP\\r\\nXXXXXXXXX\\r\\n") READS_BYE },
	{ "an edited EHLO reply repeated in other pieces stays edited",
	  "acks lossy\n" "window 536\n" HELLO SAY("EHLO again\\r\\n") SAY("EHLO thrice\\r\\n") SAY("EHLO and again\\r\\n") BYE },
	{ "other bytes in content close the connection, none is read",
	  "must-close\n" HELLO DATA SAY(MESSAGE) "seg 0 20 ttl\n" "seg 0 20" OTHER("Subject: evil\\r\\n\\r\\n...") "\n" BYE },
	{ "true bytes of content behind other ones that were lost close the connection",
	  "must-close\n" HELLO DATA SAY(MESSAGE) "seg 0 20" OTHER("Subject: evil\\r\\n\\r\\n...") " ttl\n" "seg 0 20\n" BYE },
	{ "new content in one segment with other bytes for old content closes the connection",
	  "must-close\n" HELLO DATA SAY(MESSAGE) "seg 0 10 ttl\n" "seg 5 30" OTHER("XXXXX ml\\r\\n\\r\\nline one\\r\\nline two") "\n" BYE },
	/* Tiny segments. */
	{ "commands in segments of one byte are read as whole lines",
	  HELLO "bytewise\n" SAY("STARTTLS\\r\\nNOOP\\r\\nxexch50 1 2\\r\\n") "bytewise\n" BYE "bytewise\n"
	  READS_HELLO READS("SXXXXXXX\\r\\nNOOP\\r\\nXXXXXXXXXXX\\r\\n") READS_BYE },
	{ "a mail in segments of one byte arrives",
	  HELLO DATA SAY(MESSAGE) "bytewise\n" BYE READS_MAIL },
	/* Order and holes. */
	{ "commands in segments from the last to the first are read in their order",
	  HELLO SAY("NOOP\\r\\nSTARTTLS\\r\\nNOOP a\\r\\n") "seg 16 8\n" "seg 10 6\n" "seg 6 4\n" "seg 3 3\n" "seg 0 3\n" BYE },
	{ "content in segments from the last to the first arrives",
	  HELLO DATA SAY(MESSAGE) "seg 49 4\n" "seg 40 9\n" "seg 27 13\n" "seg 12 15\n" "seg 5 7\n" "seg 0 5\n" BYE READS_MAIL },
	{ "content with a hole that is filled late arrives",
	  HELLO DATA SAY(MESSAGE) "seg 0 5\n" "seg 9 20\n" "seg 35 10\n" "pause 300\n" "seg 29 6\n" "pause 300\n" "seg 5 4\n" BYE READS_MAIL },
	{ "commands ahead of the end of a message are read as commands",
	  HELLO DATA SAY(MESSAGE "NOOP abc\\r\\nNOOP\\r\\n") "seg 53 10\n" "seg 48 21\n" "seg 20 49\n" "seg 0 20\n" BYE
	  READS_HELLO READS_DATA READS(MESSAGE "NOOP abc\\r\\nNOOP\\r\\n") READS_BYE },
	{ "a masked command ahead of the end of a message closes the connection, the server does not read it",
	  "must-close\n" HELLO DATA SAY(MESSAGE "STARTTLS\\r\\nNOOP\\r\\n") "seg 53 10\n" "seg 0 53\n" BYE },
	{ "content ahead of the answer to DATA arrives behind it",
	  HELLO ENVELOPE SAY("DATA\\r\\n" MESSAGE) "seg 6 53\n" "seg 0 59\n" BYE READS_MAIL },
	{ "other bytes in an early piece of content close the connection or are not read",
	  "may-close\n" HELLO DATA SAY(MESSAGE) "seg 10 20\n" "seg 10 20" OTHER("evil\\r\\n.\\r\\nSTARTTLS\\r\\n-") "\n" "seg 0 10\n" BYE },
	/* What the server throws away. */
	{ "a segment with a wrong checksum is as if it had not been sent",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 13" EVIL " sum\n" "seg 0 13\n"
	  DATA SAY(MESSAGE) "seg 0 20" OTHER("Subject: evil\\r\\n\\r\\n...") " sum\n" "seg 0 20\n" BYE
	  READS_HELLO READS("NOOP abcdef\\r\\n") READS_DATA READS(MESSAGE) READS_BYE },
	{ "a segment with an old timestamp is as if it had not been sent",
	  "must-end\n" "timestamps\n" HELLO TRUE_NOOP "seg 0 13" EVIL " old-timestamp\n" "seg 0 13\n"
	  DATA SAY(MESSAGE) "seg 0 20" OTHER("Subject: evil\\r\\n\\r\\n...") " old-timestamp\n" "seg 0 20\n" BYE
	  READS_HELLO READS("NOOP abcdef\\r\\n") READS_DATA READS(MESSAGE) READS_BYE },
	{ "a segment without the timestamp that was agreed on is as if it had not been sent",
	  "must-end\n" "timestamps\n" HELLO TRUE_NOOP "seg 0 13" EVIL " no-timestamp\n" "seg 0 13\n" BYE READS_TRUE },
	{ "a segment with an MD5 option is what the server reads, if it reads it",
	  "may-close\n" HELLO TRUE_NOOP "seg 0 13" OTHER("NOOP zzzzzz\\r\\n") " md5\n" "seg 0 13\n"
	  SAY("STARTTLS\\r\\n") "seg 0 10 md5\n" BYE },
	{ "a segment without the ACK flag is as if it had not been sent",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 13" EVIL " no-ack\n" "seg 0 13\n" BYE READS_TRUE },
	{ "segments outside of the window are as if they had not been sent",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 13" EVIL " shift 300000\n" "seg 0 13" EVIL " shift -300000\n"
	  "seg 0 13" EVIL " shift 1073741824\n" "seg 0 13" EVIL " shift -2147483648\n" "seg 0 13\n" BYE READS_TRUE },
	{ "a segment that acknowledges what was never sent is as if it had not been sent",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 13" EVIL " ack 50000\n" "seg 0 13" EVIL " ack 1000000000\n" "seg 0 13\n" BYE READS_TRUE },
	{ "an acknowledgement of what was never sent frees no copy",
	  "acks lossy\n" "window 536\n" HELLO "seg 0 0 ack 50000\n" "seg 0 13\n" "seg 0 0 ack 2000\n" "seg 0 0 ack 300\n"
	  SAY("EHLO again\\r\\n") "seg 0 0 ack 5000\n" "seg 0 12\n" "seg 0 0 ack 300\n" BYE },
	/* Flags. */
	{ "urgent bytes are read in their place and inspected",
	  HELLO SAY("STARTTLS\\r\\nNOOP abc\\r\\n") "seg 0 1 urg\n" "seg 1 4 urg\n" "seg 0 20 urg\n" DATA SAY(MESSAGE) "seg 0 53 urg\n" BYE },
	{ "a RST with a wrong number changes nothing",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 0 rst shift 300000\n" "seg 0 0 rst shift -300\n" "seg 0 0 rst shift -1\n" "seg 0 13\n"
	  SAY("STARTTLS\\r\\n") BYE READS_HELLO READS("NOOP abcdef\\r\\nXXXXXXXX\\r\\n") READS_BYE },
	{ "bytes on a RST are not read",
	  "may-close\n" HELLO SAY("STARTTLS\\r\\n") "seg 0 10 rst shift 200\n" "seg 0 10 rst shift 1\n" "seg 0 10 rst\n" BYE },
	{ "a FIN outside of the window changes nothing",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 0 fin shift 300000\n" "seg 0 13" EVIL " fin shift -300000\n" "seg 0 13\n" BYE READS_TRUE },
	{ "bytes behind a FIN are not read",
	  "may-close\n" HELLO SAY("NOOP ab\\r\\nSTARTTLS\\r\\n") "seg 0 9 fin\n" "seg 9 10\n" "seg 10 9\n" BYE
	  READS_HELLO READS("NOOP ab\\r\\n") },
	{ "a FIN ahead of a hole waits",
	  "fin-last\n" HELLO SAY("NOOP a\\r\\n") SAY("QUIT\\r\\n") "seg 3 3\n" "pause 30\n" "seg 0 3\n"
	  READS_HELLO READS("NOOP a\\r\\n") READS_BYE },
	{ "a SYN inside of a connection changes nothing",
	  "must-end\n" HELLO TRUE_NOOP "seg 0 0 syn\n" "seg 0 13" EVIL " syn shift 40000\n" "seg 0 13\n" SAY("STARTTLS\\r\\n") "seg 0 0 syn shift 300000\n"
	  BYE READS_HELLO READS("NOOP abcdef\\r\\nXXXXXXXX\\r\\n") READS_BYE },
	/* Windows and numbers. */
	{ "closed windows, probes and keep-alives: a mail arrives",
	  "slow\n" "window 100\n" HELLO "seg 0 0 closed-window\n" "pause 100\n" "seg 0 13\n" SAY("STARTTLS\\r\\n") "seg 0 0 shift -1\n"
	  "seg 0 0 closed-window\n" "pause 250\n" DATA
	  SAY("Subject: x\\r\\n\\r\\n"
	      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\\r\\n"
	      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\\r\\n"
	      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\\r\\n"
	      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\\r\\n"
	      "STARTTLS\\r\\n.\\r\\n") "bytewise\n" "seg 0 0 shift -1\n" BYE },
	{ "sequence numbers that wrap: a mail arrives and commands are edited",
	  "isn 4294967265\n" HELLO SAY("STARTTLS\\r\\n") "seg 0 10 ttl\n" "seg 4 6\n" DATA SAY(MESSAGE) "seg 0 20\n" "seg 40 13\n" "seg 10 35\n" BYE
	  READS_HELLO READS("XXXXXXXX\\r\\n") READS_DATA READS(MESSAGE) READS_BYE },
};

const u32 n_cases = ARRAY_LEN(cases);
