/* SPDX-License-Identifier: Apache-2.0 */
/* The chain is walked from its beginning at each refresh, so that what is configured later is seen.
 *
 * When: at the latest ten minutes before the end, from fifteen on at a moment of this agent's own
 * choosing, so that a fleet does not come all at once; credentials that live shorter than that are
 * renewed at half their life. Until new ones are there the old ones serve, to their end. Instants are
 * those of AWS: our clock corrected by the measured skew.
 *
 * IMDS may hand out credentials that have already ended when AWS itself cannot renew them. Services go on
 * accepting those for a while ("static stability"), so they are used for fifteen minutes more. */
#include "lattice-probe/credentials.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "aws_internal.h"

#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"

#define ADVISORY_US (900 * US_PER_S)
#define MANDATORY_US (600 * US_PER_S)
#define EXTENSION_US (900 * US_PER_S)
#define PAUSE_MIN_US (1 * US_PER_S)
#define PAUSE_MAX_US (60 * US_PER_S)
#define REJECTED_PAUSE_US (60 * US_PER_S)
#define WAITERS_MAX 64
#define REGION_SIZE 64
#define WHY_SIZE 384

struct waiter {
	void (*ready)(void *user, int err, const char *why);
	void *user;
};

struct credentials {
	struct loop *loop;
	struct imds *imds;
	struct aws_transport *transport;
	char region[REGION_SIZE];

	struct credentials_set set; /* access_key_id NULL: none */
	struct wall refresh_at;     /* by the clock of AWS; never: not at all */
	bool is_rejected;           /* by AWS; cleared when the refresh is over */
	struct mono rejected_at;

	struct loop_timer timer;    /* the next turn: starts a refresh, tells waiters */
	bool is_refreshing;
	struct credentials_web_identity *web_identity;
	struct credentials_container *container;
	struct credentials_imds *instance;

	int failure;                /* of the last refresh */
	char why[WHY_SIZE];
	struct mono pause_end;
	int64_t pause_us;
	struct waiter waiters[WAITERS_MAX];
	size_t waiter_count;
};

/* ---- time --------------------------------------------------------------------------------- */

static struct wall aws_now(const struct credentials *credentials)
{
	return wall_add(wall_now(), aws_transport_skew_us(credentials->transport));
}

static bool is_expired(const struct credentials *credentials)
{
	struct wall expiration = credentials->set.expiration;

	return expiration.us != 0 && wall_since(expiration, aws_now(credentials)) <= 0;
}

static bool has_set(const struct credentials *credentials)
{
	return credentials->set.access_key_id && !is_expired(credentials);
}

static int64_t random_below(int64_t limit)
{
	uint32_t number = 0;

	/* Without randomness the agents of a fleet only meet more often. */
	(void)RAND_bytes((unsigned char *)&number, sizeof number);
	return (int64_t)((uint64_t)number * (uint64_t)limit >> 32);
}

static void plan_refresh(struct credentials *credentials)
{
	int64_t left_us = wall_since(credentials->set.expiration, aws_now(credentials));
	int64_t wait_us = left_us - ADVISORY_US + random_below(ADVISORY_US - MANDATORY_US);

	credentials->refresh_at = (struct wall){ 0 };
	if (credentials->set.expiration.us == 0)
		return;
	if (wait_us < left_us / 2)
		wait_us = left_us / 2;
	credentials->refresh_at = wall_add(aws_now(credentials), wait_us);
}

static bool refresh_is_due(const struct credentials *credentials)
{
	if (credentials->is_refreshing)
		return false;
	if (mono_is_set(credentials->pause_end) && mono_since(credentials->pause_end, mono_now()) > 0)
		return false;
	if (!has_set(credentials) || credentials->is_rejected)
		return true;
	return credentials->refresh_at.us != 0 && wall_since(credentials->refresh_at, aws_now(credentials)) <= 0;
}

/* ---- waiters ------------------------------------------------------------------------------ */

