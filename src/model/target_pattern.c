/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns run on what a server sent, on the loop's thread, so their cost has three ceilings:
 * PCRE2's match limit, which counts backtracking but starts anew at each byte of the subject;
 * its heap limit; and a budget of CPU time for the whole search, asked for in the automatic
 * callouts that PCRE2 makes before every item of the pattern. CPU time and not the clock, so that
 * a busy host does not make a sound pattern fail. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "lattice-probe/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pcre2.h>

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

#define MATCH_LIMIT 100000      /* backtracks from one start: about 5 ms */
#define HEAP_LIMIT_KIB 4096
#define CPU_LIMIT_US (20 * US_PER_MS)
#define CALLOUTS_PER_LOOK 8     /* reading the CPU clock costs a system call */

struct budget {
	int64_t end_us;
	unsigned callouts;
};

static int64_t cpu_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Called by PCRE2 before each item; a negative value ends the search with that error. */
static int spend(pcre2_callout_block *block, void *user)
{
	struct budget *budget = user;

	(void)block;
	if (++budget->callouts % CALLOUTS_PER_LOOK != 0)
		return 0;
	return cpu_now_us() > budget->end_us ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static int explain(int code, size_t offset, char **ret_why)
{
	PCRE2_UCHAR words[160];
	char *why = NULL;

	if (pcre2_get_error_message(code, words, sizeof words) < 0)
		words[0] = '\0';
	if (asprintf(&why, "%s at character %zu", (const char *)words, offset + 1) < 0)
		return ERR_NOMEM;
	*ret_why = why;
	return ERR_SYNTAX;
}

int target_pattern_compile(const char *text, struct target_pattern *ret_pattern, char **ret_why)
{
	int code = 0;
	PCRE2_SIZE offset = 0;
	struct target_pattern pattern = { .text = strdup(text) };

	if (!pattern.text)
		return ERR_NOMEM;
	/* Bytes, not characters: a body may be in any encoding. \C and callouts of the pattern's own
	 * have no use here. */
	pattern.code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
		PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UTF, &code, &offset, NULL);
	if (!pattern.code) {
		target_pattern_done(&pattern);
		return code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED ? ERR_NOMEM :
			explain(code, offset, ret_why);
	}
	*ret_pattern = pattern;
	return 0;
}

int target_pattern_set_text(const char *text, struct target_pattern *ret_pattern)
{
	struct target_pattern pattern = { .text = strdup(text) };

	if (!pattern.text)
		return ERR_NOMEM;
	*ret_pattern = pattern;
	return 0;
}

void target_pattern_done(struct target_pattern *pattern)
{
	free(pattern->text);
	pcre2_code_free(pattern->code);
	*pattern = (struct target_pattern){ 0 };
}

/* PCRE2's verdict; out of memory counts like a limit: what could not be searched does not hold. */
static int search(const pcre2_code *code, const char *bytes, size_t length)
{
	struct budget budget = { .end_us = cpu_now_us() + CPU_LIMIT_US };
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int rc = PCRE2_ERROR_NOMEMORY;

	if (data && context) {
		(void)pcre2_set_match_limit(context, MATCH_LIMIT);
		(void)pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
		(void)pcre2_set_callout(context, spend, &budget);
		rc = pcre2_match(code, (PCRE2_SPTR)bytes, length, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return rc;
}

bool target_pattern_matches(const struct target_pattern *pattern, const char *bytes, size_t length,
	bool *ret_limited)
{
	int rc;

	if (ret_limited)
		*ret_limited = false;
	if (!bytes) {
		bytes = "";
		length = 0;
	}
	if (!pattern->code)
		return memmem(bytes, length, pattern->text, strlen(pattern->text)) != NULL;
	rc = search(pattern->code, bytes, length);
	if (ret_limited)
		*ret_limited = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
	return rc >= 0;
}
