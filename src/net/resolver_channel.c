/* SPDX-License-Identifier: Apache-2.0 */
/* c-ares, held on a short rein so that 1.18 and 1.34 behave alike.
 *
 * c-ares encodes the question, chooses its id, follows a truncated reply to TCP and frames that. Its
 * sockets are ours (ares_set_socket_functions): we open them, connect them to the server of the
 * question, stamp what leaves and what arrives, count it, and judge every reply ourselves, from its
 * bytes (resolver_trial.c). So a reply means the same to every version: 1.18 would ignore what it
 * cannot parse, 1.34 would call it EBADRESP and hands out what it has parsed and written again.
 *
 * One channel serves one question at a time, so that giving a question up, which in c-ares ends all
 * questions of a channel, has no neighbours to kill. c-ares never learns the server's address: each
 * channel has 127.0.0.1 for a stand-in and our connect() puts the real one (its scope too, which 1.18
 * cannot carry) in its place; a channel can therefore serve any server, and a few idle ones suffice.
 *
 * Time is ours too. c-ares' timeout is set to an hour and its timers are never asked for. From 1.32
 * on it would replace that by five times the average of a channel's past answers, once there are
 * three (a floor of 250 ms: NOTES in its ares_metrics.c); there a channel is retired after two. */
#include "lattice-probe/resolver.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ares_query and ares_set_socket_functions are what every version has; newer ones advise others. */
#define CARES_NO_DEPRECATED
#include <ares.h>

#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"
#include "resolver_internal.h"

#define CLASS_IN 1
#define HOUR_MS (3600 * 1000)
#define VERSION_CACHES 0x011f00         /* 1.31.0 */
#define VERSION_TUNES_TIMEOUTS 0x012000 /* 1.32.0 */
#define FORGED_PER_TURN_MAX 64          /* a flood must not keep the loop */

struct channel_socket {
	struct resolver_channel *channel;
	int fd; /* -1: none */
	bool is_tcp;
	struct loop_poll *poll;
};

struct resolver_channel {
	struct resolver_pool *pool;
	struct resolver_channel *next_idle;
	ares_channel ares;
	struct channel_socket sockets[2]; /* UDP, and TCP after truncation */
	unsigned uses;
	bool is_asked;  /* c-ares holds our question */
	bool is_dying;

	union address server;
	struct mono sent; /* the datagram; never: none left yet */
	struct resolver_trial trial;
	resolver_channel_ended *ended;
	void *user;
};

/* ---- the sockets we lend to c-ares ---------------------------------------------------------- */

/* The socket's place; that of a free one for -1. c-ares never has more than two, and no others. */
static struct channel_socket *find_socket(struct resolver_channel *channel, int fd)
{
	struct channel_socket *place = &channel->sockets[channel->sockets[0].fd == fd ? 0 : 1];

	assert(place->fd == fd);
	return place;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *user)
{
	struct resolver_channel *channel = user;
	struct channel_socket *place = find_socket(channel, -1);
	int on = 1;
	int fd;

	(void)family; /* the stand-in's */
	fd = socket(channel->server.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd < 0) {
		resolver_trial_fail_by_errno(&channel->trial, "socket");
		return ARES_SOCKET_BAD;
	}
	place->fd = fd;
	place->is_tcp = type == SOCK_STREAM;
	if (place->is_tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	return fd;
}

static int close_socket(ares_socket_t fd, void *user)
{
	struct channel_socket *place = find_socket(user, fd);

	loop_poll_stop(place->poll);
	place->poll = NULL;
	place->fd = -1;
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *stand_in, ares_socklen_t length, void *user)
{
	struct resolver_channel *channel = user;
	int result = connect(fd, &channel->server.sa, address_length(&channel->server));

	(void)stand_in;
	(void)length;
	if (result == 0 || errno == EINPROGRESS) {
		if (find_socket(channel, fd)->is_tcp)
			resolver_budget_spend(channel->pool->budget, mono_now());
		return result;
	}
	resolver_trial_fail_by_errno(&channel->trial, "connect");
	return -1;
}

/* The first bytes that leave over UDP are the question, its id first. */
static void note_departure(struct resolver_channel *channel, const struct iovec *parts, struct mono now)
{
	channel->sent = now;
	assert(parts[0].iov_len >= sizeof channel->trial.id);
	memcpy(channel->trial.id, parts[0].iov_base, sizeof channel->trial.id);
}

static ares_ssize_t send_bytes(ares_socket_t fd, const struct iovec *parts, int count, void *user)
{
	struct resolver_channel *channel = user;
	union { const struct iovec *in; struct iovec *out; } vector = { .in = parts }; /* sendmsg only reads */
	struct msghdr header = { .msg_iov = vector.out, .msg_iovlen = (size_t)count };
	bool is_tcp = find_socket(channel, fd)->is_tcp;
	struct mono now = mono_now();
	ssize_t result = sendmsg(fd, &header, MSG_NOSIGNAL);

	if (result >= 0) {
		resolver_budget_spend(channel->pool->budget, now);
		if (!is_tcp && !mono_is_set(channel->sent))
			note_departure(channel, parts, now);
	} else if (!is_tcp || errno != EAGAIN) {
		resolver_trial_fail_by_errno(&channel->trial, is_tcp ? "send over TCP" : "send");
	}
	return result;
}

/* What c-ares compares the sender with: the stand-in. The kernel has compared the real one. */
static void fill_sender(struct sockaddr *sender, ares_socklen_t *length)
{
	struct sockaddr_in stand_in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (!sender || !length || *length < sizeof stand_in)
		return;
	memcpy(sender, &stand_in, sizeof stand_in);
	*length = sizeof stand_in;
}

/* How long a datagram has lain in the socket: the kernel stamps its arrival, by the wall's clock. */
static int64_t time_in_socket(struct msghdr *header)
{
	struct timespec stamp;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
		return wall_since(wall_now(), (struct wall){ stamp.tv_sec * US_PER_S + stamp.tv_nsec / 1000 });
	}
	return 0;
}

