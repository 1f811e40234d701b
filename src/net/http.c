/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/http.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "http_internal.h"

#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/units.h"

/* How often curl may ask to be run again "in 0 ms" before the loop gets its turn: 8.14 does so once or
 * twice in a body of 1 MB. A loop timer takes a millisecond at least, which would be measured as the
 * service's. */
#define RUNS_MAX 16

static void on_curl_timer(void *user);

/* ---- curl's multi interface --------------------------------------------------------------- */

static int set_curl_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct http_client *client = user;

	(void)multi;
	client->wants_run = timeout_ms == 0;
	if (timeout_ms < 0 || (timeout_ms == 0 && client->is_driving))
		loop_timer_stop(client->loop, &client->curl_timer);
	else
		/* Without it only curl's own timeouts are lost, and ours stand in front of those. */
		(void)loop_timer_start(client->loop, &client->curl_timer,
			mono_add(mono_now(), timeout_ms * US_PER_MS), on_curl_timer, client);
	return 0;
}

static void collect_ended(struct http_client *client)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct http_transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		if (transfer)
			http_end(transfer, HTTP_END_ERROR, message->data.result);
	}
}

void http_drive(struct http_client *client, curl_socket_t fd, int events)
{
	int running;

	client->is_driving = true;
	client->wants_run = false;
	(void)curl_multi_socket_action(client->multi, fd, events, &running);
	for (int i = 0; client->wants_run && i < RUNS_MAX; i++) {
		client->wants_run = false;
		(void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	client->is_driving = false;
	if (client->wants_run)
		(void)set_curl_timer(client->multi, 0, client);
	collect_ended(client);
}

static void on_curl_timer(void *user)
{
	struct http_client *client = user;

	http_drive(client, CURL_SOCKET_TIMEOUT, 0);
	http_deliver(client);
}

/* ---- the client --------------------------------------------------------------------------- */

const char *http_client_obstacle(void)
{
	static char words[128];
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	char wanted[32];

	/* Certificates are read by OpenSSL's functions in OpenSSL's objects: the one we are linked to. */
	(void)snprintf(wanted, sizeof wanted, "OpenSSL/%u.", OPENSSL_version_major());
	if (info->ssl_version && strncmp(info->ssl_version, wanted, strlen(wanted)) == 0)
		return NULL;
	(void)snprintf(words, sizeof words, "libcurl %s uses %s for TLS, OpenSSL %u is needed", info->version,
		info->ssl_version ? info->ssl_version : "nothing", OPENSSL_version_major());
	return words;
}

/* curl leaves SIGPIPE alone with CURLOPT_NOSIGNAL, and older OpenSSL sockets write() into
 * connections that the peer has closed. */
static void ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		(void)signal(SIGPIPE, SIG_IGN);
}

static int set_multi(struct http_client *client)
{
	client->multi = curl_multi_init();
	if (!client->multi)
		return ERR_NOMEM;
	if (curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, http_socket_watch) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK)
		return ERR_UNSUPPORTED;
	return 0;
}

struct http_client *http_client_new(struct loop *loop, const char *ca_file)
{
	struct http_client *client;

	if (http_client_obstacle())
		return NULL;
	client = calloc(1, sizeof *client);
	if (!client)
		return NULL;
	client->loop = loop;
	TAILQ_INIT(&client->running);
	TAILQ_INIT(&client->ended);
	client->is_curl_initialised = http_memory_init() == CURLE_OK;
	if (!client->is_curl_initialised || !http_tls_init() || set_multi(client) != 0)
		goto fail;
	client->has_http2 = curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2;
	client->ca_file = ca_file ? strdup(ca_file) : NULL;
	if (ca_file && !client->ca_file)
		goto fail;
	ignore_sigpipe();
	return client;
fail:
	http_client_free(client);
	return NULL;
}

void http_client_load_trust(struct http_client *client, const char *tls_ca)
{
	X509_STORE *store;

	if (http_trust_get(&client->trust, tls_ca ? tls_ca : client->ca_file, &store) == 0)
		X509_STORE_free(store); /* the trust keeps its own reference */
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	assert(TAILQ_EMPTY(&client->running) && TAILQ_EMPTY(&client->ended) && !client->is_delivering);
	if (client->multi)
		(void)curl_multi_cleanup(client->multi);
	loop_timer_stop(client->loop, &client->curl_timer);
	http_socket_done(client);
	http_trust_done(&client->trust);
	if (client->is_curl_initialised)
		curl_global_cleanup();
	free(client->ca_file);
	free(client);
}

/* ---- a transfer --------------------------------------------------------------------------- */

static void move_to(struct http_transfer *transfer, struct http_transfer_list *list)
{
	if (transfer->list)
		TAILQ_REMOVE(transfer->list, transfer, link);
	if (list)
		TAILQ_INSERT_TAIL(list, transfer, link);
	transfer->list = list;
}

/* Everything but the reply: connection, curl handle, timer. */
static void disconnect(struct http_transfer *transfer)
{
	struct http_client *client = transfer->client;

	loop_timer_stop(client->loop, &transfer->timer);
	http_socket_release(transfer);
	/* First, because curl reads once more before it closes, and that read may end the handshake: its
	 * hooks would change a reply that is settled, and start the timer of a transfer that goes. */
	http_tls_done(transfer);
	if (transfer->is_in_multi)
		(void)curl_multi_remove_handle(client->multi, transfer->easy);
	transfer->is_in_multi = false;
	/* Never used again: before curl 8.1 a folded header at the start of the next response wrote into
	 * the freed headers of the last one. A new handle costs 2 µs. */
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	http_options_done(transfer);
}