/* Whoever waited before is told; whoever a callback adds waits for the next turn. */
static void tell_waiters(struct credentials *credentials)
{
	int err = has_set(credentials) ? 0 : credentials->failure ? credentials->failure : ERR_NOT_FOUND;
	size_t count = credentials->waiter_count;

	while (count-- > 0 && credentials->waiter_count > 0) {
		struct waiter waiter = credentials->waiters[0];

		credentials->waiter_count--;
		memmove(credentials->waiters, credentials->waiters + 1,
			credentials->waiter_count * sizeof *credentials->waiters);
		waiter.ready(waiter.user, err, credentials->why);
	}
}

/* ---- one refresh -------------------------------------------------------------------------- */

static void set_why(struct credentials *credentials, const char *before, const char *why)
{
	(void)snprintf(credentials->why, sizeof credentials->why, "%s%s", before, why);
}

static void end_refresh(struct credentials *credentials)
{
	credentials->is_refreshing = false;
	credentials->is_rejected = false;
	tell_waiters(credentials);
}

static void fail(struct credentials *credentials, int err)
{
	credentials->failure = err;
	credentials->pause_us = credentials->pause_us == 0 ? PAUSE_MIN_US : credentials->pause_us * 2;
	if (credentials->pause_us > PAUSE_MAX_US)
		credentials->pause_us = PAUSE_MAX_US;
	credentials->pause_end = mono_add(mono_now(), credentials->pause_us);
	end_refresh(credentials);
}

/* Takes over the set. */
static void take_over(struct credentials *credentials, struct credentials_set *set)
{
	bool is_old = set->expiration.us != 0 && wall_since(set->expiration, aws_now(credentials)) <= 0;

	if (is_old && strcmp(set->source, "imds") != 0) {
		set_why(credentials, "", "the credentials had expired when they came: whoever issues them is behind, or "
			"this host's clock is wrong");
		credentials_set_done(set);
		fail(credentials, ERR_PROTOCOL);
		return;
	}
	set_why(credentials, "", is_old ? "the metadata service hands out expired credentials; they are used for 15 "
		"minutes more" : "");
	if (is_old)
		set->expiration = wall_add(aws_now(credentials), EXTENSION_US);
	credentials_set_done(&credentials->set);
	credentials->set = *set;
	credentials->failure = 0;
	credentials->pause_us = 0;
	credentials->pause_end = (struct mono){ 0 };
	plan_refresh(credentials);
	end_refresh(credentials);
}

static void on_found(struct credentials *credentials, int err, struct credentials_set *set, const char *why)
{
	if (!err) {
		take_over(credentials, set);
		return;
	}
	set_why(credentials, "", why);
	fail(credentials, err);
}

static void on_web_identity(void *user, int err, struct credentials_set *set, const char *why)
{
	struct credentials *credentials = user;

	credentials->web_identity = NULL;
	on_found(credentials, err, set, why);
}

static void on_container(void *user, int err, struct credentials_set *set, const char *why)
{
	struct credentials *credentials = user;

	credentials->container = NULL;
	on_found(credentials, err, set, why);
}

/* The end of the chain. */
static void on_instance(void *user, int err, struct credentials_set *set, const char *why)
{
	struct credentials *credentials = user;

	credentials->instance = NULL;
	if (!err) {
		take_over(credentials, set);
		return;
	}
	set_why(credentials, "none in the environment, the shared files, a web identity or a container; ", why);
	fail(credentials, err);
}

static void assume_role(struct credentials *credentials, struct credentials_role *role)
{
	credentials->web_identity = credentials_web_identity_start(credentials->transport, credentials->region, role,
		on_web_identity, credentials);
	credentials_web_identity_role_done(role);
	if (!credentials->web_identity)
		on_found(credentials, ERR_NOMEM, NULL, err_text(ERR_NOMEM));
}

static void walk_from_container(struct credentials *credentials)
{
	bool is_started;

	if (credentials_container_is_configured()) {
		credentials->container = credentials_container_start(credentials->transport, on_container, credentials);
		is_started = credentials->container != NULL;
	} else {
		credentials->instance = credentials_imds_start(credentials->imds, on_instance, credentials);
		is_started = credentials->instance != NULL;
	}
	if (!is_started)
		on_found(credentials, ERR_NOMEM, NULL, err_text(ERR_NOMEM));
}