/* Into the scratch room. The arrival is the kernel's, so that neither a busy loop nor a busy machine
 * counts as the server's time. One from before the departure tells of a step of the clock in between. */
static ssize_t receive_stamped(struct resolver_channel *channel, int fd, struct mono *ret_arrived)
{
	struct resolver_scratch *scratch = &channel->pool->scratch;
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { scratch->datagram, sizeof scratch->datagram };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	ssize_t length = recvmsg(fd, &header, 0);
	struct mono now = mono_now();
	int64_t waited_us;

	if (length < 0)
		return length;
	waited_us = time_in_socket(&header);
	*ret_arrived = now;
	if (waited_us > 0 && waited_us <= mono_since(now, channel->sent))
		*ret_arrived = mono_add(now, -waited_us);
	return length;
}

static ares_ssize_t receive_datagram(struct resolver_channel *channel, int fd, void *bytes, size_t size)
{
	for (int i = 0; i < FORGED_PER_TURN_MAX; i++) {
		struct mono arrived;
		ssize_t length = receive_stamped(channel, fd, &arrived);

		if (length < 0) {
			if (errno != EAGAIN)
				resolver_trial_fail_by_errno(&channel->trial, "receive");
			return -1;
		}
		if (resolver_trial_datagram(&channel->trial, (size_t)length, arrived) && (size_t)length <= size) {
			memcpy(bytes, channel->pool->scratch.datagram, (size_t)length);
			return length;
		}
	}
	errno = EAGAIN;
	return -1;
}

static ares_ssize_t receive_stream(struct resolver_channel *channel, int fd, void *bytes, size_t size)
{
	struct resolver_trial *trial = &channel->trial;
	ssize_t length = recv(fd, bytes, size, 0);

	if (length > 0)
		resolver_trial_stream(trial, bytes, (size_t)length);
	else if (length == 0)
		resolver_trial_fail(trial, OUTCOME_DNS_BAD_REPLY, "TCP connection closed before the reply was complete");
	else if (errno == ECONNRESET)
		resolver_trial_fail(trial, OUTCOME_DNS_BAD_REPLY, "TCP connection reset before the reply was complete");
	else if (errno != EAGAIN)
		resolver_trial_fail_by_errno(trial, "receive over TCP");
	return length;
}

static ares_ssize_t receive_bytes(ares_socket_t fd, void *bytes, size_t size, int flags, struct sockaddr *sender,
	ares_socklen_t *length, void *user)
{
	struct resolver_channel *channel = user;

	(void)flags;
	if (find_socket(channel, fd)->is_tcp)
		return receive_stream(channel, fd, bytes, size);
	fill_sender(sender, length);
	return receive_datagram(channel, fd, bytes, size);
}

/* c-ares keeps the address of this table. */
static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive_bytes,
	.asendv = send_bytes,
};

/* ---- c-ares --------------------------------------------------------------------------------- */

static void on_readiness(void *user, int events);

