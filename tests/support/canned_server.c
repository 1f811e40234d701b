/* SPDX-License-Identifier: Apache-2.0 */
#include "canned_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_SIZE (128 * 1024)
#define REQUESTS_MAX 65536
#define OPEN_MAX_COUNT 64

struct canned_server {
	int listener;
	int stop[2]; /* a pipe: written to once, to end the thread */
	uint16_t port;
	char url[64];
	pthread_t thread;
	pthread_mutex_t lock;
	struct canned_reply replies[32]; /* copies: `turns` counts down in `left` */
	unsigned left[32];
	size_t reply_count;
	char *requests[REQUESTS_MAX];
	size_t request_count;
	int silent[OPEN_MAX_COUNT]; /* connections that never get an answer */
	size_t silent_count;
};

static void check(bool is_good, const char *what)
{
	if (is_good)
		return;
	perror(what);
	abort();
}

static int listen_on_loopback(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(fd >= 0, "socket");
	check(bind(fd, (struct sockaddr *)&address, length) == 0, "bind");
	check(listen(fd, 64) == 0, "listen");
	check(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

uint16_t canned_server_closed_port(void)
{
	uint16_t port;

	(void)close(listen_on_loopback(&port));
	return port;
}

/* The length that the head announces for the body. */
static size_t content_length(const char *head)
{
	const char *found = strcasestr(head, "\r\ncontent-length:");

	return found ? strtoul(found + sizeof "\r\ncontent-length:" - 1, NULL, 10) : 0;
}

static char *read_request(int fd)
{
	static char text[REQUEST_SIZE]; /* only ever used by the one thread */
	size_t length = 0;
	char *copy;

	for (;;) {
		const char *end;
		ssize_t got;

		text[length] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (end && length >= (size_t)(end + 4 - text) + content_length(text))
			break;
		got = recv(fd, text + length, REQUEST_SIZE - 1 - length, 0);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	copy = strdup(text);
	check(copy != NULL, "strdup");
	return copy;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static struct canned_reply choose(struct canned_server *server, char *request)
{
	static const struct canned_reply unknown = { .bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" };

	if (server->request_count < REQUESTS_MAX)
		server->requests[server->request_count++] = request;
	else
		free(request);
	for (size_t i = 0; i < server->reply_count; i++) {
		if (!begins(request, server->replies[i].request) || (server->replies[i].turns && !server->left[i]))
			continue;
		server->left[i] -= server->left[i] > 0;
		return server->replies[i];
	}
	return unknown;
}

static void send_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

		if (sent <= 0)
			return; /* the client has left */
		bytes += sent;
		count -= (size_t)sent;
	}
}

static void serve(struct canned_server *server, int fd)
{
	char *request = read_request(fd);
	struct canned_reply reply;

	if (!request[0]) {
		free(request);
		(void)close(fd);
		return;
	}
	check(pthread_mutex_lock(&server->lock) == 0, "lock");
	reply = choose(server, request);
	check(pthread_mutex_unlock(&server->lock) == 0, "unlock");
	if (!reply.bytes && server->silent_count < OPEN_MAX_COUNT) {
		server->silent[server->silent_count++] = fd;
		return;
	}
	if (reply.bytes)
		send_all(fd, reply.bytes, reply.byte_count ? reply.byte_count : strlen(reply.bytes));
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
}

static void *run(void *user)
{
	struct canned_server *server = user;

	for (;;) {
		struct pollfd polls[2] = { { .fd = server->listener, .events = POLLIN },
			{ .fd = server->stop[0], .events = POLLIN } };
		int fd;

		check(poll(polls, 2, -1) > 0, "poll");
		if (polls[1].revents)
			return NULL;
		fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(server, fd);
	}
}

void canned_server_change(struct canned_server *server, const struct canned_reply *replies, size_t count)
{
	check(count <= sizeof server->replies / sizeof *server->replies, "too many replies");
	check(pthread_mutex_lock(&server->lock) == 0, "lock");
	for (size_t i = 0; i < count; i++) {
		server->replies[i] = replies[i];
		server->left[i] = replies[i].turns;
	}
	server->reply_count = count;
	check(pthread_mutex_unlock(&server->lock) == 0, "unlock");
}

struct canned_server *canned_server_start(const struct canned_reply *replies, size_t count)
{
	struct canned_server *server = calloc(1, sizeof *server);

	check(server != NULL, "calloc");
	server->listener = listen_on_loopback(&server->port);
	(void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", server->port);
	check(pipe(server->stop) == 0, "pipe");
	check(pthread_mutex_init(&server->lock, NULL) == 0, "mutex");
	canned_server_change(server, replies, count);
	check(pthread_create(&server->thread, NULL, run, server) == 0, "thread");
	return server;
}

void canned_server_stop(struct canned_server *server)
{
	check(write(server->stop[1], "x", 1) == 1, "write");
	check(pthread_join(server->thread, NULL) == 0, "join");
	for (size_t i = 0; i < server->silent_count; i++)
		(void)close(server->silent[i]);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	(void)close(server->listener);
	(void)close(server->stop[0]);
	(void)close(server->stop[1]);
	(void)pthread_mutex_destroy(&server->lock);
	free(server);
}

uint16_t canned_server_port(const struct canned_server *server)
{
	return server->port;
}

const char *canned_server_url(const struct canned_server *server)
{
	return server->url;
}

size_t canned_server_count(struct canned_server *server, const char *request)
{
	size_t count = 0;

	check(pthread_mutex_lock(&server->lock) == 0, "lock");
	for (size_t i = 0; i < server->request_count; i++)
		count += begins(server->requests[i], request);
	check(pthread_mutex_unlock(&server->lock) == 0, "unlock");
	return count;
}

const char *canned_server_last(struct canned_server *server, const char *request)
{
	static char text[REQUEST_SIZE];

	text[0] = '\0';
	check(pthread_mutex_lock(&server->lock) == 0, "lock");
	for (size_t i = 0; i < server->request_count; i++)
		if (begins(server->requests[i], request))
			(void)snprintf(text, sizeof text, "%s", server->requests[i]);
	check(pthread_mutex_unlock(&server->lock) == 0, "unlock");
	return text;
}
