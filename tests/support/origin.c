/* SPDX-License-Identifier: Apache-2.0 */
#include "origin.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct origin {
	int listener;
	int stop_pipe[2];
	SSL_CTX *context;
	origin_script script;
	const void *data;
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock; /* guards `current` and `is_stopping` */
	int current;
	bool is_stopping;
	unsigned accepted;
	size_t request_length;
	char request[ORIGIN_REQUEST_MAX + 1];
};

/* Trouble of the test itself, not of what is tested. */
static void must(bool is_fine)
{
	if (!is_fine)
		abort();
}

static bool set_current(struct origin *origin, int fd)
{
	bool is_stopping;

	must(pthread_mutex_lock(&origin->lock) == 0);
	origin->current = fd;
	is_stopping = origin->is_stopping;
	must(pthread_mutex_unlock(&origin->lock) == 0);
	return !is_stopping;
}

static void serve(struct origin *origin, int fd)
{
	struct origin_connection connection = { .origin = origin, .fd = fd, .data = origin->data };
	bool is_ready = set_current(origin, fd);

	origin->accepted++;
	if (is_ready && origin->context) {
		connection.tls = SSL_new(origin->context);
		must(connection.tls && SSL_set_fd(connection.tls, fd) == 1);
		is_ready = SSL_accept(connection.tls) == 1;
	}
	if (is_ready)
		origin->script(&connection);
	(void)set_current(origin, -1);
	if (connection.tls && SSL_is_init_finished(connection.tls))
		(void)SSL_shutdown(connection.tls);
	SSL_free(connection.tls);
	(void)close(fd);
}

static void *run(void *user)
{
	struct origin *origin = user;
	struct pollfd wait[2] = { { .fd = origin->listener, .events = POLLIN },
		{ .fd = origin->stop_pipe[0], .events = POLLIN } };

	while (poll(wait, 2, -1) > 0 && !wait[1].revents) {
		int fd = accept(origin->listener, NULL, NULL);

		if (fd >= 0)
			serve(origin, fd);
	}
	return NULL;
}

static int listen_on(int family)
{
	union address address;
	int fd;

	must(parse_address(family == AF_INET6 ? "::1" : "127.0.0.1", 0, &address) == 0);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && bind(fd, &address.sa, address_length(&address)) == 0 && listen(fd, 64) == 0);
	return fd;
}

struct origin *origin_start(int family, SSL_CTX *context, origin_script script, const void *data)
{
	struct origin *origin = calloc(1, sizeof *origin);

	must(origin != NULL);
	origin->listener = listen_on(family);
	origin->context = context;
	origin->script = script;
	origin->data = data;
	origin->current = -1;
	must(pipe(origin->stop_pipe) == 0 && pthread_mutex_init(&origin->lock, NULL) == 0);
	must(pthread_create(&origin->thread, NULL, run, origin) == 0);
	origin->is_running = true;
	return origin;
}

void origin_stop(struct origin *origin)
{
	if (!origin->is_running)
		return;
	must(pthread_mutex_lock(&origin->lock) == 0);
	origin->is_stopping = true;
	if (origin->current >= 0)
		(void)shutdown(origin->current, SHUT_RDWR);
	must(pthread_mutex_unlock(&origin->lock) == 0);
	must(write(origin->stop_pipe[1], "x", 1) == 1);
	must(pthread_join(origin->thread, NULL) == 0);
	origin->is_running = false;
}

void origin_free(struct origin *origin)
{
	if (!origin)
		return;
	origin_stop(origin);
	(void)close(origin->listener);
	(void)close(origin->stop_pipe[0]);
	(void)close(origin->stop_pipe[1]);
	(void)pthread_mutex_destroy(&origin->lock);
	free(origin);
}

union address origin_address(const struct origin *origin)
{
	union address address = { 0 };
	socklen_t length = sizeof address;

	must(getsockname(origin->listener, &address.sa, &length) == 0);
	return address;
}

const char *origin_request(const struct origin *origin, size_t *ret_length)
{
	assert(!origin->is_running);
	if (ret_length)
		*ret_length = origin->request_length;
	return origin->request;
}

unsigned origin_accepted(const struct origin *origin)
{
	assert(!origin->is_running);
	return origin->accepted;
}

/* ---- for scripts -------------------------------------------------------------------------- */

static long receive(struct origin_connection *connection, char *bytes, size_t size)
{
	if (connection->tls)
		return SSL_read(connection->tls, bytes, (int)size);
	return recv(connection->fd, bytes, size, 0);
}

/* Bytes that the request still lacks; 0 when it is whole, SIZE_MAX when its end is not in sight. */
static size_t missing(const char *request, size_t length)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *field = strcasestr(request, "\r\ncontent-length:");
	size_t wanted;

	if (!end)
		return SIZE_MAX;
	wanted = (size_t)(end - request) + 4;
	if (field && field < end)
		wanted += strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
	return wanted > length ? wanted - length : 0;
}

bool origin_read_request(struct origin_connection *connection)
{
	struct origin *origin = connection->origin;

	origin->request_length = 0;
	origin->request[0] = '\0';
	while (missing(origin->request, origin->request_length) > 0) {
		long count = receive(connection, origin->request + origin->request_length,
			ORIGIN_REQUEST_MAX - origin->request_length);

		if (count <= 0)
			return false;
		origin->request_length += (size_t)count;
		origin->request[origin->request_length] = '\0';
	}
	return true;
}

const char *origin_peek(const struct origin_connection *connection)
{
	return connection->origin->request;
}

void origin_write(struct origin_connection *connection, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		long count = connection->tls ? SSL_write(connection->tls, at, (int)length) :
					       send(connection->fd, at, length, MSG_NOSIGNAL);

		if (count <= 0)
			return; /* the client went away: its right */
		at += count;
		length -= (size_t)count;
	}
}

void origin_write_text(struct origin_connection *connection, const char *text)
{
	origin_write(connection, text, strlen(text));
}

void origin_wait_for_close(struct origin_connection *connection)
{
	char bytes[4096];

	while (receive(connection, bytes, sizeof bytes) > 0)
		;
}

void origin_pause(struct origin_connection *connection, int milliseconds)
{
	struct pollfd wait = { .fd = connection->fd, .events = POLLRDHUP };

	(void)poll(&wait, 1, milliseconds);
}

void origin_reset(struct origin_connection *connection)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void origin_answer(struct origin_connection *connection)
{
	if (origin_read_request(connection))
		origin_write_text(connection, connection->data);
}

void origin_silence(struct origin_connection *connection)
{
	origin_wait_for_close(connection);
}

/* ---- ports without a server --------------------------------------------------------------- */

int origin_closed_port(union address *ret_address)
{
	socklen_t length = sizeof *ret_address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && parse_address("127.0.0.1", 0, ret_address) == 0);
	must(bind(fd, &ret_address->sa, address_length(ret_address)) == 0);
	must(getsockname(fd, &ret_address->sa, &length) == 0);
	return fd;
}

void origin_open_silent_port(struct origin_silent_port *ret_port)
{
	ret_port->listener = origin_closed_port(&ret_port->address);
	must(listen(ret_port->listener, 0) == 0);
	ret_port->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(ret_port->filler, &ret_port->address.sa, address_length(&ret_port->address)) == 0);
}

void origin_close_silent_port(struct origin_silent_port *port)
{
	(void)close(port->filler);
	(void)close(port->listener);
}
