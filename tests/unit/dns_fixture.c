/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_fixture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lattice-probe/loop.h"
#include "lattice-probe/units.h"

#define HEADER_BYTES 12
#define QUESTION_MAX 512
#define REPLY_MAX (2 + 65535)
#define PEERS_MAX 64 /* connections, and delayed replies, at a time */

struct question {
	uint8_t bytes[QUESTION_MAX];
	size_t length;
	bool is_tcp;
};

/* A TCP connection, or a datagram whose answer is delayed. */
struct peer {
	struct dns_fixture *fixture;
	bool is_used;
	int fd; /* TCP; -1 for a datagram */
	struct loop_poll *poll;
	union address address;
	struct question question;
	struct dns_fixture_rule rule; /* when the question came */
	struct loop_timer timer;
	uint8_t *out;
	size_t out_length;
	size_t out_sent;
};

struct dns_fixture {
	struct loop *loop;
	struct dns_fixture_rule rule;
	int udp;
	int tcp;
	struct loop_poll *udp_poll;
	struct loop_poll *tcp_poll;
	union address address;
	struct peer peers[PEERS_MAX];
	size_t datagrams;
	size_t streams;
};

struct writer {
	uint8_t *bytes;
	size_t length;
};

/* ---- replies -------------------------------------------------------------------------------- */

static void put(struct writer *writer, const void *bytes, size_t length)
{
	assert(REPLY_MAX - writer->length >= length);
	memcpy(writer->bytes + writer->length, bytes, length);
	writer->length += length;
}