/* c-ares says which of its sockets it waits for, and how. */
static void on_socket_state(void *user, ares_socket_t fd, int readable, int writable)
{
	struct resolver_channel *channel = user;
	struct channel_socket *place = find_socket(channel, fd);
	int events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
	int err = 0;

	if (events == 0) {
		loop_poll_stop(place->poll);
		place->poll = NULL;
	} else if (place->poll) {
		err = loop_poll_change(place->poll, events);
	} else {
		place->poll = loop_poll_start(channel->pool->loop, fd, events, on_readiness, place);
		err = place->poll ? 0 : ERR_NOMEM;
	}
	if (err)
		resolver_trial_fail(&channel->trial, OUTCOME_LOCAL_FAULT, "cannot watch a socket: %s", err_text(err));
}

/* c-ares' own words only count when no socket call and no reply has decided: it had no memory, or
 * it does not ask for such a name (1.18 refuses .onion, RFC 7686). */
static void on_answer(void *user, int status, int timeouts, unsigned char *bytes, int length)
{
	struct resolver_channel *channel = user;

	(void)timeouts;
	(void)bytes;
	(void)length;
	if (channel->is_dying)
		return;
	channel->is_asked = false;
	if (status == ARES_ENOTFOUND || status == ARES_EBADNAME)
		resolver_trial_fail(&channel->trial, OUTCOME_DNS_NXDOMAIN, "not a name to be asked for: %s", ares_strerror(status));
	else
		resolver_trial_fail(&channel->trial, OUTCOME_LOCAL_FAULT, "c-ares: %s", ares_strerror(status));
}

/* What each version would do by itself is switched off as far as that version can be told. */
static int set_options(struct ares_options *options)
{
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
		ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE |
		ARES_OPT_SORTLIST | ARES_OPT_RESOLVCONF;

	options->flags = ARES_FLAG_PRIMARY | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP;
	options->timeout = HOUR_MS;
	options->tries = 1;
	options->ndots = 1;
	options->nservers = 1;
	options->sock_state_cb = on_socket_state;
#ifdef ARES_OPT_MAXTIMEOUTMS
	options->maxtimeout = HOUR_MS; /* else 5 s */
	mask |= ARES_OPT_MAXTIMEOUTMS;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	options->qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
#ifdef ARES_OPT_SERVER_FAILOVER
	options->server_failover_opts.retry_chance = 0;
	mask |= ARES_OPT_SERVER_FAILOVER;
#endif
	return mask;
}

static int open_ares(struct resolver_channel *channel)
{
	struct in_addr stand_in = { .s_addr = htonl(INADDR_LOOPBACK) };
	char lookups[] = "b";                /* DNS only: no /etc/hosts */
	char resolv_conf[] = "/dev/null";    /* nothing of the system's configuration */
	struct ares_options options = { .servers = &stand_in, .lookups = lookups, .resolvconf_path = resolv_conf,
		.sock_state_cb_data = channel };
	int mask = set_options(&options);

	if (ares_init_options(&channel->ares, &options, mask) != ARES_SUCCESS) {
		channel->ares = NULL;
		return ERR_NOMEM;
	}
	ares_set_socket_functions(channel->ares, &socket_functions, channel);
	return 0;
}

static void free_channel(struct resolver_channel *channel)
{
	channel->is_dying = true;
	if (channel->ares)
		ares_destroy(channel->ares);
	for (size_t i = 0; i < 2; i++)
		assert(channel->sockets[i].fd == -1);
	resolver_trial_done(&channel->trial);
	free(channel);
}

/* ---- the pool ------------------------------------------------------------------------------- */

static struct resolver_channel *make_channel(struct resolver_pool *pool)
{
	struct resolver_channel *channel = calloc(1, sizeof *channel);

	if (!channel)
		return NULL;
	channel->pool = pool;
	for (size_t i = 0; i < 2; i++)
		channel->sockets[i] = (struct channel_socket){ .channel = channel, .fd = -1 };
	if (open_ares(channel) != 0) {
		free_channel(channel);
		return NULL;
	}
	return channel;
}

static struct resolver_channel *take_channel(struct resolver_pool *pool)
{
	struct resolver_channel *channel = pool->idle;

	if (channel) {
		pool->idle = channel->next_idle;
		pool->idle_count--;
	} else {
		channel = make_channel(pool);
	}
	if (channel)
		pool->open_count++;
	return channel;
}