static void transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;
	disconnect(transfer);
	move_to(transfer, NULL);
	buf_done(&transfer->response.header_text);
	buf_done_secret(&transfer->response.body);
	free(transfer->lines);
	free(transfer);
}

static struct http_transfer *transfer_new(struct http_client *client, const struct http_request *request,
	void (*finished)(void *user, const struct http_reply *reply), void *user)
{
	struct http_transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	transfer->client = client;
	transfer->request = *request;
	transfer->finished = finished;
	transfer->user = user;
	transfer->fd = -1;
	transfer->reply.tcp_rtt_us = -1;
	transfer->reply.tcp_retransmits = -1;
	transfer->reply.tls_alert = -1;
	buf_init(&transfer->response.header_text, 2 * HTTP_HEADERS_MAX_BYTES);
	buf_init(&transfer->response.body, (size_t)request->max_body_bytes);
	move_to(transfer, &client->running);
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		goto fail;
	return transfer;
fail:
	transfer_free(transfer);
	return NULL;
}

/* ---- limits ------------------------------------------------------------------------------- */

static void on_limit(void *user)
{
	struct http_transfer *transfer = user;
	struct http_client *client = transfer->client;

	http_end(transfer, HTTP_END_TIMEOUT, CURLE_OPERATION_TIMEDOUT);
	http_deliver(client);
}

static void on_broken(void *user)
{
	struct http_transfer *transfer = user;
	struct http_client *client = transfer->client;

	http_end(transfer, HTTP_END_ERROR, transfer->broken);
	http_deliver(client);
}

/* The phase that begins at `since` may last `limit_us`, and never beyond the deadline. */
static int limit_phase(struct http_transfer *transfer, struct mono since, int64_t limit_us)
{
	struct mono due = mono_add(since, limit_us);

	if (transfer->request.deadline.us < due.us)
		due = transfer->request.deadline;
	return loop_timer_start(transfer->client->loop, &transfer->timer, due, on_limit, transfer);
}

int http_end_soon(struct http_transfer *transfer, CURLcode code, int os_errno)
{
	transfer->broken = code;
	transfer->reply.os_errno = os_errno;
	return loop_timer_start(transfer->client->loop, &transfer->timer, mono_now(), on_broken, transfer);
}

void http_connected(struct http_transfer *transfer)
{
	struct http_reply *reply = &transfer->reply;

	reply->connected = mono_now();
	/* Moving a running timer needs no memory. */
	if (transfer->request.url->is_tls)
		(void)limit_phase(transfer, reply->connected, transfer->request.tls_timeout_us);
	else
		(void)limit_phase(transfer, transfer->request.deadline, 0);
}

/* What ran since `begun` was done for this transfer. A handshake's arithmetic keeps the loop for a
 * millisecond or more; it belongs to the TLS phase and is nobody else's doing. */
void http_note_work(struct http_transfer *transfer, struct mono begun)
{
	int64_t work_us = mono_since(mono_now(), begun);

	if (work_us > transfer->reply.work_us)
		transfer->reply.work_us = work_us;
}

void http_hand_over(struct http_transfer *transfer)
{
	struct http_client *client = transfer->client;
	struct mono begun = mono_now();

	if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
		http_end(transfer, HTTP_END_ERROR, CURLE_OUT_OF_MEMORY);
		return;
	}
	transfer->is_in_multi = true;
	http_drive(client, CURL_SOCKET_TIMEOUT, 0);
	http_note_work(transfer, begun);
}

void http_secured(struct http_transfer *transfer)
{
	transfer->reply.secured = mono_now();
	(void)limit_phase(transfer, transfer->request.deadline, 0);
}

/* ---- start, end, delivery ----------------------------------------------------------------- */

struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
	void (*finished)(void *user, const struct http_reply *reply), void *user)
{
	struct http_transfer *transfer = transfer_new(client, request, finished, user);
	CURLcode code;
	int err;

	if (!transfer)
		return NULL;
	code = http_options_apply(transfer);
	if (code == CURLE_OUT_OF_MEMORY)
		goto fail;
	err = limit_phase(transfer, mono_now(), request->connect_timeout_us);
	if (err)
		goto fail;
	transfer->reply.start = mono_now();
	err = code == CURLE_OK ? http_socket_connect(transfer) : http_end_soon(transfer, code, 0);
	if (err)
		goto fail;
	return transfer;
fail:
	transfer_free(transfer);
	return NULL;
}

void http_cancel(struct http_transfer *transfer)
{
	transfer_free(transfer);
}

void http_deliver(struct http_client *client)
{
	struct http_transfer *transfer;

	if (client->is_delivering)
		return;
	client->is_delivering = true;
	while ((transfer = TAILQ_FIRST(&client->ended))) {
		move_to(transfer, NULL);
		transfer->finished(transfer->user, &transfer->reply);
		transfer_free(transfer);
	}
	client->is_delivering = false;
}

void http_end(struct http_transfer *transfer, enum http_end end, CURLcode code)
{
	transfer->reply.finished = mono_now();
	http_socket_measure(transfer);
	http_reply_settle(transfer, end, code);
	disconnect(transfer);
	move_to(transfer, &transfer->client->ended);
}
