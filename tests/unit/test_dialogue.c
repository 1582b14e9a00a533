// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole dialogues, each uncut with the exact bytes that pass, then cut at every
 * position, in single bytes and at random: the outcome must be the same.
 */
#include "harness.h"

#define STEPS_MAX 40

/**
 * struct dialogue - one test
 * @name: of the test
 * @flags: of the policy, 0 = those of the default
 * @verbs: allowed besides ASA's
 * @steps: what the two sides send
 * @client: what of the client passes, NULL = all, unaltered
 * @server: the same of the server
 * @events: see harness_events()
 * @verdict: how it ends
 * @latched: a verdict waits at the end
 */
struct dialogue {
	const char *name;
	u32 flags;
	u64 verbs;
	struct step steps[STEPS_MAX];
	const char *client;
	const char *server;
	const char *events;
	enum esmtp_verdict verdict;
	enum esmtp_verdict latched;
};

#define BIT(v) (1ull << (v))
#define GREETING S("220 mx.example.org ESMTP\r\n")
#define GREETED "220 ********************\r\n"
#define F_DEFAULT (ESMTP_POLICY_F_MASK_BANNER | ESMTP_POLICY_F_BLANK_BRACKETS)

static const struct dialogue dialogues[] = {
	{
		.name = "plain mail",
		.steps = {
			S("220 2mail0 0 x 20 y\r\n"),
			C("HELO a.example\r\n"), S("250 mx\r\n"),
			C("MAIL FROM:<a@example.org>\r\n"), S("250 ok\r\n"),
			C("RCPT TO:<b@example.org>\r\n"), S("250 ok\r\n"),
			C("DATA\r\n"), S("354 go\r\n"),
			C("Subject: STARTTLS\r\n\r\nXFOO | <>\r\n..\r\n.\r\n"),
			S("250 queued\r\n"),
			C("QUIT\r\n"), S("221 bye\r\n"),
		},
		.server = "220 2****0 0 **20 *\r\n250 mx\r\n250 ok\r\n250 ok\r\n"
			  "354 go\r\n250 queued\r\n221 bye\r\n",
		.events = "banner",
	}, {
		.name = "greeting that says no",
		.steps = {
			S("554-go away\r\n554 you are listed 220 x\r\n"),
			C("QUIT\r\n"), S("221 bye\r\n"),
		},
		.events = "",
	}, {
		.name = "greeting of many lines",
		.steps = {
			S("220-This is mx20 0 x\r\n220-\r\n"),
			S("220 Postfix  0  \r\n"),
			C("NOOP\r\n"), S("220 not the greeting\r\n"),
		},
		.server = "220-**********20 0 *\r\n220-\r\n220 *********0 *\r\n"
			  "220 not the greeting\r\n",
		.events = "banner",
	}, {
		.name = "greeting with nothing to mask in its first line",
		.steps = { S("220-20 \r\n220-x\r\n220 y\r\n") },
		.server = "220-20 \r\n220-*\r\n220 *\r\n",
		.events = "banner",
	}, {
		.name = "greeting without text",
		.steps = { S("220 20 02\r\n"), C("QUIT\r\n"), S("221\r\n") },
		.events = "",
	}, {
		.name = "greeting without mask",
		.flags = ESMTP_POLICY_F_BLANK_BRACKETS,
		.steps = { GREETING, C("QUIT\r\n"), S("221 bye\r\n") },
		.events = "",
	}, {
		.name = "early talk",
		.steps = {
			S("220-wait\r\n"), C("HELO bot\r\nMAIL FROM:<>\r\n"),
			S("220 now\r\n250 hi\r\n250 ok\r\n"),
			C("QUIT\r\n"), S("221 bye\r\n"),
		},
		.server = "220-****\r\n220 ***\r\n250 hi\r\n250 ok\r\n221 bye\r\n",
		.events = "banner early-talk",
	}, {
		.name = "masked keywords",
		.steps = {
			GREETING, C("EHLO a\r\n"),
			S("250-mx.example.org greets STARTTLS\r\n"
			  "250-PIPELINING\r\n250-size 10240000\r\n250-VRFY\r\n"
			  "250-ETRN\r\n250-starttls\r\n250-AUTH LOGIN PLAIN\r\n"
			  "250-AUTH=LOGIN PLAIN\r\n250-ENHANCEDSTATUSCODES\r\n"
			  "250-SIZES 5\r\n250-8BITMIME\r\n250-X\r\n250-\r\n"
			  "250-DSN RET\r\n250-SIZE=5\r\n250 CHUNKING\r\n"),
			C("NOOP\r\n"), S("250-STARTTLS\r\n250 STARTTLS\r\n"),
			C("EHLO b\r\n"), S("250-mx\r\n250 HELP\r\n"),
		},
		.server = GREETED
			  "250-mx.example.org greets STARTTLS\r\n"
			  "250-PIPELINING\r\n250-size 10240000\r\n250-VRFY\r\n"
			  "250-ETRN\r\n250-XXXXXXXA\r\n250-AUTH LOGIN PLAIN\r\n"
			  "250-AUTH=LOGIN PLAIN\r\n250-ENHANCEDSTATUSCODES\r\n"
			  "250-XXXXXXB\r\n250-8BITMIME\r\n250-C\r\n250-\r\n"
			  "250-DSN RET\r\n250-XXXXXD\r\n250 XXXXXXXE\r\n"
			  "250-STARTTLS\r\n250 STARTTLS\r\n"
			  "250-mx\r\n250 XXXA\r\n",
		.events = "banner rule#6(starttls) rule#6(SIZES) rule#6(X) "
			  "rule#6(SIZE=5) rule#6(CHUNKING) rule#6(HELP)",
	}, {
		.name = "keywords of a refused EHLO, and of HELO",
		.steps = {
			GREETING, C("EHLO a\r\n"),
			S("502-no\r\n502 STARTTLS\r\n"),
			C("HELO a\r\n"), S("250-mx\r\n250 STARTTLS\r\n"),
		},
		.server = GREETED "502-no\r\n502 STARTTLS\r\n"
			  "250-mx\r\n250 STARTTLS\r\n",
		.events = "banner",
	}, {
		.name = "masked keywords with odd ends",
		.steps = {
			S("220\r\n"), C("EHLO a\r\n"),
			S("250-mx\r\n250-F=O\r\n250-FOO\r\r\n250-BAR x\r\r\n250-FOO\n250 BAR\r y\r\n"),
		},
		.server = "220\r\n250-mx\r\n250-XXA\r\n250-XXB\r\r\n250-XXXXC\r\r\n250-XXD\n250 XXE\rXE\r\n",
		.events = "rule#6(F=O) rule#6(FOO) rule#6(BAR) bare-lf rule#6(FOO) rule#6(BAR)",
	}, {
		.name = "more masked keywords than letters",
		.steps = {
			GREETING, C("EHLO a\r\n"),
			S("250-mx\r\n250-XA\r\n250-XB\r\n250-XC\r\n250-XD\r\n"
			  "250-XE\r\n250-XF\r\n250-XG\r\n250-XH\r\n250-XI\r\n"
			  "250-XJ\r\n250-XK\r\n250-XL\r\n250-XM\r\n250-XN\r\n"
			  "250-XO\r\n250-XP\r\n250-XQ\r\n250-XR\r\n250-XS\r\n"
			  "250-XT\r\n250-XU\r\n250-XV\r\n250-XW\r\n250-XX\r\n"
			  "250-XY\r\n250-XZ\r\n250-X1\r\n250 X2 parameter\r\n"),
		},
		.server = GREETED
			  "250-mx\r\n250-XA\r\n250-XB\r\n250-XC\r\n250-XD\r\n"
			  "250-XE\r\n250-XF\r\n250-XG\r\n250-XH\r\n250-XI\r\n"
			  "250-XJ\r\n250-XK\r\n250-XL\r\n250-XM\r\n250-XN\r\n"
			  "250-XO\r\n250-XP\r\n250-XQ\r\n250-XR\r\n250-XS\r\n"
			  "250-XT\r\n250-XU\r\n250-XV\r\n250-XW\r\n250-XX\r\n"
			  "250-XY\r\n250-XZ\r\n250-XA\r\n250 XXXXXXXXXXXB\r\n",
		.events = "banner rule#6(XA) rule#6(XB) rule#6(XC) rule#6(XD) "
			  "rule#6(XE) rule#6(XF) rule#6(XG) rule#6(XH) "
			  "rule#6(XI) rule#6(XJ) rule#6(XK) rule#6(XL) "
			  "rule#6(XM) rule#6(XN) rule#6(XO) rule#6(XP) "
			  "rule#6(XQ) rule#6(XR) rule#6(XS) rule#6(XT) "
			  "rule#6(XU) rule#6(XV) rule#6(XW) rule#6(XX) "
			  "rule#6(XY) rule#6(XZ) rule#6(X1) rule#6(X2)",
	}, {
		.name = "pipelined",
		.steps = {
			GREETING, C("EHLO a\r\n"), S("250-mx\r\n250 PIPELINING\r\n"),
			C("MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c@c>\r\n"
			  "DATA\r\n"),
			S("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"),
			C("\r\nEXPN\r\n.\r\nRSET\r\nEXPN x\r\nQUIT\r\n"),
			S("250 queued\r\n250 ok\r\n500 what\r\n221 bye\r\n"),
		},
		.client = "EHLO a\r\n"
			  "MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c@c>\r\n"
			  "DATA\r\n\r\nEXPN\r\n.\r\nRSET\r\nXXXXXX\r\nQUIT\r\n",
		.server = GREETED "250-mx\r\n250 PIPELINING\r\n"
			  "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"
			  "250 queued\r\n250 ok\r\n500 what\r\n221 bye\r\n",
		.events = "banner masked(EXPN)",
	}, {
		.name = "content before its answer",
		.steps = {
			S("220\r\n"), C("DATA\r\nXFOO\r\n.\r\nXBAR\r\n"),
			C("NOOP\r\n"), S("35"), C("HELP\r\n"), S("4 go\r\n"),
			S("250 ok\r\n500 what\r\n250 ok\r\n214 help\r\n"),
		},
		.client = "DATA\r\nXFOO\r\n.\r\nXXXX\r\nNOOP\r\nHELP\r\n",
		.events = "early-content masked(XBAR)",
	}, {
		.name = "refused DATA",
		.steps = {
			S("220\r\n"), C("DATA\r\nXFOO\r\n.\r\n"),
			S("503 no\r\n"), S("500 what\r\n500 what\r\n"),
			C("DATA\r\n"), S("354 go\r\n"), C("XFOO\r\n.\r\n"),
			S("250 ok\r\n"),
		},
		.client = "DATA\r\nXXXX\r\nX\r\nDATA\r\nXFOO\r\n.\r\n",
		.events = "early-content masked(XFOO) masked(.) verb-length(.)",
	}, {
		.name = "AUTH PLAIN",
		.steps = {
			S("220\r\n"), C("AUTH PLAIN\r\n"), S("334 \r\n"),
			C("RATA\r\n"), S("235 ok\r\n"),
			C("RATA\r\n"), S("500 what\r\n"),
		},
		.client = "AUTH PLAIN\r\nRATA\r\nXXXX\r\n",
		.events = "masked(RATA)",
	}, {
		.name = "AUTH LOGIN",
		.steps = {
			S("220\r\n"), C("AUTH LOGIN\r\n"), S("334 VXNlcm5hbWU6\r\n"),
			C("dXNlcg==\r\n"), S("334-more\r\n334 UGFzc3dvcmQ6\r\n"),
			C("cGFzcw==\r\nNOOP\r\n"), S("235 ok\r\n"),
			S("250 ok\r\n"),
		},
		.events = "",
	}, {
		.name = "AUTH given up",
		.steps = {
			S("220\r\n"), C("AUTH LOGIN\r\n"), S("334 VXNlcm5hbWU6\r\n"),
			C("*\r\n"), S("501 as you like\r\n"), C("*\r\n"),
			S("500 what\r\n"), C("NOOP\r\nEXPN\r\n"),
			S("250 ok\r\n500 what\r\n"),
		},
		.client = "AUTH LOGIN\r\n*\r\nX\r\nNOOP\r\nXXXX\r\n",
		/* what comes behind a failed AUTH is named nowhere */
		.events = "masked verb-length masked(EXPN)",
	}, {
		.name = "AUTH lines before their answers",
		.steps = {
			S("220\r\n"), C("AUTH LOGIN\r\ndXNlcg==\r\ncGFzcw==\r\n"),
			S("535 no\r\n"), S("500 a\r\n500 b\r\n"),
		},
		.client = "AUTH LOGIN\r\nXXXXXXXX\r\nXXXXXXXX\r\n",
		.events = "masked verb-length masked verb-length",
	}, {
		.name = "STARTTLS",
		.steps = {
			S("220\r\n"), C("STARTTLS\r\n"), S("500 what\r\n"),
			C("starttls now\r\nNOOP\r\n"), S("500 what\r\n250 ok\r\n"),
		},
		.client = "XXXXXXXX\r\nXXXXXXXXXXXX\r\nNOOP\r\n",
		.events = "masked(STARTTLS) masked(starttls)",
	}, {
		.name = "STARTTLS letter by letter",
		.steps = {
			S("220\r\n"), C("S"), C("T"), C("A"), C("R"), C("T"),
			C("T"), C("L"), C("S"), C("\r"), C("\n"),
			S("500 what\r\n"),
		},
		.client = "SXXXXXXX\r\n",
		.events = "masked(STARTTLS)",
	}, {
		.name = "EHLO letter by letter",
		.steps = {
			S("220\r\n"), C("e"), C("H"), C("l"), C("O"), C(" "),
			C("x"), C("\r"), C("\n"), S("250 mx\r\n"),
		},
		.events = "",
	}, {
		.name = "verbs that are none",
		.steps = {
			S("220\r\n"),
			C("zZAa bar\r\nDATAX\r\nDAT\r\n NOOP\r\n\r\nDATA:\r\n"
			  "no op\r\nEHLO\tx\r\nXCLIENT A=B\r\nB4ME\r\n"),
			S("500 1\r\n500 2\r\n500 3\r\n500 4\r\n500 5\r\n500 6\r\n"
			  "500 7\r\n250 8\r\n500 9\r\n500 10\r\n"),
		},
		.client = "XXXXXXXX\r\nXXXXX\r\nXXX\r\nXXXXX\r\n\r\nXXXXX\r\n"
			  "XXXXX\r\nEHLO\tx\r\nXXXXXXXXXXX\r\nXXXX\r\n",
		.events = "masked(zZAa) masked(DATAX) verb-length(DATAX) "
			  "masked(DAT) verb-length(DAT) masked verb-length "
			  "masked(DATA:) verb-length(DATA:) "
			  "masked(no) verb-length(no) masked(XCLIENT) "
			  "verb-length(XCLIENT) masked(B4ME) verb-length(B4ME)",
	}, {
		.name = "line ends",
		.steps = {
			S("220\r\n"), C("NOOP\nNOOP\r \r\nNO\rOP\r\nXFOO\n\n\r\r\n"),
			S("250 1\n250 2\r\n500 3\r\n500 4\n500 5\r\n500 6\r\n"),
		},
		.client = "NOOP\nNOOP\r \r\nXX\rXX\r\nXXXX\n\n\r\r\n",
		.events = "bare-lf(NOOP) bare-cr(NOOP) masked(NO) "
			  "verb-length(NO) bare-cr(NO) bare-lf(XFOO) masked(XFOO) "
			  "bare-lf bare-cr masked verb-length bare-lf bare-lf",
	}, {
		.name = "two mails in one connection",
		.steps = {
			S("220\r\n"), C("HELO a\r\n"), S("250 mx\r\n"),
			C("MAIL FROM:<a@a>\r\n"), S("250 ok\r\n"),
			C("RCPT TO:<b@b>\r\n"), S("250 ok\r\n"),
			C("DATA\r\n"), S("354 go\r\n"), C("XONE\r\n.\r\n"),
			S("250 queued\r\n"),
			C("MAIL FROM:<a@a>\r\n"), S("250 ok\r\n"),
			C("RCPT TO:<b@b>\r\n"), S("250 ok\r\n"),
			C("DATA\r\n"), S("354 go\r\n"),
			C("XTWO\r\n\r\nx\r\n.\r\nQUIT\r\n"),
			S("250 queued\r\n221 bye\r\n"),
		},
		.events = "",
	}, {
		.name = "RSET",
		.steps = {
			S("220\r\n"), C("MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\n"),
			S("250 ok\r\n250 ok\r\n"), C("rset\r\n"), S("250 ok\r\n"),
			C("DATA\r\n"), S("503 no\r\n"), C("QUIT\r\n"),
			S("221 bye\r\n"),
		},
		.events = "",
	}, {
		.name = "a pipe in a recipient",
		.steps = {
			S("220\r\n"), C("MAIL FROM:<a@a>\r\n"), S("250 ok\r\n"),
			C("NOOP\r\nRCPT TO:<|/bin/sh>\r\nQUIT\r\n"),
			S("250 ok\r\n"),
		},
		.client = "MAIL FROM:<a@a>\r\nNOOP\r\n",
		.events = "pipe(RCPT)",
		.verdict = ESMTP_CLOSE_RESET,
		.latched = ESMTP_CLOSE_RESET,
	}, {
		.name = "a pipe with nothing owed",
		.steps = {
			S("220\r\n"), C("MAIL SIZE=|\r\n"), S("250 never seen\r\n"),
		},
		.client = "", .server = "220\r\n",
		.events = "pipe(MAIL)",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "a pipe elsewhere",
		.steps = {
			S("220\r\n"), C("NOOP |\r\nHELO |\r\n"),
			S("250 ok\r\n250 |\r\n"),
		},
		.events = "",
	}, {
		.name = "closing waits for the replies owed",
		.steps = {
			S("220\r\n"),
			C("MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c|d>\r\n"),
			S("250 ok\r\n2"), S("50-a\r\n250 b\r\n250 never seen\r\n"),
		},
		.client = "MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\n",
		.server = "220\r\n250 ok\r\n250-a\r\n250 b\r\n",
		.events = "pipe(RCPT)",
		.verdict = ESMTP_CLOSE_RESET,
		.latched = ESMTP_CLOSE_RESET,
	}, {
		.name = "closing while a reply is still owed",
		.steps = {
			S("220\r\n"), C("NOOP\r\nNOOP\r\nMAIL FROM:<|>\r\n"),
			C("NOOP\r\n"), S("250 ok\r\n"), C("NOOP\r\n"),
		},
		.client = "NOOP\r\nNOOP\r\n",
		.events = "pipe(MAIL)",
		.latched = ESMTP_CLOSE_RESET,
	}, {
		.name = "brackets",
		.steps = {
			S("220\r\n"),
			C("MAIL FROM:<<a@a>> SIZE=5 AUTH=<>\r\n"
			  "MAIL FROM: <a@a>\r\nMAIL FROM:a<b>@c\r\n"
			  "mail from:<\"a<b\\\">\"@c>x> Y=>\r\n"
			  "MAIL From:\"a<\\\"b\"@c>\r\nMAIL FROM:Bob <b@b> <>\r\n"
			  "RCPT TO:>a@b<\r\nRCPT <a@b>\r\nRCPT TO:a@b X=<>\r\n"
			  "RCPT TO:<@a,@b:c@d>\r\nMAIL FROM:<>\r\nMAIL >\r\n"
			  "VRFY <<a>>\r\n"),
			S("250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n250 6\r\n"
			  "250 7\r\n250 8\r\n250 9\r\n250 10\r\n250 11\r\n"
			  "250 12\r\n250 13\r\n"),
		},
		.client = "MAIL FROM:< a@a>  SIZE=5 AUTH=<>\r\n"
			  "MAIL FROM: <a@a>\r\nMAIL FROM:a b @c\r\n"
			  "mail from:<\"a<b\\\">\"@c>x  Y=>\r\n"
			  "MAIL From:\"a<\\\"b\"@c \r\nMAIL FROM:Bob <b@b> <>\r\n"
			  "RCPT TO: a@b \r\nRCPT <a@b>\r\nRCPT TO:a@b X=<>\r\n"
			  "RCPT TO:<@a,@b:c@d>\r\nMAIL FROM:<>\r\nMAIL  \r\n"
			  "VRFY <<a>>\r\n",
		.events = "bracket(MAIL) bracket(MAIL) bracket(MAIL) "
			  "bracket(MAIL) bracket(mail) bracket(MAIL) "
			  "bracket(RCPT) bracket(RCPT) bracket(MAIL)",
	}, {
		.name = "brackets left alone",
		.flags = ESMTP_POLICY_F_MASK_BANNER,
		.steps = {
			S("220\r\n"), C("MAIL FROM:<<a@a>>\r\n"), S("250 1\r\n"),
		},
		.events = "",
	}, {
		.name = "354 to a command that is X-ed",
		.steps = {
			S("220\r\n"), C("DATAXX\r\n"), S("354 go\r\n"),
			C("HELP\r\n"),
		},
		.client = "XXXXXX\r\n", .server = "220\r\n",
		.events = "masked(DATAXX) verb-length(DATAXX) bypass:354",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "220 to a STARTTLS that is X-ed",
		.steps = {
			S("220\r\n"), C("STARTTLS\r\n"), S("220-go\r\n220 on\r\n"),
		},
		.client = "XXXXXXXX\r\n", .server = "220\r\n",
		.events = "masked(STARTTLS) bypass:220",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "250 to a command that is X-ed",
		.steps = {
			S("220\r\n"), C("NOOP\r\nEXPN root\r\n"),
			S("250 ok\r\n250 root\r\n"),
		},
		.client = "NOOP\r\nXXXXXXXXX\r\n", .server = "220\r\n250 ok\r\n",
		.events = "masked(EXPN) bypass:250",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "354 to RCPT",
		.steps = {
			S("220\r\n"), C("RCPT TO:<a>\r\n"), S("250-x\r\n354 go\r\n"),
		},
		.server = "220\r\n250-x\r\n",
		.events = "bypass:354",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "334 to DATA",
		.steps = { S("220\r\n"), C("DATA\r\n"), S("334 go\r\n") },
		.server = "220\r\n",
		.events = "bypass:334",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "354 to nothing",
		.steps = { S("220\r\n354 go\r\n"), C("x") },
		.client = "", .server = "220\r\n",
		.events = "bypass:354",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "354 in the greeting",
		.steps = { S("220-a\r\n354 go\r\n") },
		.server = "220-*\r\n",
		.events = "banner bypass:354",
		.verdict = ESMTP_CLOSE_RESET,
	}, {
		.name = "a server that writes badly",
		.steps = {
			S("220\r\n250 twice\r\n421 bye\r\n"),
			C("NOOP\r\nMAIL FROM:<>\r\n"),
			S("\r\n250-a\r\n4.7.0 junk\r\n25\r\n250 b\n99"),
			S("9\r\n2500 x\n"),
		},
		.events = "unexpected:250 syntax syntax syntax bare-lf "
			  "bare-lf unexpected:250",
	}, {
		.name = "monitor",
		.flags = F_DEFAULT | ESMTP_POLICY_F_MONITOR,
		.steps = {
			GREETING, C("EHLO a\r\n"), S("250-mx\r\n250 STARTTLS\r\n"),
			C("EXPN x\r\n"), S("250 ok\r\n"),
			C("MAIL FROM:<<a|b>>\r\n"), S("250 ok\r\n"),
			C("DATA\r\nXFOO\r\n.\r\nXBAR\r\n"),
			S("354 go\r\n250 ok\r\n500 what\r\n"),
			C("DATA\r\nXF"), S("503 no\r\n"), C("NOOP\r\n"),
			S("250 ok\r\n"),
			C("DATA\r\nXF\r\n.\r\n"), S("503 no\r\n"), C("NOOP\r\n"),
			S("250 ok\r\n"), C("AUTH LOGIN\r\ndXNlcg==\r\ncGFzcw==\r\n"),
			S("334 a\r\n334 b\r\n235 ok\r\n"),
			C("AUTH LOGIN\r\ndX"), S("535 no\r\n"), C("NOOP\r\n"),
			S("354-a\r\n354 b\r\n"),
			C("STARTTLS\r\nwhatever"), S("454 no\r\n"), C("NOOP\r\n"),
			S("250 ok\r\n"),
			C("STARTTLS\r\n"), S("220 go\r\n"), C("XFOO\r\n"),
			S("XBAR\r\n"),
		},
		.events = "banner rule#6(STARTTLS) masked(EXPN) bracket(MAIL) "
			  "pipe(MAIL) bracket(MAIL) early-content masked(XBAR) "
			  "early-content early-content bypass:354 "
			  "masked(STARTTLS) masked(STARTTLS) tls",
	}, {
		.name = "BDAT",
		.verbs = BIT(ESMTP_VERB_BDAT),
		.steps = {
			S("220\r\n"), C("BDAT 7\r\nA: b\r\n\r"), S("250 ok\r\n"),
			C("BDAT \t 0 \t\r\nbdat 9\tlast \r\n\nXFOO\r\n.\nNOOP\r\n"),
			S("250 ok\r\n250 ok\r\n250 ok\r\n"),
			C("BDAT 0 LAST\r\nNOOP\r\n"), S("250 ok\r\n250 ok\r\n"),
			C("BDAT\r\nBDAT x\r\nBDAT 5x\r\nBDAT -1\r\nBDAT 5 LASTS\r\n"
			  "BDAT 5 LAST X\r\nBDAT 2147483648\r\n"
			  "BDAT +5\r\nBDAT 5 6\r\nBDAT 4294967301\r\n"
			  "BDAT 5 LAXT\r\nBDAT 5\rLAST\r\nNOOP\r\n"),
			S("501 1\r\n501 2\r\n501 3\r\n501 4\r\n501 5\r\n501 6\r\n"
			  "501 7\r\n501 8\r\n501 9\r\n501 10\r\n501 11\r\n"
			  "501 12\r\n250 ok\r\n"),
			C("BDAT 2147483647\r\n.\r\nXFOO\r\n"),
		},
		.events = "bare-cr(BDAT)",
	}, {
		.name = "BDAT not allowed",
		.steps = {
			S("220\r\n"), C("BDAT 6\r\nXFOO\r\n"),
			S("500 a\r\n500 b\r\n"),
		},
		.client = "XXXXXX\r\nXXXX\r\n",
		.events = "masked(BDAT) masked(XFOO)",
	}, {
		.name = "STARTTLS allowed",
		.flags = F_DEFAULT | ESMTP_POLICY_F_TLS_ALLOW,
		.steps = {
			GREETING, C("EHLO a\r\n"),
			S("250-mx\r\n250-HELP\r\n250 STARTTLS\r\n"),
			C("STARTTLS\r\nXFOO\r\n"), S("454-no\r\n454 no\r\n"),
			S("500 what\r\n"),
			C("STARTTLS\r\n"), S("220 go\r\n\x16\x03\x01"),
			C("\x16\x03\x01\r\nXFOO\r\n"), S("354 x\r\n"),
		},
		.client = "EHLO a\r\nSTARTTLS\r\nXXXX\r\nSTARTTLS\r\n"
			  "\x16\x03\x01\r\nXFOO\r\n",
		.server = GREETED "250-mx\r\n250-XXXA\r\n250 STARTTLS\r\n"
			  "454-no\r\n454 no\r\n500 what\r\n"
			  "220 go\r\n\x16\x03\x01" "354 x\r\n",
		.events = "banner rule#6(HELP) masked(XFOO) tls",
	}, {
		.name = "any verb",
		.verbs = ESMTP_VERBS_ALL,
		.steps = {
			S("220\r\n"), C("XFOO a\r\nFOOBAR\r\nVRFY\r\n FOO\r\n"),
			S("250 a\r\n250 b\r\n250 c\r\n250 d\r\n"),
			C("STARTTLS\r\n"), S("220 go\r\n"), C("x"),
		},
		.events = "verb-length(FOOBAR) verb-length tls",
	},
};