static void walk_from_web_identity(struct credentials *credentials)
{
	struct credentials_role role = { 0 };
	const char *why = "";
	int err = credentials_web_identity_read(&role, &why);

	if (err == ERR_NOT_FOUND)
		walk_from_container(credentials);
	else if (err)
		on_found(credentials, err, NULL, why);
	else
		assume_role(credentials, &role);
}

static void walk(struct credentials *credentials)
{
	struct credentials_set set = { 0 };
	struct credentials_role role = { 0 };
	const char *why = "";
	int err = credentials_env_read(&set, &why);

	credentials->is_refreshing = true;
	if (err == ERR_NOT_FOUND)
		err = credentials_file_read(&set, &role, &why);
	if (err == ERR_NOT_FOUND)
		walk_from_web_identity(credentials);
	else if (!err && role.role_arn)
		assume_role(credentials, &role);
	else
		on_found(credentials, err, &set, why);
}

static void on_turn(void *user)
{
	struct credentials *credentials = user;

	if (refresh_is_due(credentials))
		walk(credentials);
	else if (!credentials->is_refreshing)
		tell_waiters(credentials);
}

/* Not at once: a set that somebody holds until the next turn must not go under their hands. */
static int wake(struct credentials *credentials)
{
	if (loop_timer_is_running(&credentials->timer))
		return 0;
	return loop_timer_start(credentials->loop, &credentials->timer, mono_now(), on_turn, credentials);
}

/* ---- the contract ------------------------------------------------------------------------- */

struct credentials *credentials_new(struct loop *loop, struct imds *imds, struct aws_transport *transport)
{
	struct credentials *credentials = calloc(1, sizeof *credentials);

	if (!credentials)
		return NULL;
	credentials->loop = loop;
	credentials->imds = imds;
	credentials->transport = transport;
	return credentials;
}

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	loop_timer_stop(credentials->loop, &credentials->timer);
	credentials_web_identity_cancel(credentials->web_identity);
	credentials_container_cancel(credentials->container);
	credentials_imds_cancel(credentials->instance);
	credentials_set_done(&credentials->set);
	free(credentials);
}

int credentials_set_region(struct credentials *credentials, const char *region)
{
	size_t length = strlen(region);

	if (length >= sizeof credentials->region)
		return ERR_LIMIT;
	memcpy(credentials->region, region, length + 1);
	return 0;
}

const struct credentials_set *credentials_get(struct credentials *credentials, const char **ret_why)
{
	if (refresh_is_due(credentials))
		(void)wake(credentials); /* without memory the next call tries again */
	*ret_why = credentials->why;
	if (credentials->is_rejected) {
		*ret_why = "AWS refused the credentials; new ones are being fetched";
		return NULL;
	}
	if (has_set(credentials))
		return &credentials->set;
	if (!credentials->failure)
		*ret_why = "the credentials are being fetched";
	return NULL;
}

int credentials_wait(struct credentials *credentials, void (*ready)(void *user, int err, const char *why),
	void *user)
{
	int err;

	if (credentials->waiter_count == WAITERS_MAX)
		return ERR_LIMIT;
	err = wake(credentials);
	if (err)
		return err;
	credentials->waiters[credentials->waiter_count++] = (struct waiter){ ready, user };
	return 0;
}

void credentials_wait_cancel(struct credentials *credentials, void *user)
{
	size_t kept = 0;

	for (size_t i = 0; i < credentials->waiter_count; i++)
		if (credentials->waiters[i].user != user)
			credentials->waiters[kept++] = credentials->waiters[i];
	credentials->waiter_count = kept;
}

void credentials_refresh(struct credentials *credentials)
{
	struct mono now = mono_now();

	if (credentials->is_refreshing || credentials->is_rejected)
		return;
	if (mono_is_set(credentials->rejected_at) && mono_since(now, credentials->rejected_at) < REJECTED_PAUSE_US)
		return;
	credentials->rejected_at = now;
	credentials->is_rejected = true;
	credentials->pause_end = (struct mono){ 0 };
	(void)wake(credentials);
}
