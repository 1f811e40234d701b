/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: we open and connect them, curl talks over them, and both have them watched here. */
#include "lattice-probe/http.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

static int grow_table(struct http_client *client, size_t needed)
{
	size_t capacity = client->socket_capacity ? client->socket_capacity : 64;
	struct http_socket **sockets;

	while (capacity < needed)
		capacity *= 2;
	sockets = realloc(client->sockets, capacity * sizeof(*sockets));
	if (!sockets)
		return ERR_NOMEM;
	memset(sockets + client->socket_capacity, 0,
		(capacity - client->socket_capacity) * sizeof(*sockets));
	client->sockets = sockets;
	client->socket_capacity = capacity;
	return 0;
}

/* NULL: never seen. The table is as long as the highest descriptor, so RLIMIT_NOFILE bounds it. */
static struct http_socket *find_socket(const struct http_client *client, int fd)
{
	return (size_t)fd < client->socket_capacity ? client->sockets[fd] : NULL;
}

static struct http_socket *make_socket(struct http_client *client, int fd)
{
	struct http_socket *found = find_socket(client, fd);

	if (found)
		return found;
	if ((size_t)fd >= client->socket_capacity && grow_table(client, (size_t)fd + 1) != 0)
		return NULL;
	client->sockets[fd] = calloc(1, sizeof **client->sockets);
	if (client->sockets[fd]) {
		client->sockets[fd]->client = client;
		client->sockets[fd]->fd = fd;
	}
	return client->sockets[fd];
}

/* The descriptor goes; the watch of it with it. */
static int close_socket(struct http_socket *watched, int fd)
{
	int result = close(fd);

	if (watched) {
		loop_poll_closed(watched->poll);
		watched->poll = NULL;
		watched->is_connecting = false;
	}
	return result;
}

static void on_event(void *user, int events);

/* ---- connecting --------------------------------------------------------------------------- */

static void on_connected(struct http_socket *watched)
{
	struct http_transfer *transfer = watched->transfer;
	int os_errno = 0;
	socklen_t length = sizeof os_errno;

	watched->is_connecting = false;
	(void)loop_poll_change(watched->poll, 0);
	if (getsockopt(watched->fd, SOL_SOCKET, SO_ERROR, &os_errno, &length) != 0)
		os_errno = errno;
	transfer->reply.os_errno = os_errno;
	/* A reset came after the handshake: a refused SYN says ECONNREFUSED. */
	if (os_errno == 0 || os_errno == ECONNRESET || os_errno == EPIPE)
		http_connected(transfer);
	if (os_errno == 0 && transfer->request.ends_at_tls && !transfer->request.url->is_tls)
		http_end(transfer, HTTP_END_DONE, CURLE_OK);
	else if (os_errno == 0)
		http_hand_over(transfer);
	else
		http_end(transfer, HTTP_END_ERROR,
			mono_is_set(transfer->reply.connected) ? CURLE_RECV_ERROR : CURLE_COULDNT_CONNECT);
	http_deliver(watched->client);
}

static union address destination(const struct http_request *request)
{
	union address address = request->address;

	if (request->proxy) {
		const char *text = strstr(request->proxy, "://");

		address = (union address){ 0 };
		(void)parse_address(text ? text + 3 : request->proxy, 0, &address);
	}
	return address;
}

/* A call that failed before any packet left: errno is this host's own word. */
static int refuse(struct http_transfer *transfer, CURLcode code)
{
	transfer->reply.is_refused_here = true;
	return http_end_soon(transfer, code, errno);
}

/* The watch comes first: nobody would hear the answer to a SYN sent without it. */
static int begin_connect(struct http_transfer *transfer, const union address *address)
{
	struct http_socket *watched = make_socket(transfer->client, transfer->fd);

	if (!watched)
		return ERR_NOMEM;
	if (connect(transfer->fd, &address->sa, address_length(address)) != 0 && errno != EINPROGRESS)
		return refuse(transfer, CURLE_COULDNT_CONNECT);
	watched->transfer = transfer;
	watched->poll = loop_poll_start(transfer->client->loop, transfer->fd, LOOP_WRITE, on_event, watched);
	watched->is_connecting = watched->poll != NULL;
	return watched->poll ? 0 : ERR_NOMEM;
}

