/* SPDX-License-Identifier: Apache-2.0 */
/* aws_call: one signed request to an AWS endpoint: resolved by our own resolver on a channel and budget
 * of its own, pinned, signed for the corrected clock, sent by http. Measures the clock skew from the
 * Date of each reply. Classifies the reply; retries nothing. */
#ifndef LATTICE_PROBE_AWS_CALL_H
#define LATTICE_PROBE_AWS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/sigv4.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"

struct loop;
struct http_client;
struct aws_transport;
struct aws_call;

struct aws_transport_options {
	const char *ca_file;       /* AWS_CA_BUNDLE or NULL */
	const char *proxy;         /* "http://host:port" or NULL; never used for link-local or loopback */
	const struct target_resolver *resolver; /* copied; NULL: system */
};

/* NULL: no memory. */
struct aws_transport *aws_transport_new(struct loop *loop, const struct aws_transport_options *options);
void aws_transport_free(struct aws_transport *transport);
struct http_client *aws_transport_http(struct aws_transport *transport);

/* Clock of AWS minus ours, in microseconds, from the last Date seen; 0 until then. */
int64_t aws_transport_skew_us(const struct aws_transport *transport);

/* What kind of end a call had; one table in aws_class.c maps status × code to it. */
enum aws_class {
	AWS_CLASS_OK,         /* 2xx, whatever the body */
	AWS_CLASS_THROTTLED,  /* also as 400 */
	AWS_CLASS_SERVER,     /* 5xx, 408 */
	AWS_CLASS_TIMEOUT,    /* no answer, connection not known to have carried the request */
	AWS_CLASS_IN_DOUBT,   /* the request was sent whole, the reply never came whole */
	AWS_CLASS_INVALID,    /* 400 for the content: bisect */
	AWS_CLASS_TOO_LARGE,  /* 413 */
	AWS_CLASS_DENIED,     /* 403 AccessDenied: hold, say the permission */
	AWS_CLASS_EXPIRED,    /* ExpiredToken, UnrecognizedClient: refresh, once */
	AWS_CLASS_SKEWED,     /* signature refused for its time: correct, retry */
	AWS_CLASS_TLS,        /* the endpoint's certificate is not trusted, or no handshake */
	AWS_CLASS_UNREACHABLE,/* DNS or connect failed */
	AWS_CLASS_LOCAL       /* no memory, no descriptor, no credentials */
};
const char *aws_class_name(enum aws_class class_);

struct aws_reply {
	enum aws_class class_;
	int status;              /* 0: none */
	char code[96];           /* "ThrottlingException", from x-amzn-query-error or __type */
	char message[256];       /* printable, cut, ARNs' account ids masked; for logs */
	int64_t retry_after_us;  /* x-amz-retry-after or Retry-After; 0: not said */
	const char *body;        /* borrowed until the callback returns */
	size_t body_bytes;
};

#define AWS_REPLY_DEFAULT_BYTES (64 * 1024)
#define AWS_REPLY_MAX_BYTES (1024 * 1024)

struct aws_request {
	const char *endpoint;    /* "https://host[:port][/path][?query]", encoded as sent; copied */
	const char *method;      /* static text; NULL: POST */
	const char *service;     /* signing name; copied. NULL: send unsigned (STS web identity) */
	const char *region;      /* copied */
	const struct credentials_set *credentials; /* borrows until return */
	const struct sigv4_header *headers; /* content-type, x-amz-target, …; copied */
	size_t header_count;
	const void *body;        /* borrows until the callback */
	size_t body_bytes;
	int64_t timeout_us;
	int64_t max_reply_bytes; /* of the body, at most AWS_REPLY_MAX_BYTES; 0: AWS_REPLY_DEFAULT_BYTES */
};

/* `finished` runs once, never from inside this call. NULL: no memory. */
struct aws_call *aws_call_start(struct aws_transport *transport, const struct aws_request *request,
	void (*finished)(void *user, const struct aws_reply *reply), void *user);
void aws_call_cancel(struct aws_call *call);

/* The classification of a complete reply alone (pure, tested row by row): by the code, and by the
 * status where the code is unknown or "". */
enum aws_class aws_class_of(int status, const char *code);

/* A clock this far off is refused (as botocore and the SDKs have it; AWS does not document it). */
#define AWS_SKEW_REFUSED_US (300 * US_PER_S)

/* A refused signature that was refused for its time is AWS_CLASS_SKEWED: its message says so, or the
 * reply's Date moved our measured skew by more than AWS allows. Anything else stays as it is. */
enum aws_class aws_class_refine(enum aws_class class_, const char *code, const char *message, int64_t skew_change_us);

/* The clock of AWS minus ours, from a Date and the instants, by our clock, between which it was
 * written; 0 when the two agree as far as this can tell. Pure. */
int64_t aws_transport_estimate_skew_us(struct wall date, struct wall sent, struct wall answered);

#endif