static void cstring(char *to, size_t size, const struct bytes *b)
{
	assert_true(b->n < size);
	if (b->n)
		memcpy(to, b->p, b->n);
	to[b->n] = 0;
}

static void run(void **state)
{
	const struct dialogue *d = *state;
	static char in[1 << 16];
	struct harness h;
	size_t n = 0;

	while (n < STEPS_MAX && d->steps[n].data)
		n++;
	harness_init(&h);
	h.policy.verbs |= d->verbs;
	if (d->flags)
		h.policy.flags = d->flags;
	harness_all_cuts(&h, d->steps, n, 100);
	harness_expect_events(&h, d->events);
	cstring(in, sizeof(in), &h.in[ESMTP_DIR_CLIENT]);
	harness_expect(&h, ESMTP_DIR_CLIENT, d->client ? d->client : in);
	cstring(in, sizeof(in), &h.in[ESMTP_DIR_SERVER]);
	harness_expect(&h, ESMTP_DIR_SERVER, d->server ? d->server : in);
	assert_int_equal(h.verdict, d->verdict);
	assert_int_equal(esmtp_engine_latched(&h.engine), d->latched);
	harness_free(&h);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(dialogues) / sizeof(dialogues[0])];
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tests[i] = (struct CMUnitTest){
			.name = dialogues[i].name, .test_func = run,
			.initial_state = (void *)&dialogues[i],
		};
	return _cmocka_run_group_tests("dialogue", tests,
				       sizeof(tests) / sizeof(tests[0]),
				       NULL, NULL);
}
