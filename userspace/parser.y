%{
// SPDX-License-Identifier: GPL-2.0-only
/*
 * The grammar. It only builds the tree of what was written; what makes sense is
 * evaluate.c's business.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "language.h"
#include "parse.h"
#include "util.h"
%}

%code requires {
#include "parse.h"
}

%define api.pure full
%define api.location.type {struct location}
%define parse.error custom
%define parse.lac full
%locations
%initial-action { @$ = (struct location){ .in = p->in, .first_line = 1, .first_column = 1, .last_line = 1, .last_column = 1 }; }
%param { void *scanner }
%parse-param { struct parse *p }

%union {
	struct word *word;
	struct words words;
	struct item *item;
	struct items items;
	struct cond_item *cond;
	struct stmt *stmt;
	int value;
}

%code provides {
int yylex(YYSTYPE *lval, YYLTYPE *lloc, void *scanner);
int yylex_init_extra(struct parse *p, void **scanner);
int yylex_destroy(void *scanner);
struct yy_buffer_state *yy_scan_bytes(const char *bytes, int len, void *scanner);
}

%code {
#define YYLLOC_DEFAULT(cur, rhs, n)					\
	do {								\
		if (n) {						\
			(cur) = YYRHSLOC(rhs, 1);			\
			(cur).last_line = YYRHSLOC(rhs, n).last_line;	\
			(cur).last_column = YYRHSLOC(rhs, n).last_column; \
		} else {						\
			(cur) = YYRHSLOC(rhs, 0);			\
		}							\
	} while (0)

static void yyerror(const struct location *loc, void *scanner, struct parse *p, const char *msg);
static struct item *item_new(const struct location *loc, enum item_kind kind, int value);
static void items_add(struct items *list, struct item *item);
static struct word *none_new(const struct location *loc);
static void words_add(struct words *set, struct word *word);
static struct words words_one(struct word *word);
static struct item *match_new(const struct location *loc, struct cond_item *conds,
			      struct item *action);
static struct cond_item *cond_new(const struct location *loc, int match, struct word *limit);
static struct cond_item *cond_add(struct cond_item *head, struct cond_item *cond);
static struct item *action_new(const struct location *loc, int action, bool log);
static struct item *reply_new(const struct location *loc, struct word *code, struct word *text);
static struct item *rate_new(const struct location *loc, struct word *rate, struct word *burst);
static struct item *inspect_new(const struct location *loc, enum inspect_kind kind,
				struct word *class, struct word *policy);
static struct stmt *stmt_new(const struct location *loc, enum stmt_kind kind, struct word *name);
static struct stmt *block_new(const struct location *loc, enum stmt_kind kind, struct word *name,
			      struct items items);
static void stmt_add(struct parse *p, struct stmt *stmt);
static void include(struct parse *p, const struct word *name);
}

%token END 0		"end of file"
%token SEP		"end of line"
%token ODD		"a character that has no place here"
%token UNCLOSED
%token <word> NUMBER	"a number"
%token <word> STRING	"a string in quotes"
%token <word> NAME	"a name"
%token <word> VALUE	"a value"
%token <word> WORD	"a word"

%token INCLUDE "include" FLUSH "flush" RULESET "ruleset" POLICY "policy" EXEMPT "exempt" SET "set" CLASS "class"
%token INSPECT "inspect" DEFAULT "default" NONE "none" PICKUP "pickup" PASS "pass" PORTS "ports"
%token DESCRIPTION "description" SLOT "slot" BANNER "banner" KEEP "keep" TLS "tls"
%token ALLOW "allow" DENY "deny" MODE "mode" ENFORCE "enforce" MONITOR "monitor"
%token PIPELINING "pipelining" SPECIAL "special-character" RELAY "mail-relay"
%token INHERIT "inherit" ADD "add" REMOVE "remove"
%token VERBS "verbs" BRACKETS "stray-brackets" BLANK "blank"
%token MATCH "match" CMD "cmd" LINE "line" LENGTH "length" RCPT "rcpt" COUNT "count"
%token TO_FIELDS "to-fields" MESSAGE "message" SIZE "size" DECLARED "declared" ENCODING "encoding"
%token INVALID_RCPTS "invalid-recipients" ANOMALY "anomaly"
%token BODY "body" HEADER "header" SENDER "sender-address" RECIPIENT "recipient-address"
%token MIME "mime" FILENAME "filename"
%token EHLO "ehlo-reply-parameter" VERB "verb" GT ">" NOT "not"
%token LEVEL "level" GROUP "group"
%token CONTINUE "continue" LOG "log" DROP "drop" RESET "reset" MASK "mask" REPLY "reply"
%token FILETYPE "filetype"
%token RATE "rate-limit" BURST "burst"
%token REGEX "regex" NOCASE "nocase" DOMAINS "domains"
%token CONNECTIONS "connections" EMBRYONIC "embryonic" REFUSE "refuse"
%token HOST "host" SADDR "saddr" DADDR "daddr" DPORT "dport" IIFNAME "iifname" OIFNAME "oifname"

%type <stmt> stmt
%type <items> policy_lines policy_body class_lines class_body inspect_lines inspect_body
%type <item> policy_line match action verdict class_line inspect_line limits
%type <words> values list strings string_list
%type <word> value field level rate
%type <cond> conds cond match_cond relay
%type <value> line_match set_match text_match table_kind class_key nocase refuse

%%

file		: %empty
		| file SEP
		| file stmt			{ stmt_add(p, $2); }
		| file INCLUDE STRING SEP	{ include(p, $3); }
		| file error SEP		{ yyerrok; }
		;

stmt		: FLUSH RULESET SEP
		{
			@$ = @1;
			@$.last_column = @2.last_column;
			$$ = stmt_new(&@$, STMT_FLUSH, NULL);
		}
		| EXEMPT values SEP
		{
			@$ = @1;
			$$ = stmt_new(&@$, STMT_EXEMPT, NULL);
			$$->words = $2;
		}
		| REGEX NAME strings nocase SEP
		{
			@$.last_line = @2.last_line;
			@$.last_column = @2.last_column;
			$$ = stmt_new(&@$, STMT_REGEX, $2);
			$$->words = $3;
			$$->nocase = $4;
		}
		| DOMAINS NAME values SEP
		{
			@$.last_line = @2.last_line;
			@$.last_column = @2.last_column;
			$$ = stmt_new(&@$, STMT_DOMAINS, $2);
			$$->words = $3;
		}
		| SET NAME '{' '}'
		{
			@$ = @1;
			$$ = stmt_new(&@$, STMT_SET, $2);
			$$->words = (struct words){ .loc = @3 };
			$$->words.loc.last_line = @4.last_line;
			$$->words.loc.last_column = @4.last_column;
		}
		| SET NAME '{' list comma '}'
		{
			@$ = @1;
			$$ = stmt_new(&@$, STMT_SET, $2);
			$$->words = $4;
		}
		| POLICY NAME '{' policy_body '}'
		{
			@$.last_line = @2.last_line;
			@$.last_column = @2.last_column;
			$$ = block_new(&@$, STMT_POLICY, $2, $4);
		}
		| CLASS NAME '{' class_body '}'
		{
			@$.last_line = @2.last_line;
			@$.last_column = @2.last_column;
			$$ = block_new(&@$, STMT_CLASS, $2, $4);
		}
		| INSPECT '{' inspect_body '}'
		{
			@$ = @1;
			$$ = block_new(&@$, STMT_INSPECT, NULL, $3);
		}
		;

policy_body	: policy_lines
		| policy_lines policy_line	{ $$ = $1; items_add(&$$, $2); }
		| policy_lines error		{ $$ = $1; $$.broken = true; }
		;

policy_lines	: %empty			{ $$ = (struct items){ 0 }; }
		| policy_lines SEP
		| policy_lines policy_line SEP	{ $$ = $1; items_add(&$$, $2); }
		| policy_lines error SEP	{ $$ = $1; $$.broken = true; yyerrok; }
		;

policy_line	: DESCRIPTION STRING
		{
			$$ = item_new(&@$, ITEM_DESCRIPTION, 0);
			$$->word = $2;
		}
		| SLOT NUMBER
		{
			$$ = item_new(&@$, ITEM_SLOT, 0);
			$$->word = $2;
		}
		| BANNER MASK			{ $$ = item_new(&@$, ITEM_BANNER, 1); }
		| BANNER KEEP			{ $$ = item_new(&@$, ITEM_BANNER, 0); }
		| TLS ALLOW			{ $$ = item_new(&@$, ITEM_TLS, ESMTP_POLICY_F_TLS_ALLOW); }
		| TLS ALLOW LOG
		{
			$$ = item_new(&@$, ITEM_TLS, ESMTP_POLICY_F_TLS_ALLOW | ESMTP_POLICY_F_TLS_LOG);
		}
		| TLS DENY			{ $$ = item_new(&@$, ITEM_TLS, 0); }
		| MODE MONITOR			{ $$ = item_new(&@$, ITEM_MODE, 1); }
		| MODE ENFORCE			{ $$ = item_new(&@$, ITEM_MODE, 0); }
		| LOG LEVEL level
		{
			$$ = item_new(&@$, ITEM_LOG_LEVEL, 0);
			$$->word = $3;
		}
		| LOG GROUP NUMBER
		{
			$$ = item_new(&@$, ITEM_LOG_GROUP, 0);
			$$->word = $3;
		}
		| BRACKETS BLANK		{ $$ = item_new(&@$, ITEM_BRACKETS, 1); }
		| BRACKETS KEEP			{ $$ = item_new(&@$, ITEM_BRACKETS, 0); }
		| PIPELINING ALLOW		{ $$ = item_new(&@$, ITEM_PIPELINING, 0); }
		| PIPELINING DENY		{ $$ = item_new(&@$, ITEM_PIPELINING, 1); }
		| SPECIAL action
		{
			$$ = match_new(&@$, cond_new(&@1, ESMTP_MATCH_SPECIAL_CHARACTER, NULL), $2);
		}
		| relay action		{ $$ = match_new(&@$, $1, $2); }
		| VERBS values
		{
			$$ = item_new(&@$, ITEM_VERBS, VERBS_REPLACE);
			$$->words = $2;
		}
		| VERBS ADD values
		{
			$$ = item_new(&@$, ITEM_VERBS, VERBS_ADD);
			$$->words = $3;
		}
		| VERBS REMOVE values
		{
			$$ = item_new(&@$, ITEM_VERBS, VERBS_REMOVE);
			$$->words = $3;
		}
		| INHERIT NAME
		{
			$$ = item_new(&@$, ITEM_INHERIT, 0);
			$$->word = $2;
		}
		| match
		;

level		: WORD
		| NONE			{ $$ = none_new(&@1); }
		;

rate		: WORD
		| NUMBER
		;

match		: MATCH conds action	{ $$ = match_new(&@$, $2, $3); }
		;

conds		: cond
		| conds cond		{ $$ = cond_add($1, $2); }
		;

cond		: match_cond
		| NOT match_cond
		{
			$$ = $2;
			$$->negate = true;
			$$->loc = @$;
		}
		;

relay		: RELAY NAME
		{
			$$ = cond_new(&@$, ESMTP_MATCH_MAIL_RELAY, NULL);
			$$->list = 1;
			$$->table = $2;
		}
		;

match_cond	: relay
		| line_match GT NUMBER	{ $$ = cond_new(&@$, $1, $3); }
		| MESSAGE SIZE GT NUMBER
		{
			$$ = cond_new(&@$, ESMTP_MATCH_MESSAGE_SIZE, $4);
		}
		| SPECIAL
		{
			$$ = cond_new(&@$, ESMTP_MATCH_SPECIAL_CHARACTER, NULL);
		}
		| MESSAGE SIZE GT DECLARED
		{
			$$ = cond_new(&@$, ESMTP_MATCH_DECLARED_SIZE, NULL);
		}
		| HEADER field table_kind NAME
		{
			$$ = cond_new(&@$, ESMTP_MATCH_HEADER_TEXT, NULL);
			$$->field = $2;
			$$->list = $3;
			$$->table = $4;
		}
		| text_match table_kind NAME
		{
			$$ = cond_new(&@$, $1, NULL);
			$$->list = $2;
			$$->table = $3;
		}
		| set_match values
		{
			$$ = cond_new(&@$, $1, NULL);
			$$->words = $2;
		}
		;

field		: WORD
		| STRING
		;

text_match	: MIME FILETYPE		{ $$ = ESMTP_MATCH_MIME_TYPE_TEXT; }
		| MIME FILENAME		{ $$ = ESMTP_MATCH_MIME_FILENAME_TEXT; }
		| SENDER		{ $$ = ESMTP_MATCH_SENDER_TEXT; }
		| RECIPIENT		{ $$ = ESMTP_MATCH_RECIPIENT_TEXT; }
		;

table_kind	: REGEX			{ $$ = 0; }
		| DOMAINS		{ $$ = 1; }
		;

set_match	: EHLO			{ $$ = ESMTP_MATCH_EHLO_KEYWORD; }
		| CMD VERB		{ $$ = ESMTP_MATCH_CMD_VERB; }
		| MIME ENCODING		{ $$ = ESMTP_MATCH_MIME_ENCODING; }
		| ANOMALY		{ $$ = ESMTP_MATCH_ANOMALY; }
		;

line_match	: CMD LINE LENGTH		{ $$ = ESMTP_MATCH_CMD_LINE_LENGTH; }
		| CMD RCPT COUNT		{ $$ = ESMTP_MATCH_CMD_RCPT_COUNT; }
		| BODY LINE LENGTH		{ $$ = ESMTP_MATCH_BODY_LINE_LENGTH; }
		| HEADER LINE LENGTH		{ $$ = ESMTP_MATCH_HEADER_LINE_LENGTH; }
		| SENDER LENGTH			{ $$ = ESMTP_MATCH_SENDER_LENGTH; }
		| BODY LENGTH			{ $$ = ESMTP_MATCH_BODY_LENGTH; }
		| HEADER LENGTH			{ $$ = ESMTP_MATCH_HEADER_LENGTH; }
		| HEADER TO_FIELDS COUNT	{ $$ = ESMTP_MATCH_HEADER_TO_COUNT; }
		| HEADER COUNT			{ $$ = ESMTP_MATCH_HEADER_COUNT; }
		| REPLY LINE LENGTH	{ $$ = ESMTP_MATCH_REPLY_LINE_LENGTH; }
		| INVALID_RCPTS COUNT		{ $$ = ESMTP_MATCH_INVALID_RCPT_COUNT; }
		| MIME FILENAME LENGTH		{ $$ = ESMTP_MATCH_MIME_FILENAME_LENGTH; }
		;

action		: LOG			{ $$ = action_new(&@$, ESMTP_ACTION_COUNT, true); }
		| verdict
		| verdict LOG		{ $$ = $1; $$->log = true; }
		;

verdict		: CONTINUE		{ $$ = action_new(&@$, ESMTP_ACTION_COUNT, false); }
		| DROP			{ $$ = action_new(&@$, ESMTP_ACTION_DROP, false); }
		| RESET			{ $$ = action_new(&@$, ESMTP_ACTION_RESET, false); }
		| MASK			{ $$ = action_new(&@$, ESMTP_ACTION_MASK, false); }
		| REPLY			{ $$ = reply_new(&@$, NULL, NULL); }
		| REPLY NUMBER		{ $$ = reply_new(&@$, $2, NULL); }
		| REPLY NUMBER STRING	{ $$ = reply_new(&@$, $2, $3); }
		| RATE rate		{ $$ = rate_new(&@$, $2, NULL); }
		| RATE rate BURST NUMBER { $$ = rate_new(&@$, $2, $4); }
		;

class_body	: class_lines
		| class_lines class_line	{ $$ = $1; items_add(&$$, $2); }
		| class_lines error		{ $$ = $1; $$.broken = true; }
		;

class_lines	: %empty			{ $$ = (struct items){ 0 }; }
		| class_lines SEP
		| class_lines class_line SEP	{ $$ = $1; items_add(&$$, $2); }
		| class_lines error SEP		{ $$ = $1; $$.broken = true; yyerrok; }
		;

class_line	: class_key values
		{
			$$ = item_new(&@$, ITEM_CLASS_LINE, $1);
			$$->words = $2;
		}
		;

class_key	: HOST			{ $$ = CLASS_HOST; }
		| SADDR			{ $$ = CLASS_SADDR; }
		| DADDR			{ $$ = CLASS_DADDR; }
		| DPORT			{ $$ = CLASS_DPORT; }
		| IIFNAME		{ $$ = CLASS_IIFNAME; }
		| OIFNAME		{ $$ = CLASS_OIFNAME; }
		;

inspect_body	: inspect_lines
		| inspect_lines inspect_line	{ $$ = $1; items_add(&$$, $2); }
		| inspect_lines error		{ $$ = $1; $$.broken = true; }
		;

inspect_lines	: %empty			{ $$ = (struct items){ 0 }; }
		| inspect_lines SEP
		| inspect_lines inspect_line SEP { $$ = $1; items_add(&$$, $2); }
		| inspect_lines error SEP	{ $$ = $1; $$.broken = true; yyerrok; }
		;

inspect_line	: CLASS NAME EXEMPT	{ $$ = inspect_new(&@$, INSPECT_EXEMPT, $2, NULL); }
		| CLASS NAME POLICY NAME limits
		{
			$$ = $5;
			$$->loc = @$;
			$$->word = $2;
			$$->arg = $4;
		}
		| DEFAULT POLICY NAME limits
		{
			$$ = $4;
			$$->loc = @$;
			$$->arg = $3;
		}
		| DEFAULT NONE		{ $$ = inspect_new(&@$, INSPECT_NONE, NULL, NULL); }
		| PICKUP DROP		{ $$ = item_new(&@$, ITEM_PICKUP, 0); }
		| PICKUP PASS		{ $$ = item_new(&@$, ITEM_PICKUP, 1); }
		| PORTS values
		{
			$$ = item_new(&@$, ITEM_PORTS, 0);
			$$->words = $2;
		}
		;

nocase		: %empty		{ $$ = 0; }
		| NOCASE		{ $$ = 1; }
		;

strings		: STRING		{ $$ = words_one($1); $$.loc = @$; }
		| '{' string_list '}'	{ $$ = $2; $$.loc = @$; }
		| '{' string_list ',' '}' { $$ = $2; $$.loc = @$; }
		;

string_list	: STRING		{ $$ = words_one($1); }
		| string_list STRING	{ $$ = $1; words_add(&$$, $2); }
		| string_list ',' STRING { $$ = $1; words_add(&$$, $3); }
		;

limits		: %empty		{ $$ = item_new(&@$, ITEM_INSPECT, INSPECT_POLICY); }
		| limits CONNECTIONS NUMBER
		{
			$$ = $1;
			if ($$->connections)
				erec_add(p->errors, &@2, "connections are given already");
			$$->connections = $3;
		}
		| limits EMBRYONIC NUMBER refuse
		{
			$$ = $1;
			if ($$->embryonic)
				erec_add(p->errors, &@2, "embryonic is given already");
			$$->embryonic = $3;
			$$->refuse = $4;
		}
		;

refuse		: %empty		{ $$ = 0; }
		| REFUSE		{ $$ = 1; }
		;

values		: value			{ $$ = words_one($1); $$.loc = @$; }
		| '{' '}'		{ $$ = (struct words){ .loc = @$ }; }
		| '{' list '}'		{ $$ = $2; $$.loc = @$; $$.braces = true; }
		| '{' list ',' '}'	{ $$ = $2; $$.loc = @$; $$.braces = true; }
		;

comma		: %empty
		| ','
		;

list		: value			{ $$ = words_one($1); }
		| list value		{ $$ = $1; words_add(&$$, $2); }
		| list ',' value	{ $$ = $1; words_add(&$$, $3); }
		;

value		: VALUE
		| STRING
		;

%%

static struct item *item_new(const struct location *loc, enum item_kind kind, int value)
{
	struct item *item = mem_alloc(sizeof(*item));

	item->loc = *loc;
	item->kind = kind;
	item->value = value;
	return item;
}

/* A keyword where it is a word like others. */
static struct word *none_new(const struct location *loc)
{
	struct word *word = mem_alloc(sizeof(*word));

	word->loc = *loc;
	word->text = "none";
	return word;
}

static void items_add(struct items *list, struct item *item)
{
	if (list->tail)
		list->tail->next = item;
	else
		list->head = item;
	list->tail = item;
}

static void words_add(struct words *set, struct word *word)
{
	if (set->tail)
		set->tail->next = word;
	else
		set->head = word;
	set->tail = word;
}

static struct words words_one(struct word *word)
{
	struct words set = { .head = word, .tail = word };

	return set;
}

static struct item *action_new(const struct location *loc, int action, bool log)
{
	struct item *item = item_new(loc, ITEM_MATCH, 0);

	item->action = action;
	item->log = log;
	return item;
}

static struct item *reply_new(const struct location *loc, struct word *code, struct word *text)
{
	struct item *item = action_new(loc, ESMTP_ACTION_REPLY, false);

	item->code = code;
	item->text = text;
	return item;
}

static struct item *rate_new(const struct location *loc, struct word *rate, struct word *burst)
{
	struct item *item = action_new(loc, ESMTP_ACTION_RATE_LIMIT, false);

	item->rate = rate;
	item->burst = burst;
	return item;
}

/* The action's item becomes the match: it has the verdict already. */
static struct item *match_new(const struct location *loc, struct cond_item *conds,
			      struct item *action)
{
	action->loc = *loc;
	action->conds = conds;
	return action;
}

static struct cond_item *cond_new(const struct location *loc, int match, struct word *limit)
{
	struct cond_item *cond = mem_alloc(sizeof(*cond));

	cond->loc = *loc;
	cond->match = match;
	cond->limit = limit;
	return cond;
}

static struct cond_item *cond_add(struct cond_item *head, struct cond_item *cond)
{
	struct cond_item *last = head;

	while (last->next)
		last = last->next;
	last->next = cond;
	return head;
}

static struct item *inspect_new(const struct location *loc, enum inspect_kind kind,
				struct word *class, struct word *policy)
{
	struct item *item = item_new(loc, ITEM_INSPECT, (int)kind);

	item->word = class;
	item->arg = policy;
	return item;
}

static struct stmt *stmt_new(const struct location *loc, enum stmt_kind kind, struct word *name)
{
	struct stmt *stmt = mem_alloc(sizeof(*stmt));

	stmt->loc = *loc;
	stmt->kind = kind;
	stmt->name = name;
	return stmt;
}

static struct stmt *block_new(const struct location *loc, enum stmt_kind kind, struct word *name,
			      struct items items)
{
	struct stmt *stmt = stmt_new(loc, kind, name);

	stmt->items = items;
	return stmt;
}

static void stmt_add(struct parse *p, struct stmt *stmt)
{
	if (p->ast->tail)
		p->ast->tail->next = stmt;
	else
		p->ast->head = stmt;
	p->ast->tail = stmt;
}

/* Only for what bison itself runs out of; syntax errors go through the function below. */
static void yyerror(const struct location *loc, void *scanner, struct parse *p, const char *msg)
{
	(void)scanner;
	erec_add(p->errors, loc, "%s", msg);
}

#define EXPECTED_MAX	48
#define EXPECTED_FEW	4	/* with more, that the line may also end is not worth saying */

static void append(char *buf, size_t size, const char *text)
{
	size_t len = strlen(buf);

	snprintf(buf + len, size - len, "%s", text);
}

/* Behind a condition comes another one or the action: all words of either would be too many to say. */
static int drop_conditions(yysymbol_kind_t *want, int n)
{
	bool action = false, condition = false;
	int kept = 0;

	for (int i = 0; i < n; i++) {
		action = action || want[i] == YYSYMBOL_LOG;
		condition = condition || want[i] == YYSYMBOL_NOT;
	}
	if (!action || !condition)
		return n;
	for (int i = 0; i < n; i++)
		switch (want[i]) {
		case YYSYMBOL_CONTINUE:
		case YYSYMBOL_LOG:
		case YYSYMBOL_DROP:
		case YYSYMBOL_RESET:
		case YYSYMBOL_MASK:
		case YYSYMBOL_REPLY:
		case YYSYMBOL_RATE:
			want[kept++] = want[i];
			break;
		default:
			break;
		}
	return kept;
}

static void append_expected(char *buf, size_t size, const yypcontext_t *ctx)
{
	yysymbol_kind_t want[EXPECTED_MAX];
	int n = yypcontext_expected_tokens(ctx, want, EXPECTED_MAX), all = n;

	n = drop_conditions(want, n);
	for (int i = 0, said = 0; i < n; i++) {
		if (want[i] == YYSYMBOL_SEP && n > EXPECTED_FEW)
			continue;
		append(buf, size, !said++ ? ", expected " : i == all - 1 ? " or " : ", ");
		append(buf, size, yysymbol_name(want[i]));
	}
	if (n < all)
		append(buf, size, ", or another condition");
}

/* The word as it was written, unless it could do something to a terminal. */
static const char *shown(const char *token)
{
	if (!token || !*token)
		return NULL;
	for (const char *p = token; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	return token;
}

static int yyreport_syntax_error(const yypcontext_t *ctx, void *scanner, struct parse *p)
{
	yysymbol_kind_t got = yypcontext_token(ctx);
	const char *token = shown(p->token);
	char buf[512] = "syntax error, unexpected ";

	(void)scanner;
	if (got == YYSYMBOL_UNCLOSED)	/* the scanner has said it */
		return 0;
	if (token)
		append(buf, sizeof(buf), "'");
	append(buf, sizeof(buf), token ? token : yysymbol_name(got));
	if (token)
		append(buf, sizeof(buf), "'");
	append_expected(buf, sizeof(buf), ctx);
	erec_add(p->errors, yypcontext_location((yypcontext_t *)ctx), "%s", buf);
	return 0;
}

static void parse_input(const struct input *in, struct ast *ast, struct erecs *errors)
{
	struct parse p = { .in = in, .ast = ast, .errors = errors, .line = 1, .column = 1 };
	unsigned int before = errors->count;

	if (yylex_init_extra(&p, &p.scanner)) {
		erec_add(errors, NULL, "%s cannot be read: %s", in->name, strerror(errno));
		return;
	}
	yy_scan_bytes(in->text, (int)in->len, p.scanner);
	if (yyparse(p.scanner, &p) && errors->count == before)
		erec_add(errors, NULL, "%s cannot be read", in->name);
	yylex_destroy(p.scanner);
	ast->end = (struct location){ in, ast->words, p.line, p.column, p.line, p.column };
}

static void include_one(struct parse *p, const struct word *name, const char *path)
{
	struct input *in = mem_alloc(sizeof(*in));

	if (!input_read(mem_strdup(path), in)) {
		erec_add(p->errors, &name->loc, "%s cannot be read: %s", path, strerror(errno));
		return;
	}
	in->includer = p->in;
	for (const struct input *i = p->in; i; i = i->includer)
		if (i->dev == in->dev && i->ino == in->ino) {
			erec_add(p->errors, &name->loc, "%s would include itself", path);
			return;
		}
	parse_input(in, p->ast, p->errors);
}

/* Of a name with wildcards all files that there are, in their order; there may be none. */
static void include(struct parse *p, const struct word *name)
{
	const char *slash = *name->text == '/' ? NULL : strrchr(p->in->name, '/');
	int dir = slash ? (int)(slash - p->in->name) + 1 : 0;
	const char *pattern = mem_printf("%.*s%s", dir, p->in->name, name->text);
	glob_t found;
	int err;

	if (!p->in->file || !strcmp(pattern, "-")) {
		erec_add(p->errors, &name->loc, "only a file can include, and be included");
		return;
	}
	err = glob(pattern, GLOB_NOMAGIC, NULL, &found);
	if (err && err != GLOB_NOMATCH)
		erec_add(p->errors, &name->loc, "%s cannot be looked for: %s", pattern, strerror(errno));
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		include_one(p, name, found.gl_pathv[i]);
	if (!err)
		globfree(&found);
}

/**
 * language_parse() - read statements
 * @in: the text
 * @ast: what was written
 * @errors: what was wrong with it
 *
 * Return: true if nothing was wrong.
 */
bool language_parse(const struct input *in, struct ast *ast, struct erecs *errors)
{
	unsigned int before = errors->count;

	memset(ast, 0, sizeof(*ast));
	parse_input(in, ast, errors);
	return errors->count == before;
}
