/* SPDX-License-Identifier: Apache-2.0 */
/* http: one HTTP request on one fresh connection to one pinned address, by curl's multi interface
 * on the loop. Says what happened and when, in marks of our own; judges nothing. No proxy unless
 * asked, no resolver of curl's, no TLS session reuse, no connection reuse. Opens and connects its
 * sockets itself (curl gets them connected), so that the connect has its own errno, time and limit.
 * Used by probes and by the AWS calls alike. Owns the CA store and curl's handles. Returns; never
 * logs. */
#ifndef LATTICE_PROBE_HTTP_H
#define LATTICE_PROBE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"
#include "lattice-probe/url.h"

struct loop;
struct http_client;
struct http_transfer;

#define HTTP_HEADERS_MAX_BYTES (64 * 1024) /* of one response; more is "too large" */
#define HTTP_HEADERS_MAX_COUNT 200

/* Why this libcurl cannot be used (its TLS is not the OpenSSL we are linked to); NULL: it can.
 * Static text, for the message when http_client_new fails. */
const char *http_client_obstacle(void);

/* ca_file: a PEM bundle instead of the system's (AWS_CA_BUNDLE), NULL for the system's. The store is
 * loaded on first use of TLS and again when the file changes. Ignores SIGPIPE in the process unless
 * somebody handles it. NULL: no memory, or the obstacle above. */
struct http_client *http_client_new(struct loop *loop, const char *ca_file);
void http_client_free(struct http_client *client); /* transfers must have been cancelled */

/* Loads the client's store, or that of a PEM file, ahead of the first transfer that needs it: a bundle
 * takes tens of milliseconds, which would fall into the phases of whatever else is going on. What
 * cannot be loaded is left to that transfer to tell. */
void http_client_load_trust(struct http_client *client, const char *tls_ca);

struct http_request {
	const struct url *url;            /* borrows until the callback */
	union address address;            /* where to connect, port included; unused with a proxy */
	const char *method;               /* borrows until the callback, like all below */
	const struct target_header *headers;
	size_t header_count;
	const char *body;                 /* NULL: none. Any method but HEAD may have one */
	size_t body_bytes;
	enum target_http version;         /* 2 over TLS offers 1.1 as well: see http_version in the reply */
	const char *tls_ca;               /* PEM file for this request only; NULL: the client's store */
	bool tls_verify;
	const char *proxy;                /* "http://host:port", host resolved to an address; NULL: none.
	                                     It gets the name; asking it for a tunnel is part of TLS */
	int64_t connect_timeout_us;       /* of the TCP phase */
	int64_t tls_timeout_us;           /* of the TLS phase */
	struct mono deadline;             /* of the whole; never extended */
	int64_t max_body_bytes;           /* the transfer ends when a body is longer */
	int max_segment_bytes;            /* TCP_MAXSEG, for both directions, 88 to 32767; 0: as the kernel
	                                     finds it */
	bool ends_at_tls;                 /* end as DONE with status 0 once the handshake is done and the
	                                     certificate accepted (for http: once connected), without a byte
	                                     of HTTP. What TLS 1.3 lets a server refuse later is not seen */
	bool keep_body;                   /* false: only counted (no expectation needs it), but the first
	                                     8 KiB of a 403 are kept: they say who refused */
};

/* Where a transfer stood when it ended. */
enum http_stage {
	HTTP_STAGE_SETUP,      /* before the SYN: no fd, no memory, no CA file, nonsense in the request */
	HTTP_STAGE_CONNECT,
	HTTP_STAGE_TLS,        /* until the peer's certificate and ours are accepted by both sides */
	HTTP_STAGE_FIRST_BYTE, /* request being sent or answer awaited */
	HTTP_STAGE_TRANSFER,   /* first byte seen, response not complete */
	HTTP_STAGE_DONE
};

enum http_end {
	HTTP_END_DONE,         /* a complete response */
	HTTP_END_TIMEOUT,      /* one of our limits; `stage` says which phase ran */
	HTTP_END_TOO_LARGE,    /* headers or body over the limit */
	HTTP_END_ERROR         /* curl_code, os_errno and verify_result say why */
};

struct http_header_line {
	const char *name;  /* as received */
	const char *value; /* trimmed */
};

/* What happened. Marks that were not reached are never (us == 0). */
struct http_reply {
	enum http_end end;
	enum http_stage stage;
	int curl_code;         /* CURLcode for the outcome table, evened out between curl's versions */
	int os_errno;          /* of connect or I/O; 0: none */
	bool is_refused_here;  /* os_errno is this host's own word: no packet has left for it */
	long verify_result;    /* X509_V_ERR_… of the chain, of several faults expiry first; 0: verified or
	                          not asked */
	bool name_mismatch;    /* the certificate is not for the host, whatever else is wrong */

	struct mono start;     /* before the socket was opened */
	struct mono connected;
	struct mono secured;   /* end of the TLS handshake */
	struct mono first_byte;
	struct mono finished;

	int status;            /* 0: no final response (1xx is none) */
	int http_version;      /* 10, 11, 20; 0 like status */
	const struct http_header_line *headers; /* of the final response; borrowed until the callback returns */
	size_t header_count;
	const char *body;      /* kept bytes, NUL-terminated; borrowed until the callback returns */
	size_t body_bytes;     /* kept */
	int64_t received_bytes;/* of the body, counted */

	bool has_certificate;
	int32_t certificate_days; /* floor of days until notAfter, negative when past */
	struct wall certificate_not_after;
	char certificate_subject[128];
	char certificate_issuer[128];
	char tls_version[16];  /* "TLSv1.3"; "" without TLS */
	char alpn[16];         /* the protocol agreed on, "h2"; "" none */
	int tls_alert;         /* description of the fatal alert received (RFC 8446 section 6.2); -1: none */
	bool is_not_tls;       /* what the peer sent first in the handshake is no TLS record: another protocol
	                          (a plain HTTP server's 400), or fewer bytes than a record's header */

	int64_t work_us;       /* the longest stretch of our own computing for it (a handshake's): no lag */
	int64_t tcp_rtt_us;    /* TCP_INFO; -1 unless ESTABLISHED was reached */
	int32_t tcp_retransmits; /* total; -1: unknown */
	int tcp_mss_bytes;     /* our SYN's MSS: the largest segment we offered to take; 0: unknown */
	char detail[160];      /* the stage and what the system or curl say, made printable; for people */
};

/* Starts. `finished` runs once, from the loop, never from inside this call, with a reply borrowed
 * until it returns; the handle dies with it. It may start and cancel other transfers, but not free
 * the client. NULL: no memory, no callback will run. */
struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
	void (*finished)(void *user, const struct http_reply *reply), void *user);
void http_cancel(struct http_transfer *transfer); /* no callback; NULL is fine */

/* The first header of that name, without case; NULL: none. */
const char *http_reply_header(const struct http_reply *reply, const char *name);

#endif
