/* SPDX-License-Identifier: Apache-2.0 */
/* agent_internal: what the files of this room share. agent.c holds the life of the daemon,
 * agent_identity.c finds out who and where it is, agent_probe.c makes and ends the probes, agent_runs.c
 * drives them, agent_self_check.c asks first whose fault their results were, agent_metrics.c takes results
 * to the sink, agent_store.c keeps them on disk, agent_health.c keeps what each probe came to,
 * agent_diagnosis.c looks for causes, agent_reload.c takes over another configuration, agent_status.c tells
 * it all, agent_notify.c and agent_watchdog.c tell the service manager. */
#ifndef LATTICE_PROBE_AGENT_INTERNAL_H
#define LATTICE_PROBE_AGENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lattice-probe/agent.h"
#include "lattice-probe/aggregate.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/diagnose.h"
#include "lattice-probe/diagnosis.h"
#include "lattice-probe/diagnosis_queue.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/health.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/latency_hour.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/self_check.h"
#include "lattice-probe/watchdog.h"

struct agent;
struct agent_identity;
struct notify;
struct result;
struct schedule;
struct sink;
struct status_socket;
struct store;

#define AGENT_ID_SIZE 256
#define AGENT_REGION_SIZE 64
#define AGENT_WAIT_SIZE 256
#define AGENT_MISTAKE_SIZE 512

enum agent_signal { AGENT_SIGNAL_RELOAD, AGENT_SIGNAL_STOP, AGENT_SIGNAL_INTERRUPT, AGENT_SIGNALS };

/* ---- agent_identity ---- */

struct agent_identity_facts {
	char agent_id[AGENT_ID_SIZE];
	const char *agent_id_source; /* "agent_id", "ecs-task", "imds", "machine-id" */
	char region[AGENT_REGION_SIZE];
	struct imds_facts imds;      /* "" where unknown */
};

/* Finds the agent id (the setting, else the ECS task, else the instance, else the machine), the
 * region and the facts that dimensions ask for. `found` runs once, never from inside this call; with
 * err < 0 `why` (static) says what is missing. NULL: no memory. */
struct agent_identity *agent_identity_start(struct agent *agent,
	void (*found)(struct agent *agent, int err, const struct agent_identity_facts *facts, const char *why));
void agent_identity_stop(struct agent_identity *identity); /* NULL is fine */

/* True when dimension_sets asks for facts of the instance that were not asked for at the start. */
bool agent_identity_lacks_facts(const struct agent_identity_facts *facts, const struct conf *conf);

/* The value of a dimension that comes from the instance ("AvailabilityZone", …), "" when unknown; NULL
 * when no such dimension does. Borrowed from facts. */
const char *agent_identity_fact(const struct imds_facts *facts, const char *dimension);

/* ---- agent_probe ---- */

/* One configured probe and its state. */
struct agent_probe {
	struct agent *agent;
	struct target *target;           /* a reference */
	struct aggregate_series *series;
	struct aggregate_series *next_series; /* in the new windows, while they are being made */
	uint32_t schedule_id;            /* 0: not scheduled */
	struct probe *running;           /* NULL: between runs */
	struct wall scheduled;           /* of the running one */
	struct mono began;               /* it, too */
	unsigned rotation;
	enum outcome last_outcome;
	struct result *last;             /* owned; NULL: no run yet */
	struct health health;
	struct latency_hour hour;
	struct agent_diagnosis *diagnosis; /* owned; NULL: never diagnosed */
	bool is_retired;                 /* no longer configured; goes when its run has ended */
	struct agent_probe *next_retired;
};

/* Scheduled from its next instant on. NULL: no memory. */
struct agent_probe *agent_probe_new(struct agent *agent, struct target *target);

/* It has no run. NULL is fine. */
void agent_probe_free(struct agent_probe *probe);

/* It is no longer configured: no further runs. One that goes on ends, and counts, as ever; the probe goes
 * with it. */
void agent_probe_retire(struct agent_probe *probe);

/* The run of a retired probe has ended. */
void agent_probe_bury(struct agent_probe *probe);

/* ---- agent_runs ---- */

struct agent_counters { /* scheduled = run + missed, always; a run that goes on counts when it ends, and one
                           that the self-check holds when that has settled it */
	uint64_t scheduled;
	uint64_t run;
	uint64_t missed;
	uint64_t late;
	uint64_t local;
};

/* Makes one entry for each target; false: no memory. */
bool agent_runs_start(struct agent *agent);

