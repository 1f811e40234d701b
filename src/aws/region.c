/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/region.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/profile.h"

#define REGION_SIZE 64

struct region_search {
	struct loop *loop;
	struct loop_timer timer;
	struct imds *imds;
	struct imds_query *query;
	char region[REGION_SIZE];
	const char *source;
	int err;
	void (*found)(void *user, int err, const char *region, const char *source);
	void *user;
};

void region_cancel(struct region_search *search)
{
	if (!search)
		return;
	loop_timer_stop(search->loop, &search->timer);
	if (search->query)
		imds_cancel(search->query);
	free(search);
}

static void finish(struct region_search *search)
{
	search->found(search->user, search->err, search->err ? "" : search->region, search->source);
	region_cancel(search);
}

/* True when text is set: it is the answer, also when it is no region's name. */
static bool take(struct region_search *search, const char *text, const char *source)
{
	if (!text || !*text)
		return false;
	search->source = source;
	if (!endpoint_region_is_valid(text)) {
		search->err = ERR_SYNTAX;
		search->source = "what is set as region is no region's name (us-east-1)";
		return true;
	}
	(void)snprintf(search->region, sizeof search->region, "%s", text);
	return true;
}

static bool take_profile(struct region_search *search)
{
	struct profile profile;
	bool is_taken;

	if (profile_load(&profile) != 0)
		return false; /* credentials say what is wrong with the files */
	is_taken = take(search, profile.values[PROFILE_REGION], "profile");
	profile_done(&profile);
	return is_taken;
}

static void on_imds(void *user, int err, const char *text, const char *hint)
{
	struct region_search *search = user;

	(void)hint;
	search->query = NULL;
	if (err || !take(search, text, "imds")) {
		search->err = err ? err : ERR_PROTOCOL;
		search->source = "no region: set region in [cloudwatch] or AWS_REGION; the metadata service names none";
	}
	finish(search);
}

static void on_start(void *user)
{
	struct region_search *search = user;

	if (search->source) {
		finish(search);
		return;
	}
	search->query = imds_get(search->imds, "meta-data/placement/region", on_imds, search);
	if (!search->query) {
		search->err = ERR_NOMEM;
		search->source = err_text(ERR_NOMEM);
		finish(search);
	}
}

struct region_search *region_find(struct loop *loop, struct imds *imds, const char *configured,
	void (*found)(void *user, int err, const char *region, const char *source), void *user)
{
	struct region_search *search = calloc(1, sizeof *search);
	bool is_configured = configured && strcmp(configured, "auto") != 0;

	if (!search)
		return NULL;
	search->loop = loop;
	search->imds = imds;
	search->found = found;
	search->user = user;
	if (!(is_configured && take(search, configured, "configuration")) &&
	    !take(search, getenv("AWS_REGION"), "AWS_REGION") &&
	    !take(search, getenv("AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION"))
		(void)take_profile(search);
	if (loop_timer_start(loop, &search->timer, mono_now(), on_start, search) != 0) {
		free(search);
		return NULL;
	}
	return search;
}
