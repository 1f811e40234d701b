/* SPDX-License-Identifier: Apache-2.0 */
/* self_check: tells when the agent itself is the sick one, so that no service is blamed for it. Pure,
 * plain values; takes the instants.
 *
 * Four kinds of evidence, and nothing else, take a failure away from a service:
 *   - The run ended as local_fault already: no descriptor, no memory, no port, a loop that was busy
 *     elsewhere. Only its cause is found here.
 *   - A timeout of a run for a third of which the kernel kept this process from the CPU (the quota of its
 *     cgroup). Nobody may have been there to see the answer.
 *   - A DNS timeout while this instance's link-local allowance dropped packets: they never left it.
 *   - Runs to different services that all ended the same local way: this host's own kernel refused to
 *     send (no route, a filter), for ten services in a row, or for all when they are fewer, but at least
 *     three, within the window and without any other judged outcome in between.
 * For the last kind runs are held until it is known: until enough have come, until another outcome shows
 * that this host works, or until the window has passed. In the last two cases they stay the failures they
 * were. Whatever could be the doing of somebody else (silence, a reset, ICMP, an error of TLS or HTTP) is
 * never taken away: an outage of everything must look like one.
 *
 * The agent is called sick from the first such run until a judged run comes a window after the last. */
#ifndef LATTICE_PROBE_SELF_CHECK_H
#define LATTICE_PROBE_SELF_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/units.h"

#define SELF_CHECK_SERVICES_MIN 3  /* fewer services tell nothing of the host */
#define SELF_CHECK_SERVICES_MAX 10 /* so many in a row are enough of any number */
#define SELF_CHECK_SAMPLES 64      /* readings kept; at one a second, longer than nearly all timeouts */
#define SELF_CHECK_WINDOW_MIN_US (1 * US_PER_S)
#define SELF_CHECK_WINDOW_MAX_US (30 * US_PER_S)

enum self_check_cause {
	SELF_CHECK_NONE,
	SELF_CHECK_LOOP_LAG,      /* the loop was busy elsewhere */
	SELF_CHECK_DESCRIPTORS,
	SELF_CHECK_MEMORY,
	SELF_CHECK_PORTS,         /* no local address or port to send from */
	SELF_CHECK_CPU_THROTTLED,
	SELF_CHECK_LINK_LOCAL,    /* over the allowance for DNS, IMDS and NTP */
	SELF_CHECK_NO_ROUTE,      /* the kernel has no way to send to any service */
	SELF_CHECK_REFUSED_HERE,  /* a filter or a route of this host forbids it */
	SELF_CHECK_OTHER,         /* local_fault for another reason, told in the result */
	SELF_CHECK_CAUSE_COUNT
};

/* What of a run is looked at. */
struct self_check_run {
	enum outcome outcome;
	int local_errno;      /* of the result */
	int64_t lag_us;
	uint64_t service;     /* the same number for runs to the same host */
	struct mono started;
	struct mono ended;
};

enum self_check_answer {
	SELF_CHECK_AS_IS, /* the outcome stands. If runs are held, settle them first */
	SELF_CHECK_LOCAL, /* local_fault, by check->cause */
	SELF_CHECK_HOLD   /* keep it, and ask self_check_settle when told so */
};

struct self_check_sample {
	struct mono at;
	uint64_t throttled_us;
	uint64_t drops;
};

/* To be read by anybody, changed by these functions only. */
struct self_check {
	int64_t window_us;
	size_t services_needed;             /* 0: too few services to ever tell */

	struct self_check_sample samples[SELF_CHECK_SAMPLES];
	size_t sample_count;                /* ever taken */

	enum self_check_cause held_cause;   /* of the runs held; none: none is */
	struct mono held_since;
	uint64_t held_services[SELF_CHECK_SERVICES_MAX];
	size_t held_service_count;
	bool is_disproved;                  /* another outcome came while they were held */
	enum self_check_cause all_cause;    /* all services fail by it, for now; none: they do not */

	bool is_sick;
	enum self_check_cause cause;        /* the latest; stays after recovery */
	struct mono sick_since;
	struct mono last_fault;
	uint64_t faults[SELF_CHECK_CAUSE_COUNT]; /* runs, ever */
	uint64_t faults_of_sickness;        /* runs since sick_since */
};

/* longest_interval_us: of all probes; the window is that, within its limits. service_count: of different
 * hosts. Called again after a reload with runs settled: counts and sickness stay. */
void self_check_configure(struct self_check *check, int64_t longest_interval_us, size_t service_count);

/* One reading of both counters, each 0 where there is none. About one a second. */
void self_check_take_sample(struct self_check *check, const struct self_check_sample *sample);

/* Takes a run that has ended into account. */
enum self_check_answer self_check_take(struct self_check *check, const struct self_check_run *run);

/* Whether runs are held that must be settled now; else *ret_due is when at the latest (never: none is). */
bool self_check_must_settle(const struct self_check *check, struct mono now, struct mono *ret_due);

/* What becomes of all that are held: AS_IS, or LOCAL for each. `count` is how many. */
enum self_check_answer self_check_settle(struct self_check *check, struct mono now, uint64_t count);

/* "no_route". Static text. */
const char *self_check_cause_name(enum self_check_cause cause);

/* "this host has no route to any of the services". Static text. */
const char *self_check_cause_words(enum self_check_cause cause);

#endif
