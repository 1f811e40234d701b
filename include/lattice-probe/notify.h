/* SPDX-License-Identifier: Apache-2.0 */
/* notify: tells the service manager how the daemon is, by datagrams to the socket that it named in
 * $NOTIFY_SOCKET (sd_notify(3), "Notes": the protocol is stable and may be spoken without libsystemd).
 * Owns one descriptor, opened once, so that a process without free ones can still speak. A manager that
 * reads nothing holds a call up for NOTIFY_WAIT_US at most. Every function takes NULL: nobody listens.
 * Returns; never logs. */
#ifndef LATTICE_PROBE_NOTIFY_H
#define LATTICE_PROBE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "lattice-probe/units.h"

struct notify;

#define NOTIFY_WAIT_US (100 * US_PER_MS)
#define NOTIFY_STATUS_SIZE 400 /* a longer status is cut */

/* `socket` is a path, or '@' and a name without a file (unix(7)); copied. NULL: it is NULL or none of
 * these, or there is no memory or no descriptor. */
struct notify *notify_open(const char *socket);
void notify_close(struct notify *notify);

/* Each sends one datagram; false: the manager did not take it. A status is one line for people; control
 * characters in it are replaced. */
bool notify_ready(struct notify *notify, const char *status);
bool notify_status(struct notify *notify, const char *status);

/* A reload has begun at `now`; notify_ready ends it, whatever came of it. */
bool notify_reloading(struct notify *notify, struct mono now);

/* The end has begun and may take that long. */
bool notify_stopping(struct notify *notify, const char *status, int64_t limit_us);

/* There was no start; error_number is an errno. */
bool notify_failed(struct notify *notify, int error_number, const char *status);

/* Feeds the watchdog. */
bool notify_alive(struct notify *notify);

/* The time within which the watchdog wants to be fed, from $WATCHDOG_USEC and $WATCHDOG_PID
 * (sd_watchdog_enabled(3)); 0: none is set for the process `pid`. Either text may be NULL. */
int64_t notify_watchdog_us(const char *watchdog_usec, const char *watchdog_pid, int64_t pid);

#endif
