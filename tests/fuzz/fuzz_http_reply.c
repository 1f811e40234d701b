/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a server's answer, over loopback, to the real client; then the verdict on it. The
 * first byte chooses the request: bit 0 HEAD, bit 1 HTTP/2, bit 2 the body is kept, bit 3 a small
 * body limit. One loop and one client serve all inputs, as in the daemon. */
#include <assert.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lattice-probe/http.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/outcome.h"
#include "lattice-probe/phases.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"
#include "lattice-probe/verdict.h"

#define LIMIT_US (2 * US_PER_S)
#define BODY_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct loop *loop;
	struct http_client *client;
	struct target *target;
	struct url url;
	int listener;
	union address address;
} lab;

/* Trouble of the lab is no finding, but nothing can be found then either. */
static void must(bool is_fine)
{
	if (!is_fine)
		_exit(99);
}

static void set_up(void)
{
	socklen_t length = sizeof lab.address;
	struct target_pattern *pattern = calloc(1, sizeof *pattern);
	const char *why;

	lab.loop = loop_new();
	must(lab.loop && pattern);
	lab.client = http_client_new(lab.loop, NULL);
	lab.target = target_new();
	must(lab.client && lab.target && url_parse("http://service.example/", &lab.url, &why) == 0);
	must(target_pattern_set_text("ok", pattern) == 0);
	lab.target->expect_body = pattern;
	lab.target->expect_body_count = 1;
	lab.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(lab.listener >= 0 && parse_address("127.0.0.1", 0, &lab.address) == 0);
	must(bind(lab.listener, &lab.address.sa, address_length(&lab.address)) == 0);
	must(listen(lab.listener, 8) == 0);
	must(getsockname(lab.listener, &lab.address.sa, &length) == 0);
}

static void on_reply(void *user, const struct http_reply *reply)
{
	bool *is_done = user;
	int64_t phase_us[PHASE_COUNT] = { 0 };
	int64_t failed_us;
	char detail[RESULT_DETAIL_SIZE] = "";
	enum outcome outcome = verdict_of_reply(lab.target, reply, detail, sizeof detail);

	phases_of_reply(reply, phase_us, &failed_us);
	assert(outcome > OUTCOME_NONE && outcome < OUTCOME_COUNT);
	assert(phases_sum(phase_us) + (failed_us == PHASE_NONE ? 0 : failed_us) ==
	       mono_since(reply->finished, reply->start));
	assert(reply->header_count <= HTTP_HEADERS_MAX_COUNT);
	assert(reply->body_bytes <= BODY_MAX && reply->body[reply->body_bytes] == '\0');
	assert((int64_t)reply->body_bytes <= reply->received_bytes);
	assert(reply->end != HTTP_END_DONE || reply->status >= 200);
	for (size_t i = 0; i < reply->header_count; i++)
		assert(http_reply_header(reply, reply->headers[i].name) != NULL);
	for (const char *at = detail; *at; at++)
		assert(*at >= ' ' && *at <= '~');
	*is_done = true;
}

static void say(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t count = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count <= 0)
			break; /* more than the socket buffers: enough to think about */
		data += count;
		size -= (size_t)count;
	}
	(void)shutdown(fd, SHUT_WR);
}

static void exchange(uint8_t mode, const uint8_t *data, size_t size)
{
	bool is_done = false;
	struct http_request request = {
		.url = &lab.url, .address = lab.address, .method = mode & 1 ? "HEAD" : "GET",
		.version = mode & 2 ? TARGET_HTTP_2 : TARGET_HTTP_AUTO, .tls_verify = true,
		.connect_timeout_us = LIMIT_US, .tls_timeout_us = LIMIT_US,
		.deadline = mono_add(mono_now(), LIMIT_US),
		.max_body_bytes = mode & 8 ? 16 : BODY_MAX, .keep_body = (mode & 4) != 0,
	};
	int fd;

	must(http_start(lab.client, &request, on_reply, &is_done) != NULL);
	fd = accept(lab.listener, NULL, NULL);
	must(fd >= 0);
	say(fd, data, size);
	loop_run_until(lab.loop, &is_done);
	assert(is_done);
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!lab.loop)
		set_up();
	if (size > 0)
		exchange(data[0], data + 1, size - 1);
	return 0;
}
