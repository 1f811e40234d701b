/* SPDX-License-Identifier: Apache-2.0 */
/* resolver_setting: what the tests of the resolver share: a loop, a resolver without budget, a server
 * that answers two addresses, and the steps of asking and waiting. Include after cmocka.h. */
#ifndef LATTICE_PROBE_TESTS_RESOLVER_SETTING_H
#define LATTICE_PROBE_TESTS_RESOLVER_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "dns_fixture.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/resolver.h"

/* What one test works with. */
struct setting {
	struct loop *loop;
	struct resolver *resolver;
	struct dns_fixture *first;
	struct dns_fixture *second;
	struct target_resolver servers;
	struct loop_timer watchdog;
	bool is_over; /* the watchdog's */
};

/* One question, and what came of it. */
struct asked {
	struct setting *setting;
	struct resolver_query *query;
	int started;
	int answered;
	bool done;
	struct mono started_at;
	struct resolver_answer answer;
	struct resolver_query *victim; /* cancelled from inside the callback */
};

int resolver_setting_up(void **state);
int resolver_setting_down(void **state);

void use_server(struct setting *setting, const struct dns_fixture *fixture);

/* A second server, with one address. */
void use_second(struct setting *setting);

/* A new resolver, with a budget. */
void set_budget(struct setting *setting, int max_rate);

/* Asks; ask() for A, two seconds, one datagram. */
void ask_with(struct setting *setting, struct asked *asked, const char *name, enum dns_type type,
	int64_t timeout_us, int tries);
void ask(struct setting *setting, struct asked *asked, const char *name);
void on_answered(void *user, const struct resolver_answer *answer);

void wait_for(struct setting *setting, struct asked *asked);
void pause_for(struct setting *setting, int64_t duration_us);

/* Asks with 400 ms and expects this to come of it, and `why` to be in the detail. */
void expect(struct setting *setting, enum outcome outcome, bool has_reply, const char *why);

struct resolver_counters counters(const struct setting *setting);

#endif
