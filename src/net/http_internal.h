/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of http share; it never leaves this room.
 *
 * One transfer, from top to bottom:
 *   http.c           http_start: a transfer on the `running` list with a limit of time on it
 *   http_options.c   the request as options of a curl handle (CA store loaded here, outside all phases)
 *   http_socket.c    socket() and connect() by ourselves, then the connected fd for curl
 *   http_tls.c       verification, certificate, end of the handshake
 *   http_response.c  header and body callbacks
 *   http_reply.c     what it came to, the same for every version of curl
 *   http.c           http_end takes it apart; delivery, outside of curl's callbacks
 *
 * Why the connect is ours: curl reports neither the instant nor, on failure, always the errno of a
 * connect, and differs by version in both. A connected socket handed over by CURLOPT_OPENSOCKETFUNCTION
 * with CURL_SOCKOPT_ALREADY_CONNECTED leaves curl TLS and HTTP only. */
#ifndef LATTICE_PROBE_HTTP_INTERNAL_H
#define LATTICE_PROBE_HTTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "net_internal.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"

#define HTTP_TRUST_MAX 16                /* CA stores kept: the system's and files of tls_ca */
#define HTTP_DENIAL_BYTES (8 * 1024)     /* of a 403's body, kept even when nobody asked for it */

/* ---- CA stores ---------------------------------------------------------------------------- */

struct http_trust_entry {
	char *path;              /* NULL: OpenSSL's default places */
	struct stat stamp;       /* of the file when it was read */
	X509_STORE *store;       /* NULL: the entry is free */
	uint64_t used;           /* when last, in calls */
};

struct http_trust {
	struct http_trust_entry entries[HTTP_TRUST_MAX];
	uint64_t calls;
};

/* Gives a reference to the store of a PEM file, read again when the file has changed (the old one
 * stays in use when the new one cannot be read). 0, ERR_IO, ERR_NOMEM. */
int http_trust_get(struct http_trust *trust, const char *path, X509_STORE **ret_store);
void http_trust_done(struct http_trust *trust);

/* ---- the client --------------------------------------------------------------------------- */

TAILQ_HEAD(http_transfer_list, http_transfer);

/* One per file descriptor number that ever carried a transfer; kept, so that curl may go on using a
 * connection (TLS shutdown) when its transfer is long gone. */
struct http_socket {
	struct http_client *client;
	struct http_transfer *transfer; /* NULL: over */
	struct loop_poll *poll;
	bool is_connecting;             /* not in curl's hands yet */
	int fd;
};

struct http_client {
	struct loop *loop;
	char *ca_file;
	bool is_curl_initialised;
	bool has_http2;
	CURLM *multi;
	struct loop_timer curl_timer;
	bool is_driving;  /* inside curl_multi_socket_action */
	bool wants_run;   /* curl asked for a timer of 0 ms meanwhile */
	bool is_delivering;
	struct http_socket **sockets; /* by fd */
	size_t socket_capacity;
	struct http_transfer_list running;
	struct http_transfer_list ended; /* waiting for their `finished` */
	struct http_trust trust;
};

/* What came back so far. */
struct http_response {
	struct buf header_text;   /* name NUL value NUL, of the final response */
	size_t header_count;
	size_t header_bytes;      /* received, of all responses and trailers */
	bool is_header_complete;  /* the empty line of the final response was seen */
	bool is_too_large;
	int status;               /* of the current header block; 1xx too */
	int http_version;
	struct buf body;
	int64_t body_bytes;       /* received */
};

struct http_transfer {
	TAILQ_ENTRY(http_transfer) link;
	struct http_transfer_list *list;
	struct http_client *client;
	struct http_request request; /* what it points at is borrowed until the callback */
	void (*finished)(void *user, const struct http_reply *reply);
	void *user;
	struct loop_timer timer;     /* the running limit */

	CURL *easy;
	bool is_in_multi;
	CURLcode broken;             /* why it will be ended by on_broken */
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	char error[CURL_ERROR_SIZE];
	bool is_out_of_memory;       /* whatever curl makes of it */

	int fd;                      /* -1: none (any more) */
	bool is_fd_ours;             /* curl has not taken it over */
	bool is_attempted;           /* past SETUP: a SYN left, or a route refused it */
	bool is_measured;
	struct tcp_info_reading tcp;

	X509_STORE *store;           /* for SSL_CTX_FUNCTION; NULL: not verified */
	SSL_CTX *tls_context;        /* a reference, to unhook ourselves at the end */
	bool has_record;             /* the header of the peer's first TLS record, or what stands there, was seen */
	long verify_expired;         /* first fault of each kind that the chain has */
	long verify_other;

	struct http_response response;
	struct http_header_line *lines;
	struct http_reply reply;
};

/* http.c */
void http_drive(struct http_client *client, curl_socket_t fd, int events);
void http_end(struct http_transfer *transfer, enum http_end end, CURLcode code);
void http_deliver(struct http_client *client);
int http_end_soon(struct http_transfer *transfer, CURLcode code, int os_errno); /* 0 or ERR_NOMEM */
void http_connected(struct http_transfer *transfer);
void http_note_work(struct http_transfer *transfer, struct mono begun);
void http_hand_over(struct http_transfer *transfer); /* the connected socket to curl; drives */
void http_secured(struct http_transfer *transfer);

/* http_memory.c: curl_global_init, with memory that is wiped when it is freed. */
CURLcode http_memory_init(void);

/* http_options.c: the whole request into transfer->easy. */
CURLcode http_options_apply(struct http_transfer *transfer);
void http_options_done(struct http_transfer *transfer);

/* http_socket.c */
int http_socket_connect(struct http_transfer *transfer); /* 0, ERR_NOMEM; a failed connect ends soon */
void http_socket_measure(struct http_transfer *transfer);
void http_socket_release(struct http_transfer *transfer);
void http_socket_done(struct http_client *client);
int http_socket_watch(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user);
curl_socket_t http_socket_open(void *user, curlsocktype purpose, struct curl_sockaddr *address);
int http_socket_configure(void *user, curl_socket_t fd, curlsocktype purpose);
int http_socket_close(void *user, curl_socket_t fd);

/* http_tls.c */
CURLcode http_tls_setup(CURL *easy, void *context, void *user);
void http_tls_done(struct http_transfer *transfer);
bool http_tls_init(void);

/* http_reply.c: the end as http.h tells it; the curl handle is still there. */
void http_reply_settle(struct http_transfer *transfer, enum http_end end, CURLcode code);

/* http_response.c */
size_t http_response_header(char *bytes, size_t size, size_t count, void *user);
size_t http_response_body(char *bytes, size_t size, size_t count, void *user);
int http_response_finish(struct http_transfer *transfer); /* 0 or ERR_NOMEM */

#endif