/* Takes what is due, so that no instant of a probe that is about to go is left uncounted. */
void agent_runs_take_due(struct agent *agent);

/* Looks again when the next run is due. */
void agent_runs_plan(struct agent *agent);

/* No new runs from now on. Those that go on may still end. */
void agent_runs_stop_scheduling(struct agent *agent);

/* Ends those that still go on; each is a counted miss. */
void agent_runs_cancel(struct agent *agent);
void agent_runs_free(struct agent *agent);

/* Counts a run that has ended, and takes its result over. */
void agent_runs_take(struct agent_probe *probe, struct result *result);

/* ---- agent_self_check ---- */

#define AGENT_DROP_DEVICES_MAX 8
#define AGENT_DEVICE_NAME_SIZE 16 /* IF_NAMESIZE */

TAILQ_HEAD(agent_held_list, agent_held);

/* Once the probes are there. */
void agent_self_check_start(struct agent *agent);

/* Before any probe goes: counts what is held as it stands. */
void agent_self_check_settle(struct agent *agent);

/* After probes have come or gone, with nothing held. */
void agent_self_check_configure(struct agent *agent);

/* A run has ended. Hands the result on to agent_runs_take, now or when it is known whose fault it was. */
void agent_self_check_take(struct agent_probe *probe, struct result *result);
void agent_self_check_stop(struct agent *agent); /* what is still held is forgotten */

/* ---- agent_metrics ---- */

/* Dimension sets, aggregate and sink; false: no memory or no endpoint (logged). */
bool agent_metrics_start(struct agent *agent);
struct aggregate_series *agent_metrics_series(struct agent *agent, const char *service, bool is_tls);

/* The longest any run may last, plus a second for what waits in the loop. */
int64_t agent_metrics_grace_us(const struct conf *conf);

struct agent_windows {
	struct aggregate *aggregate;
	struct dimension_set *agent_sets[2];
};

/* Makes new windows by the agent's configuration, and a next_series in them for each probe. *ret_before
 * are those that go: to be put back, or ended. False: no memory, and all is as before. */
bool agent_metrics_renew(struct agent *agent, struct agent_windows *ret_before);
void agent_metrics_put_back(struct agent *agent, struct agent_windows *before);

/* What is in them goes out as partial windows; each probe's next_series becomes its series. */
void agent_metrics_end_before(struct agent *agent, struct agent_windows *before);

/* Looks again when the next window closes; after every result. */
void agent_metrics_plan(struct agent *agent);
void agent_metrics_free(struct agent *agent);

/* ---- agent_store ---- */

/* Before the metrics; without one, or in its trouble, all is in memory only. */
void agent_store_start(struct agent *agent);
void agent_store_take(struct agent *agent, const struct result *result);

/* The windows of [start, start + length_us) have become datums. */
void agent_store_cover(struct agent *agent, struct wall start, int64_t length_us);

/* Writes what is left, and ends the loop. */
void agent_store_close(struct agent *agent);
void agent_store_free(struct agent *agent);

/* ---- agent_health ---- */

void agent_health_start(struct agent_probe *probe);

/* Takes over what the result holds: the probe's state, its hour, its last run. */
void agent_health_take(struct agent_probe *probe, struct result *result);
void agent_health_free(struct agent_probe *probe);

/* ---- agent_diagnosis ---- */

/* What the latest diagnosis of a probe came to. */
struct agent_diagnosis {
	enum diagnosis_verdict verdict;
	enum diagnosis_confidence confidence;
	char *summary;
	struct wall at;
	struct mono started;
	struct mono warned; /* when this verdict last was a warning; never: it was none */
};

void agent_diagnosis_start(struct agent *agent);

/* The probe has turned unhealthy, or healthy again. */
void agent_diagnosis_want(struct agent_probe *probe);
void agent_diagnosis_unwant(struct agent_probe *probe);

/* The probe goes: its turn, or the diagnosis under way, too. */
void agent_diagnosis_forget(struct agent_probe *probe);

/* Ends the one under way; no other begins. */
void agent_diagnosis_stop(struct agent *agent);
void agent_diagnosis_free(struct agent_probe *probe);

/* ---- agent_status ---- */

/* A socket that cannot be had is a warning: the agent goes on without. */
void agent_status_start(struct agent *agent);
void agent_status_stop(struct agent *agent);

/* ---- agent_notify ---- */