/* The SYN carries it, so it has to be set before. */
static bool limit_segments(int fd, int max_segment_bytes)
{
	return max_segment_bytes == 0 ||
	       setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &max_segment_bytes, sizeof max_segment_bytes) == 0;
}

int http_socket_connect(struct http_transfer *transfer)
{
	union address address = destination(&transfer->request);

	transfer->reply.start = mono_now();
	transfer->fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	/* A kernel without IPv6 has no route for it: no shortage of this host. */
	transfer->is_attempted = transfer->fd >= 0 ||
				 (errno == EAFNOSUPPORT && address.sa.sa_family == AF_INET6);
	if (transfer->fd < 0)
		return refuse(transfer, CURLE_COULDNT_CONNECT);
	transfer->is_fd_ours = true;
	if (!limit_segments(transfer->fd, transfer->request.max_segment_bytes)) {
		transfer->is_attempted = false;
		return refuse(transfer, CURLE_BAD_FUNCTION_ARGUMENT);
	}
	return begin_connect(transfer, &address);
}

/* ---- in curl's hands ---------------------------------------------------------------------- */

curl_socket_t http_socket_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *transfer = user;

	(void)purpose;
	(void)address;
	/* A second connection (curl retries some HTTP/2 refusals by itself) would be another probe. */
	if (!transfer->is_fd_ours)
		return CURL_SOCKET_BAD;
	transfer->is_fd_ours = false;
	return transfer->fd;
}

int http_socket_configure(void *user, curl_socket_t fd, curlsocktype purpose)
{
	(void)user;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

int http_socket_close(void *user, curl_socket_t fd)
{
	struct http_client *client = user;
	struct http_socket *watched = find_socket(client, fd);

	if (watched && watched->transfer) {
		http_socket_measure(watched->transfer);
		watched->transfer->fd = -1;
		watched->transfer = NULL;
	}
	return close_socket(watched, fd);
}

static void on_ready(struct http_socket *watched, int events)
{
	struct http_client *client = watched->client;
	struct http_transfer *transfer = watched->transfer; /* ended or not, it lives until http_deliver */
	struct mono begun = mono_now();

	http_drive(client, watched->fd,
		(events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
	if (transfer)
		http_note_work(transfer, begun);
	http_deliver(client);
}

static void on_event(void *user, int events)
{
	struct http_socket *watched = user;

	if (watched->is_connecting)
		on_connected(watched);
	else
		on_ready(watched, events);
}

/* Never fails in curl's eyes: a failing callback would make the whole multi handle unusable. */
int http_socket_watch(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct http_client *client = user;
	struct http_socket *watched = make_socket(client, fd);
	int events = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);

	(void)easy;
	(void)socket_user;
	if (!watched || (what == CURL_POLL_REMOVE && !watched->poll))
		return 0;
	if (!watched->poll)
		watched->poll = loop_poll_start(client->loop, fd, events, on_event, watched);
	if ((!watched->poll || loop_poll_change(watched->poll, events) != 0) && watched->transfer)
		(void)http_end_soon(watched->transfer, CURLE_OUT_OF_MEMORY, 0);
	return 0;
}

/* ---- the end ------------------------------------------------------------------------------ */

void http_socket_measure(struct http_transfer *transfer)
{
	if (transfer->fd < 0 || transfer->is_measured)
		return;
	transfer->is_measured = tcp_info_read(transfer->fd, &transfer->tcp);
}

void http_socket_release(struct http_transfer *transfer)
{
	struct http_socket *watched;

	if (transfer->fd < 0)
		return;
	watched = find_socket(transfer->client, transfer->fd);
	if (watched)
		watched->transfer = NULL;
	if (transfer->is_fd_ours)
		(void)close_socket(watched, transfer->fd);
	transfer->fd = -1;
}

void http_socket_done(struct http_client *client)
{
	for (size_t i = 0; i < client->socket_capacity; i++) {
		if (client->sockets[i])
			loop_poll_stop(client->sockets[i]->poll);
		free(client->sockets[i]);
	}
	free(client->sockets);
	client->sockets = NULL;
	client->socket_capacity = 0;
}
