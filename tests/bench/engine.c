// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the engine costs a byte: "engine KIND" lets it read one kind of traffic under the default policy, in pieces as TCP
 * brings them. callgrind counts instructions while read_measured() runs; everything before has led there. The number of bytes read in
 * it is printed.
 */
#include <stdio.h>
#include "../unit/harness.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define SEGMENT		1448u		/* payload on Ethernet, with timestamps */
#define SIZE		(256u << 10)

/**
 * struct traffic - bytes of one direction
 * @p: the bytes
 * @n: how many
 */
struct traffic {
	char *p;
	size_t n;
};

/**
 * struct kind - one row of the table
 * @name: its word on the command line
 * @run: makes the dialogue and has the part in question measured; returns its bytes
 */
struct kind {
	const char *name;
	size_t (*run)(struct harness *h, u32 *random);
};

static void give_up(const char *what)
{
	fprintf(stderr, "engine: %s\n", what);
	exit(1);
}

static void put(struct traffic *t, const char *s, size_t n)
{
	t->p = realloc(t->p, t->n + n);
	if (!t->p)
		give_up("no memory");
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static void puts_to(struct traffic *t, const char *s)
{
	put(t, s, strlen(s));
}

/* So many characters of a set. */
static void put_random(struct traffic *t, const char *set, size_t n, u32 *random)
{
	size_t of = strlen(set);

	while (n--)
		put(t, &set[harness_random(random) % of], 1);
}

static void hear_nothing(struct esmtp_sink *sink, const struct esmtp_event *ev)
{
	(void)sink, (void)ev;
}

/* As the stream layer calls it: again where a result is full or bytes change their nature. Nothing here is refused. */
static void read_all(struct harness *h, enum esmtp_dir dir, const struct traffic *t)
{
	struct esmtp_result r;
	size_t at, n;
	u32 took;

	for (at = 0; at < t->n; at += took) {
		n = t->n - at < SEGMENT ? t->n - at : SEGMENT;
		took = esmtp_engine_feed(&h->engine, &h->policy, dir, (const u8 *)t->p + at, (u32)n, &h->sink, &r);
		if (!took || r.verdict || r.hold)
			give_up("traffic that should pass does not");
	}
}

/* The function that callgrind looks at. */
static __attribute__((noinline)) void read_measured(struct harness *h, enum esmtp_dir dir, const struct traffic *t)
{
	read_all(h, dir, t);
	__asm__ volatile("" : : : "memory");
}

static void say(struct harness *h, enum esmtp_dir dir, const char *s)
{
	struct traffic t = { (char *)s, strlen(s) };

	read_all(h, dir, &t);
}

static void greet(struct harness *h)
{
	say(h, ESMTP_DIR_SERVER, "220 mx.example.org ESMTP\r\n");
	say(h, ESMTP_DIR_CLIENT, "EHLO client.example.org\r\n");
	say(h, ESMTP_DIR_SERVER, "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n");
}

static void to_content(struct harness *h)
{
	greet(h);
	say(h, ESMTP_DIR_CLIENT, "MAIL FROM:<a@example.org>\r\n");
	say(h, ESMTP_DIR_SERVER, "250 ok\r\n");
	say(h, ESMTP_DIR_CLIENT, "RCPT TO:<b@example.net>\r\n");
	say(h, ESMTP_DIR_SERVER, "250 ok\r\n");
	say(h, ESMTP_DIR_CLIENT, "DATA\r\n");
	say(h, ESMTP_DIR_SERVER, "354 go\r\n");
}

static size_t measure(struct harness *h, enum esmtp_dir dir, struct traffic *t)
{
	size_t n = t->n;

	read_measured(h, dir, t);
	free(t->p);
	return n;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* A picture, as it is attached: lines of 76. */
static size_t base64_body(struct harness *h, u32 *random)
{
	struct traffic t = { 0 };

	to_content(h);
	say(h, ESMTP_DIR_CLIENT, "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	while (t.n < SIZE) {
		put_random(&t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 76, random);
		puts_to(&t, "\r\n");
	}
	return measure(h, ESMTP_DIR_CLIENT, &t);
}

/* A letter by hand, or a log: lines of 0 to 39, some of which begin with a dot. */
static size_t short_lines(struct harness *h, u32 *random)
{
	struct traffic t = { 0 };

	to_content(h);
	say(h, ESMTP_DIR_CLIENT, "Subject: x\r\n\r\n");
	while (t.n < SIZE) {
		if (harness_random(random) % 50 == 0)
			puts_to(&t, "..");
		put_random(&t, "etaoinshrdlu  ", harness_random(random) % 40, random);
		puts_to(&t, "\r\n");
	}
	return measure(h, ESMTP_DIR_CLIENT, &t);
}

/* Fields that nobody asks for, folded into lines of up to 900. */
static size_t long_headers(struct harness *h, u32 *random)
{
	static const char * const names[] = { "Received: ", "References: ", "DKIM-Signature: ", "X-Microsoft-Antispam: " };
	struct traffic t = { 0 };
	u32 lines;

	to_content(h);
	while (t.n < SIZE) {
		puts_to(&t, names[harness_random(random) % ARRAY_SIZE(names)]);
		for (lines = harness_random(random) % 4; lines; lines--) {
			put_random(&t, letters, 60 + harness_random(random) % 840, random);
			puts_to(&t, "\r\n\t");
		}
		put_random(&t, letters, 20, random);
		puts_to(&t, "\r\n");
	}
	return measure(h, ESMTP_DIR_CLIENT, &t);
}

/* What is read most closely: headers of parts, with file names in all their spellings, between short texts. */
static size_t mime_parts(struct harness *h, u32 *random)
{
	static const char * const names[] = {
		"filename=\"report of the year.pdf\"", "filename=\"=?utf-8?B?w7xiZXJzaWNodC5wZGY=?=\"",
		"filename*=utf-8''%C3%BCbersicht.pdf", "filename*0=\"a long \";\r\n filename*1=\"name.pdf\"",
	};
	struct traffic t = { 0 };

	to_content(h);
	say(h, ESMTP_DIR_CLIENT, "Content-Type: multipart/mixed;\r\n\tboundary=\"----=_Part_1234_567890\"\r\n\r\n");
	while (t.n < SIZE) {
		puts_to(&t, "------=_Part_1234_567890\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment;\r\n\t");
		puts_to(&t, names[harness_random(random) % ARRAY_SIZE(names)]);
		puts_to(&t, "\r\n\r\n");
		put_random(&t, letters, 60, random);
		puts_to(&t, "\r\n");
	}
	return measure(h, ESMTP_DIR_CLIENT, &t);
}

/*
 * Transactions that come to nothing, in one go up to ten recipients and their RSET, as senders with PIPELINING do it. What
 * the measured side says is all that is measured.
 */
static size_t transactions(struct harness *h, enum esmtp_dir measured, u32 *random)
{
	size_t n = 0;
	u32 rcpts;

	greet(h);
	while (n < SIZE / 4) {
		struct traffic both[ESMTP_DIRS] = { 0 };
		struct traffic *c = &both[ESMTP_DIR_CLIENT], *s = &both[ESMTP_DIR_SERVER];

		puts_to(c, "MAIL FROM:<");
		put_random(c, letters, 12, random);
		puts_to(c, "@example.org> SIZE=12345 BODY=8BITMIME\r\n");
		puts_to(s, "250 2.1.0 Ok\r\n");
		for (rcpts = 1 + harness_random(random) % 10; rcpts; rcpts--) {
			puts_to(c, "RCPT TO:<");
			put_random(c, letters, 12, random);
			puts_to(c, "@example.net>\r\n");
			puts_to(s, "250 2.1.5 Ok\r\n");
		}
		puts_to(c, "RSET\r\n");
		puts_to(s, "250 2.0.0 Ok\r\n");
		n += both[measured].n;
		(measured == ESMTP_DIR_CLIENT ? read_measured : read_all)(h, ESMTP_DIR_CLIENT, c);
		(measured == ESMTP_DIR_SERVER ? read_measured : read_all)(h, ESMTP_DIR_SERVER, s);
		free(c->p);
		free(s->p);
	}
	return n;
}

static size_t commands(struct harness *h, u32 *random)
{
	return transactions(h, ESMTP_DIR_CLIENT, random);
}

static size_t replies(struct harness *h, u32 *random)
{
	return transactions(h, ESMTP_DIR_SERVER, random);
}

static const struct kind kinds[] = {
	{ "base64-body", base64_body },
	{ "short-lines", short_lines },
	{ "long-headers", long_headers },
	{ "mime-parts", mime_parts },
	{ "commands", commands },
	{ "replies", replies },
};

int main(int argc, char **argv)
{
	u32 random = 2463534242u;
	struct harness h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (argc == 1)
			printf("%s\n", kinds[i].name);
		if (argc != 2 || strcmp(argv[1], kinds[i].name))
			continue;
		harness_init(&h);
		harness_prepare(&h);
		h.sink.event = hear_nothing;
		printf("%zu\n", kinds[i].run(&h, &random));
		harness_free(&h);
		return 0;
	}
	return argc != 1;
}
