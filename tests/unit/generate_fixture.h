/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration from its text, and the documents made of it. */
#ifndef LATTICE_PROBE_TESTS_GENERATE_FIXTURE_H
#define LATTICE_PROBE_TESTS_GENERATE_FIXTURE_H

#include <stdbool.h>

#include <jansson.h>

#include "lattice-probe/alarms.h"

#define LATTICE(name, id) "https://" name "-" id ".7d67968.vpc-lattice-svcs.us-east-1.on.aws/healthz"
#define CHECKOUT "[probe checkout]\nurl = " LATTICE("checkout", "0a1b2c3d4e5f67890") "\n"
#define PAYMENTS "[probe payments]\nurl = " LATTICE("payments", "0f1e2d3c4b5a69788") "\n"

struct made {
	int err;
	struct buf text;
	struct generate_words words;
	json_t *json; /* NULL: there is no document, or it is not JSON */
};

struct conf *fixture_conf(const char *text); /* the test fails when there are mistakes */
void fixture_done(struct made *made);

struct made fixture_policy(const char *text, const char *region, bool with_diagnose);
struct made fixture_alarms(const char *text, const struct generate_options *options,
	const struct alarms_options *alarms);
struct made fixture_dashboard(const char *text, const struct generate_options *options);

extern const struct alarms_options fixture_defaults;

/* Asserts that the text is among what was said. */
void fixture_assert_note(const struct made *made, const char *text);
void fixture_assert_refusal(const struct made *made, int err, const char *text);

/* `count` probes p0, p1, …; gives. Each line of `settings` is put into every one of them. */
char *fixture_many(int count, const char *head, const char *settings);

#endif
