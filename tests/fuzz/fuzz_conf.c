/* SPDX-License-Identifier: Apache-2.0 */
/* conf: the bytes as a configuration file. It is either taken, with what every probe must have, or
 * refused with at least one mistake in printable words; and the same bytes give the same twice. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finding(const struct conf_finding *finding)
{
	assert(finding->file && strcmp(finding->file, "fuzz.conf") == 0 && finding->text && *finding->text);
	for (const char *c = finding->text; *c; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_target(const struct target *target)
{
	assert(target->name[0] && strspn(target->name, "-_.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "abcdefghijklmnopqrstuvwxyz") == strlen(target->name));
	assert(target->references == 1 && target->url.host && target->method && *target->method);
	assert(!target->url.is_literal || !target_address_is_denied(&target->url.literal));
	assert(target->timeout_us > 0 && target->timeout_us < target->interval_us);
	assert(target->dns_timeout_us > 0 && target->dns_timeout_us <= target->timeout_us);
	assert(target->connect_timeout_us > 0 && target->connect_timeout_us <= target->timeout_us);
	assert(target->tls_timeout_us > 0 && target->tls_timeout_us <= target->timeout_us);
	assert(target->expect_status_count > 0 && target->max_body_bytes > 0);
	assert(target->auth == TARGET_AUTH_NONE || target->url.is_tls);
	for (size_t i = 0; i < target->header_count; i++)
		assert(*target->headers[i].name && !strpbrk(target->headers[i].value, "\r\n"));
}

static struct conf *load(const uint8_t *data, size_t size)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load_text("fuzz.conf", (const char *)data, size, &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		check_finding(&findings.items[i]);
	assert(err == (findings.mistakes ? ERR_SYNTAX : 0));
	assert(!conf == (err != 0));
	conf_findings_done(&findings);
	return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = load(data, size);
	struct conf *again = load(data, size);

	assert(!conf == !again);
	for (size_t i = 0; conf && i < conf->target_count; i++) {
		check_target(conf->targets[i]);
		assert(target_is_equal(conf->targets[i], again->targets[i]));
	}
	conf_free(again);
	conf_free(conf);
	return 0;
}
