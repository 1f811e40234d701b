/* SPDX-License-Identifier: Apache-2.0 */
/* dns_fixture: a DNS server on loopback, UDP and TCP, inside the test's own loop, that answers every
 * question by one rule. The rule may be changed at any time. Failures of its own end the test. */
#ifndef LATTICE_PROBE_TESTS_DNS_FIXTURE_H
#define LATTICE_PROBE_TESTS_DNS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/parse.h"

struct dns_fixture;
struct loop;

enum dns_fixture_fault {
	DNS_FIXTURE_HONEST,
	DNS_FIXTURE_DROP,
	DNS_FIXTURE_WRONG_ID,
	DNS_FIXTURE_WRONG_QUESTION,
	DNS_FIXTURE_FORGED_FIRST,    /* wrong id, wrong question at half the delay, then the honest reply */
	DNS_FIXTURE_ECHO,            /* the question itself: QR is 0 */
	DNS_FIXTURE_GARBAGE,         /* the id, then noise */
	DNS_FIXTURE_SHORT,           /* five bytes */
	DNS_FIXTURE_POINTER_LOOP,
	DNS_FIXTURE_BAD_RDLENGTH,
	DNS_FIXTURE_BARE_ERROR,      /* header with the rcode, no question */
	DNS_FIXTURE_TCP_CLOSE,       /* over TCP only: closes without an answer */
	DNS_FIXTURE_TCP_SILENT,
	DNS_FIXTURE_TCP_HALF         /* half the reply, then silence */
};

struct dns_fixture_rule {
	enum dns_fixture_fault fault;
	int rcode;
	int addresses;     /* of the asked type, counted up from 192.0.2.1 or 2001:db8::1 */
	int aliases;       /* alias-1.example, alias-2.example, … before them */
	uint32_t ttl_s;
	int64_t delay_us;
	int64_t think_us;  /* keeps the loop for so long before a reply over UDP */
	int64_t busy_us;   /* and after it */
	int drop_first;    /* datagrams from now on that are not answered */
	bool is_truncated; /* over UDP: TC and no records */
};

/* `host` is "127.0.0.1" or "::1"; the port is free for both protocols. */
struct dns_fixture *dns_fixture_new(struct loop *loop, const char *host);
void dns_fixture_free(struct dns_fixture *fixture);

struct dns_fixture_rule *dns_fixture_rule(struct dns_fixture *fixture);
union address dns_fixture_address(const struct dns_fixture *fixture);

/* Questions received since the start. */
size_t dns_fixture_datagrams(const struct dns_fixture *fixture);
size_t dns_fixture_streams(const struct dns_fixture *fixture);

/* Closes the TCP side: connections are refused. */
void dns_fixture_stop_tcp(struct dns_fixture *fixture);

#endif