/* Keeps it for the next question when it is clean: c-ares has ended ours and closed its sockets. */
static void give_channel(struct resolver_channel *channel)
{
	struct resolver_pool *pool = channel->pool;

	pool->open_count--;
	resolver_trial_done(&channel->trial);
	if (channel->is_asked || channel->sockets[0].fd != -1 || channel->sockets[1].fd != -1 ||
	    ++channel->uses >= pool->uses_max || pool->idle_count == RESOLVER_IDLE_MAX) {
		free_channel(channel);
		return;
	}
	channel->next_idle = pool->idle;
	pool->idle = channel;
	pool->idle_count++;
}

/* The kernel stamps datagrams while any socket asks for it, and patches itself to begin and to stop.
 * This one asks all the time. Without it stamps are only missing at first. */
static int open_stamper(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	return fd;
}

/* How often a channel may be used, by the version that runs; the one we were built with may be older. */
static unsigned uses_max(void)
{
	int version = 0;

	(void)ares_version(&version);
#ifndef ARES_OPT_QUERY_CACHE
	if (version >= VERSION_CACHES)
		return 1; /* its cache cannot be switched off from here, but it goes with the channel */
#endif
	return version >= VERSION_TUNES_TIMEOUTS ? 2 : UINT_MAX;
}

int resolver_channel_pool_init(struct resolver_pool *pool, struct loop *loop, struct resolver_budget *budget)
{

	pool->loop = loop;
	pool->budget = budget;
	pool->idle = NULL;
	pool->idle_count = pool->open_count = 0;
	pool->uses_max = uses_max();
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return ERR_NOMEM;
	pool->stamper = open_stamper();
	return 0;
}

void resolver_channel_pool_done(struct resolver_pool *pool)
{
	assert(pool->open_count == 0);
	while (pool->idle) {
		struct resolver_channel *channel = pool->idle;

		pool->idle = channel->next_idle;
		free_channel(channel);
	}
	if (pool->stamper >= 0)
		(void)close(pool->stamper);
	ares_library_cleanup();
}

/* ---- one question --------------------------------------------------------------------------- */

/* Ends the question if it is decided. What was found out outlives the channel: the message is the
 * pool's, and a reply over TCP lies in the trial. */
static bool settle(struct resolver_channel *channel)
{
	struct resolver_trial trial = channel->trial;
	resolver_channel_ended *ended = channel->ended;
	void *user = channel->user;

	if (trial.end.outcome == OUTCOME_NONE)
		return false;
	channel->trial = (struct resolver_trial){ .scratch = trial.scratch };
	give_channel(channel);
	ended(user, &trial.end);
	resolver_trial_done(&trial);
	return true;
}

static void on_readiness(void *user, int events)
{
	struct channel_socket *place = user;
	struct resolver_channel *channel = place->channel;
	int fd = place->fd;

	ares_process_fd(channel->ares, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
		events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	(void)settle(channel);
}

bool resolver_channel_look(struct resolver_channel *channel)
{
	for (size_t i = 0; i < 2; i++)
		if (channel->sockets[i].fd != -1)
			ares_process_fd(channel->ares, channel->sockets[i].fd, ARES_SOCKET_BAD);
	return settle(channel);
}

struct resolver_channel *resolver_channel_ask(struct resolver_pool *pool, const union address *server,
	const char *name, enum dns_type type, resolver_channel_ended *ended, void *user,
	struct resolver_end *ret_end)
{
	struct resolver_channel *channel = take_channel(pool);

	if (!channel) {
		*ret_end = (struct resolver_end){ .outcome = OUTCOME_LOCAL_FAULT, .why = "no memory for a channel" };
		return NULL;
	}
	resolver_trial_init(&channel->trial, &pool->scratch, name, type);
	channel->server = *server;
	channel->sent = (struct mono){ 0 };
	channel->ended = ended;
	channel->user = user;
	channel->is_asked = true;
	ares_query(channel->ares, name, CLASS_IN, (int)type, on_answer, channel);
	if (channel->trial.end.outcome == OUTCOME_NONE)
		return channel;
	*ret_end = channel->trial.end;
	give_channel(channel);
	return NULL;
}

void resolver_channel_drop(struct resolver_channel *channel)
{
	if (channel)
		give_channel(channel);
}

struct mono resolver_channel_sent(const struct resolver_channel *channel)
{
	return channel->sent;
}

unsigned resolver_channel_forged(const struct resolver_channel *channel)
{
	return channel->trial.forged;
}

bool resolver_channel_is_tcp(const struct resolver_channel *channel)
{
	return channel->trial.is_tcp;
}
