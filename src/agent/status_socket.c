/* SPDX-License-Identifier: Apache-2.0 */
/* A client goes through three steps: the head, as an object left open; the probes, a few at a time;
 * the end. Its socket being writable is what drives it, so a slow one waits and a fast one is served
 * turn by turn of the loop, between the runs. */
#include "lattice-probe/status_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "status_internal.h"

#include "lattice-probe/buf.h"
#include "lattice-probe/loop.h"

#define PIECE_PROBES 8                 /* some 300 µs of work: below what the loop calls lag */
#define PIECE_MAX_BYTES (1024 * 1024)  /* no probe comes near it: attempts and aliases are counted */
#define ACCEPT_PAUSE_US US_PER_S       /* when there is no descriptor left */

enum step { STEP_HEAD, STEP_PROBES, STEP_DONE };

struct client {
	struct status_socket *status;
	int fd;
	struct loop_poll *poll; /* NULL: this place is free */
	struct loop_timer limit;
	struct mono began;
	enum step step;
	size_t next_probe;
	struct buf piece;
	size_t sent_bytes;
};

struct status_socket {
	struct loop *loop;
	struct status_source source;
	char *path;
	struct stat identity;
	int fd;
	struct loop_poll *poll;
	struct loop_timer pause;
	struct client clients[STATUS_SOCKET_CLIENTS_MAX];
};

static void on_client(void *user, int events);

/* ---- a client's end ----------------------------------------------------------------------- */

static void leave(struct client *client)
{
	struct status_socket *status = client->status;

	loop_timer_stop(status->loop, &client->limit);
	loop_poll_stop(client->poll);
	client->poll = NULL;
	(void)close(client->fd);
	buf_done(&client->piece);
	/* Those in the backlog may come. */
	if (status->poll && !loop_timer_is_running(&status->pause))
		(void)loop_poll_change(status->poll, LOOP_READ);
}

static void on_limit(void *user)
{
	leave(user);
}

/* Each byte taken is two more seconds, up to the whole's end. */
static bool extend(struct client *client)
{
	struct mono stall = mono_add(mono_now(), STATUS_SOCKET_STALL_US);
	struct mono end = mono_add(client->began, STATUS_SOCKET_CLIENT_US);

	return loop_timer_start(client->status->loop, &client->limit, stall.us < end.us ? stall : end, on_limit,
		       client) == 0;
}

/* ---- pieces ------------------------------------------------------------------------------- */

/* Appends the value, but for the last `left_bytes`, and drops it. False: no memory. */
static bool add_json(struct buf *piece, json_t *value, size_t left_bytes)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
	bool good = text && strlen(text) > left_bytes &&
		    buf_append(piece, text, strlen(text) - left_bytes) == 0;

	free(text);
	json_decref(value);
	return good;
}

static bool add_probes(struct client *client)
{
	const struct status_source *source = &client->status->source;
	struct buf *piece = &client->piece;

	for (int i = 0; i < PIECE_PROBES; i++) {
		if (client->next_probe >= source->count(source->user)) {
			client->step = STEP_DONE;
			return buf_append_text(piece, "]}\n") == 0;
		}
		if (client->next_probe > 0)
			(void)buf_append_char(piece, ',');
		if (!add_json(piece, source->probe(source->user, client->next_probe), 0))
			return false;
		client->next_probe++;
	}
	return true;
}

static bool make_piece(struct client *client)
{
	const struct status_source *source = &client->status->source;

	buf_clear(&client->piece);
	client->sent_bytes = 0;
	if (client->step == STEP_PROBES)
		return add_probes(client);
	client->step = STEP_PROBES;
	return add_json(&client->piece, source->head(source->user), 1) &&
	       buf_append_text(&client->piece, ",\"probes\":[") == 0;
}

/* One piece at most in a turn. False: the client has had enough, or all. */
static bool serve(struct client *client)
{
	ssize_t sent;

	if (client->sent_bytes == client->piece.length_bytes && !make_piece(client))
		return false;
	sent = send(client->fd, client->piece.data + client->sent_bytes,
		client->piece.length_bytes - client->sent_bytes, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent_bytes += (size_t)sent;
	if (client->step == STEP_DONE && client->sent_bytes == client->piece.length_bytes)
		return false;
	return extend(client);
}

static void on_client(void *user, int events)
{
	struct client *client = user;

	(void)events;
	if (!serve(client))
		leave(client);
}

/* ---- the listener ------------------------------------------------------------------------- */

static struct client *free_place(struct status_socket *status)
{
	for (size_t i = 0; i < STATUS_SOCKET_CLIENTS_MAX; i++)
		if (!status->clients[i].poll)
			return &status->clients[i];
	return NULL;
}

static void on_pause_over(void *user)
{
	struct status_socket *status = user;

	(void)loop_poll_change(status->poll, LOOP_READ);
}

/* Out of descriptors: the one in the backlog would wake the loop without end. */
static void pause_accepting(struct status_socket *status)
{
	if (loop_timer_start(status->loop, &status->pause, mono_add(mono_now(), ACCEPT_PAUSE_US), on_pause_over,
		    status) == 0)
		(void)loop_poll_change(status->poll, 0);
}

/* Takes the descriptor over. */
static void begin(struct status_socket *status, struct client *client, int fd)
{
	*client = (struct client){ .status = status, .fd = fd, .began = mono_now() };
	buf_init(&client->piece, PIECE_MAX_BYTES);
	client->poll = loop_poll_start(status->loop, fd, LOOP_WRITE, on_client, client);
	if (!client->poll)
		(void)close(fd);
	else if (!extend(client))
		leave(client);
}

static void on_connection(void *user, int events)
{
	struct status_socket *status = user;
	struct client *client = free_place(status);
	int fd;

	(void)events;
	if (!client) {
		(void)loop_poll_change(status->poll, 0);
		return;
	}
	fd = accept4(status->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		begin(status, client, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		pause_accepting(status);
}

/* ---- start and stop ----------------------------------------------------------------------- */

struct status_socket *status_socket_new(struct loop *loop, const char *path, const struct status_source *source,
	char ret_why[static STATUS_SOCKET_WHY_SIZE])
{
	struct status_socket *status = calloc(1, sizeof *status);

	(void)snprintf(ret_why, STATUS_SOCKET_WHY_SIZE, "no memory");
	if (!status)
		return NULL;
	status->loop = loop;
	status->source = *source;
	status->fd = -1;
	status->path = strdup(path);
	if (!status->path)
		goto fail;
	status->fd = status_file_listen(path, &status->identity, ret_why);
	if (status->fd < 0)
		goto fail;
	status->poll = loop_poll_start(loop, status->fd, LOOP_READ, on_connection, status);
	if (status->poll)
		return status;
fail:
	status_socket_free(status);
	return NULL;
}

void status_socket_free(struct status_socket *status)
{
	if (!status)
		return;
	for (size_t i = 0; i < STATUS_SOCKET_CLIENTS_MAX; i++)
		if (status->clients[i].poll)
			leave(&status->clients[i]);
	loop_timer_stop(status->loop, &status->pause);
	loop_poll_stop(status->poll);
	if (status->fd >= 0) {
		status_file_remove(status->path, &status->identity);
		(void)close(status->fd);
	}
	free(status->path);
	free(status);
}