/* What to do when there is no probe; takes the path of the configuration. */
#define AGENT_ADD_PROBE "add a [probe NAME] section with url = https://… to %s or to conf.d beside it, then " \
	"systemctl reload lattice-probe"

/* Without a service manager that listens, nothing is told. */
void agent_notify_start(struct agent *agent);

/* Runs are scheduled, or the agent has settled down to wait. */
void agent_notify_ready(struct agent *agent);

/* The status line anew: at once, or within a second together with other changes. */
void agent_notify_now(struct agent *agent);
void agent_notify_soon(struct agent *agent);

void agent_notify_stopping(struct agent *agent);
void agent_notify_stop(struct agent *agent);

/* ---- agent_reload ---- */

struct agent_reload {
	struct loop_work *work;   /* reads the file; NULL: no reload is going on */
	bool is_wanted;           /* another signal came meanwhile */
	unsigned serial;          /* of the latest, from 1; in its log lines, which are no repeats of others */
	struct wall loaded;       /* when the configuration that runs was read */
	bool has_failed;          /* the one read since was refused: */
	struct wall failed;
	size_t mistakes;
	char first[AGENT_MISTAKE_SIZE];
};

/* Reads the file again and takes over what differs. Once more, when one is going on already. */
void agent_reload_begin(struct agent *agent);
void agent_reload_stop(struct agent *agent);

/* ---- agent_watchdog ---- */

/* Nothing unless the service manager set a watchdog for this process. */
void agent_watchdog_start(struct agent *agent);
void agent_watchdog_stop(struct agent *agent);

/* ---- agent ---- */

/* Reads the CA files of all probes, those that changed. */
void agent_load_trust(const struct agent *agent);

/* Finds out anew who and where the agent is, if it did not know yet. */
void agent_find_identity_again(struct agent *agent);

/* A run has ended (or was cancelled): shutdown may go on. */
void agent_run_ended(struct agent *agent);

/* A dry run has nobody left to print to: it ends, as a failure. */
void agent_output_broken(struct agent *agent);

struct agent {
	struct conf *conf; /* owned */
	struct agent_options options;
	struct loop *loop;
	struct loop_signal *signals[AGENT_SIGNALS];

	struct resolver *resolver;
	struct http_client *http;
	struct aws_transport *transport;
	struct imds *imds;
	struct credentials *credentials;
	struct probe_context context;

	struct agent_identity *identity;
	struct agent_identity_facts facts;
	struct loop_timer identity_retry;
	int64_t identity_wait_us;

	struct schedule *schedule;
	uint64_t skipped_seen;    /* of schedule_skipped: counted as missed already */
	struct loop_timer due_timer;
	struct agent_probe **probes;         /* owned, each; in the order of the configuration */
	size_t probe_count;
	struct agent_probe *retired;
	size_t in_flight;
	struct agent_counters counters;

	struct self_check self_check;
	enum self_check_cause sickness_said; /* none: nothing, or that it is over */
	struct agent_held_list held;
	size_t held_count;
	struct loop_timer settle_timer;
	struct loop_timer sample_timer;
	char drop_devices[AGENT_DROP_DEVICES_MAX][AGENT_DEVICE_NAME_SIZE];
	size_t drop_device_count;

	struct dimension_set *agent_sets[2];
	struct aggregate *aggregate;
	struct store *store;                 /* NULL: memory only */
	size_t samples_restored;
	struct sink *sink;
	struct loop_timer close_timer;
	struct loop_timer minute_timer;
	bool is_skewed;

	struct diagnose_context diagnose_context;
	struct diagnosis_queue diagnosis_queue;
	struct loop_timer diagnosis_timer;
	struct diagnose *diagnose;           /* under way; NULL: none */
	struct agent_probe *diagnosed;       /* by it */

	struct agent_reload reload;

	struct status_socket *status;        /* NULL: none */
	struct notify *notify;               /* NULL: nobody listens */
	struct loop_timer notify_timer;
	struct watchdog watchdog;
	int64_t watchdog_us;                 /* 0: none is set */
	struct loop_timer watchdog_timer;
	bool is_ready;
	bool is_ready_told;
	char waits_for[AGENT_WAIT_SIZE];     /* "": for nothing that is worth a line */
	struct wall started_wall;
	struct mono started;

	bool is_running;  /* identity known, schedule going */
	bool is_stopping;
	bool is_flushing;
	struct mono stop_began;
	struct mono stop_deadline;
	struct loop_timer stop_timer;
	int exit_code;
};

#endif