static void put_u16(struct writer *writer, unsigned value)
{
	put(writer, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void put_u32(struct writer *writer, uint32_t value)
{
	put_u16(writer, value >> 16);
	put_u16(writer, value & 0xffff);
}

static void put_alias_name(struct writer *writer, int number)
{
	char label[32];
	int length = snprintf(label, sizeof label, "alias-%d", number);

	put(writer, (uint8_t[]){ (uint8_t)length }, 1);
	put(writer, label, (size_t)length);
	put(writer, "\7example", 9);
}

static void put_owner(struct writer *writer, int aliases)
{
	if (aliases == 0)
		put_u16(writer, 0xc000 | HEADER_BYTES);
	else
		put_alias_name(writer, aliases);
}

static void put_alias(struct writer *writer, int number, uint32_t ttl_s)
{
	size_t length_at;

	put_owner(writer, number - 1);
	put_u16(writer, 5);
	put_u16(writer, 1);
	put_u32(writer, ttl_s);
	length_at = writer->length;
	put_u16(writer, 0);
	put_alias_name(writer, number);
	writer->bytes[length_at + 1] = (uint8_t)(writer->length - length_at - 2);
}

static void put_address(struct writer *writer, const struct dns_fixture_rule *rule, unsigned type, int number)
{
	uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint32_t v4 = 0xc0000201u + (uint32_t)number;

	put_owner(writer, rule->aliases);
	put_u16(writer, type);
	put_u16(writer, 1);
	put_u32(writer, rule->ttl_s);
	put_u16(writer, type == 1 ? 4 : 16);
	v6[14] = (uint8_t)((number + 1) >> 8);
	v6[15] = (uint8_t)(number + 1);
	if (type == 1)
		put_u32(writer, v4);
	else
		put(writer, v6, sizeof v6);
}

static void put_header(struct writer *writer, const struct question *question, unsigned flags, unsigned answers)
{
	put(writer, question->bytes, 2);
	put_u16(writer, 0x8180 | flags);
	put_u16(writer, 1);
	put_u16(writer, answers);
	put_u32(writer, 0);
	put(writer, question->bytes + HEADER_BYTES, question->length - HEADER_BYTES);
}

static void put_honest(struct writer *writer, const struct dns_fixture_rule *rule, const struct question *question)
{
	unsigned type = question->bytes[question->length - 3];
	bool is_empty = rule->rcode != 0 || (rule->is_truncated && !question->is_tcp);
	unsigned flags = (unsigned)rule->rcode | (rule->is_truncated && !question->is_tcp ? 0x0200u : 0);

	put_header(writer, question, flags, is_empty ? 0 : (unsigned)(rule->aliases + rule->addresses));
	for (int i = 1; i <= rule->aliases && !is_empty; i++)
		put_alias(writer, i, rule->ttl_s);
	for (int i = 0; i < rule->addresses && !is_empty; i++)
		put_address(writer, rule, type, i);
}

static void put_broken(struct writer *writer, const struct dns_fixture_rule *rule, const struct question *question)
{
	put_honest(writer, rule, question);
	switch (rule->fault) {
	case DNS_FIXTURE_WRONG_ID:
		writer->bytes[0] ^= 0x55;
		break;
	case DNS_FIXTURE_WRONG_QUESTION:
		writer->bytes[HEADER_BYTES + 1] ^= 0x01;
		break;
	case DNS_FIXTURE_ECHO:
		writer->length = 0;
		put(writer, question->bytes, question->length);
		break;
	case DNS_FIXTURE_GARBAGE:
		memset(writer->bytes + 2, 0xff, writer->length - 2);
		break;
	case DNS_FIXTURE_SHORT:
		writer->length = 5;
		break;
	case DNS_FIXTURE_POINTER_LOOP:
		writer->bytes[HEADER_BYTES] = 0xc0;
		writer->bytes[HEADER_BYTES + 1] = HEADER_BYTES;
		break;
	case DNS_FIXTURE_BAD_RDLENGTH:
		writer->bytes[question->length + 10] = 0x40;
		break;
	case DNS_FIXTURE_BARE_ERROR:
		writer->length = HEADER_BYTES;
		memset(writer->bytes + 4, 0, 8);
		break;
	case DNS_FIXTURE_HONEST:
	case DNS_FIXTURE_DROP:
	case DNS_FIXTURE_FORGED_FIRST:
	case DNS_FIXTURE_TCP_CLOSE:
	case DNS_FIXTURE_TCP_SILENT:
	case DNS_FIXTURE_TCP_HALF:
		break;
	}
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static void send_datagram(struct dns_fixture *fixture, const union address *peer,
	const struct dns_fixture_rule *rule, const struct question *question)
{
	struct writer writer = { malloc(REPLY_MAX), 0 };

	assert(writer.bytes);
	put_broken(&writer, rule, question);
	/* The client may have gone, and its port with it. */
	(void)sendto(fixture->udp, writer.bytes, writer.length, 0, &peer->sa, address_length(peer));
	free(writer.bytes);
}

static void send_forgeries(struct dns_fixture *fixture, const union address *peer, struct dns_fixture_rule rule,
	const struct question *question)
{
	rule.fault = DNS_FIXTURE_WRONG_ID;
	send_datagram(fixture, peer, &rule, question);
	rule.fault = DNS_FIXTURE_WRONG_QUESTION;
	send_datagram(fixture, peer, &rule, question);
}

static void keep_busy(int64_t duration_us)
{
	for (struct mono start = mono_now(); mono_since(mono_now(), start) < duration_us;)
		;
}

static void answer_datagram(struct dns_fixture *fixture, const union address *peer,
	const struct dns_fixture_rule *rule, const struct question *question)
{
	keep_busy(rule->think_us);
	if (rule->fault != DNS_FIXTURE_DROP)
		send_datagram(fixture, peer, rule, question);
	keep_busy(rule->busy_us);
}

static struct peer *take_peer(struct dns_fixture *fixture)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (!fixture->peers[i].is_used) {
			fixture->peers[i] = (struct peer){ .fixture = fixture, .is_used = true, .fd = -1 };
			return &fixture->peers[i];
		}
	assert(!"too many peers at once");
	return NULL;
}

static void on_delay_over(void *user);

static void delay(struct peer *peer, int64_t duration_us)
{
	int err = loop_timer_start(peer->fixture->loop, &peer->timer, mono_add(mono_now(), duration_us),
		on_delay_over, peer);

	assert(err == 0);
}

static void on_delay_over(void *user)
{
	struct peer *peer = user;

	if (peer->rule.fault == DNS_FIXTURE_FORGED_FIRST) {
		send_forgeries(peer->fixture, &peer->address, peer->rule, &peer->question);
		peer->rule.fault = DNS_FIXTURE_HONEST;
		delay(peer, peer->rule.delay_us / 2);
		return;
	}
	answer_datagram(peer->fixture, &peer->address, &peer->rule, &peer->question);
	peer->is_used = false;
}

static void on_datagram(void *user, int events)
{
	struct dns_fixture *fixture = user;
	struct question question = { .is_tcp = false };
	union address address;
	socklen_t address_size = sizeof address;
	ssize_t length = recvfrom(fixture->udp, question.bytes, sizeof question.bytes, 0, &address.sa, &address_size);

	(void)events;
	if (length < HEADER_BYTES)
		return;
	question.length = (size_t)length;
	fixture->datagrams++;
	if (fixture->rule.drop_first > 0) {
		fixture->rule.drop_first--;
	} else if (fixture->rule.delay_us == 0 && fixture->rule.fault != DNS_FIXTURE_FORGED_FIRST) {
		answer_datagram(fixture, &address, &fixture->rule, &question);
	} else {
		struct peer *peer = take_peer(fixture);

		peer->address = address;
		peer->question = question;
		peer->rule = fixture->rule;
		delay(peer, peer->rule.fault == DNS_FIXTURE_FORGED_FIRST ? peer->rule.delay_us / 2
			: peer->rule.delay_us);
	}
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void drop_peer(struct peer *peer)
{
	loop_timer_stop(peer->fixture->loop, &peer->timer);
	loop_poll_stop(peer->poll);
	if (peer->fd >= 0)
		(void)close(peer->fd);
	free(peer->out);
	*peer = (struct peer){ .fd = -1 };
}

static void write_out(struct peer *peer)
{
	ssize_t sent = send(peer->fd, peer->out + peer->out_sent, peer->out_length - peer->out_sent, MSG_NOSIGNAL);
	int err;

	if (sent > 0)
		peer->out_sent += (size_t)sent;
	err = loop_poll_change(peer->poll, peer->out_sent < peer->out_length ? LOOP_WRITE : LOOP_READ);
	assert(err == 0);
}

static void answer_stream(struct peer *peer)
{
	const struct dns_fixture_rule *rule = &peer->fixture->rule;
	struct writer writer = { malloc(REPLY_MAX), 0 };

	assert(writer.bytes);
	if (rule->fault == DNS_FIXTURE_TCP_SILENT) {
		free(writer.bytes);
		return;
	}
	put_broken(&writer, rule, &peer->question);
	peer->out = malloc(2 + writer.length);
	assert(peer->out);
	peer->out[0] = (uint8_t)(writer.length >> 8);
	peer->out[1] = (uint8_t)writer.length;
	memcpy(peer->out + 2, writer.bytes, writer.length);
	peer->out_length = rule->fault == DNS_FIXTURE_TCP_HALF ? writer.length / 2 : 2 + writer.length;
	free(writer.bytes);
	write_out(peer);
}

static void on_connection_ready(void *user, int events)
{
	struct peer *peer = user;
	uint8_t bytes[2 + QUESTION_MAX];
	ssize_t length;

	if (events & LOOP_WRITE) {
		write_out(peer);
		return;
	}
	length = recv(peer->fd, bytes, sizeof bytes, 0);
	if (length < 2 + HEADER_BYTES) {
		drop_peer(peer);
		return;
	}
	peer->fixture->streams++;
	peer->question.is_tcp = true;
	peer->question.length = (size_t)length - 2;
	memcpy(peer->question.bytes, bytes + 2, peer->question.length);
	if (peer->fixture->rule.fault == DNS_FIXTURE_TCP_CLOSE)
		drop_peer(peer);
	else
		answer_stream(peer);
}

static void on_connection(void *user, int events)
{
	struct dns_fixture *fixture = user;
	int fd = accept(fixture->tcp, NULL, NULL);
	struct peer *peer;

	(void)events;
	if (fd < 0)
		return;
	peer = take_peer(fixture);
	peer->fd = fd;
	peer->poll = loop_poll_start(fixture->loop, fd, LOOP_READ, on_connection_ready, peer);
	assert(peer->poll);
}

/* ---- the server ----------------------------------------------------------------------------- */

/* A port that is free for both. */
static void bind_pair(struct dns_fixture *fixture, const char *host)
{
	socklen_t size = sizeof fixture->address;

	for (int attempt = 0; attempt < 100; attempt++) {
		int err = parse_address(host, 53, &fixture->address);

		assert(err == 0);
		address_set_port(&fixture->address, 0);
		fixture->tcp = socket(fixture->address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		fixture->udp = socket(fixture->address.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert(fixture->tcp >= 0 && fixture->udp >= 0);
		err = bind(fixture->tcp, &fixture->address.sa, address_length(&fixture->address));
		assert(err == 0);
		err = getsockname(fixture->tcp, &fixture->address.sa, &size);
		assert(err == 0);
		if (bind(fixture->udp, &fixture->address.sa, address_length(&fixture->address)) == 0 &&
		    listen(fixture->tcp, 16) == 0)
			return;
		(void)close(fixture->tcp);
		(void)close(fixture->udp);
	}
	assert(!"no port is free for both protocols");
}

struct dns_fixture *dns_fixture_new(struct loop *loop, const char *host)
{
	struct dns_fixture *fixture = calloc(1, sizeof *fixture);

	assert(fixture);
	fixture->loop = loop;
	bind_pair(fixture, host);
	fixture->udp_poll = loop_poll_start(loop, fixture->udp, LOOP_READ, on_datagram, fixture);
	fixture->tcp_poll = loop_poll_start(loop, fixture->tcp, LOOP_READ, on_connection, fixture);
	assert(fixture->udp_poll && fixture->tcp_poll);
	return fixture;
}

void dns_fixture_stop_tcp(struct dns_fixture *fixture)
{
	if (fixture->tcp < 0)
		return;
	loop_poll_stop(fixture->tcp_poll);
	(void)close(fixture->tcp);
	fixture->tcp = -1;
}

void dns_fixture_free(struct dns_fixture *fixture)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (fixture->peers[i].is_used)
			drop_peer(&fixture->peers[i]);
	dns_fixture_stop_tcp(fixture);
	loop_poll_stop(fixture->udp_poll);
	(void)close(fixture->udp);
	free(fixture);
}

struct dns_fixture_rule *dns_fixture_rule(struct dns_fixture *fixture)
{
	return &fixture->rule;
}

union address dns_fixture_address(const struct dns_fixture *fixture)
{
	return fixture->address;
}

size_t dns_fixture_datagrams(const struct dns_fixture *fixture)
{
	return fixture->datagrams;
}

size_t dns_fixture_streams(const struct dns_fixture *fixture)
{
	return fixture->streams;
}
