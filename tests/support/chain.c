/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/units.h"

static const char *const variables[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_REGION",
	"AWS_DEFAULT_REGION", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS" };

const char *chain_path(const struct world *world, const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
	return path;
}

int chain_set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	for (size_t i = 0; i < COUNT(variables); i++)
		(void)unsetenv(variables[i]);
	(void)snprintf(world->folder, sizeof world->folder, "/tmp/lattice-probe-credentials-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	(void)setenv("AWS_CONFIG_FILE", chain_path(world, "config"), 1);
	(void)setenv("AWS_SHARED_CREDENTIALS_FILE", chain_path(world, "credentials"), 1);
	world->server = canned_server_start(NULL, 0);
	(void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", canned_server_url(world->server), 1);
	world->loop = loop_new();
	world->transport = aws_transport_new(world->loop, &(struct aws_transport_options){ 0 });
	assert_non_null(world->transport);
	*state = world;
	return 0;
}

int chain_tear_down(void **state)
{
	static const char *const files[] = { "config", "credentials", "token" };
	struct world *world = *state;

	credentials_free(world->credentials);
	imds_free(world->imds);
	aws_transport_free(world->transport);
	loop_free(world->loop);
	canned_server_stop(world->server);
	for (size_t i = 0; i < COUNT(files); i++)
		(void)unlink(chain_path(world, files[i]));
	assert_int_equal(rmdir(world->folder), 0);
	free(world);
	return 0;
}

void chain_write(const struct world *world, const char *name, const char *text)
{
	FILE *file = fopen(chain_path(world, name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void chain_begin(struct world *world)
{
	world->imds = imds_new(world->loop, aws_transport_http(world->transport));
	world->credentials = credentials_new(world->loop, world->imds, world->transport);
	assert_non_null(world->credentials);
}

void chain_on_ready(void *user, int err, const char *why)
{
	struct world *world = user;

	world->err = err;
	(void)snprintf(world->why, sizeof world->why, "%s", why);
	world->ready_count++;
	world->is_ready = true;
	assert_null(strstr(why, SECRET));
	assert_null(strstr(why, KEY_ID));
	assert_null(strstr(why, "EXAMPLETOKEN"));
}

int chain_walk(struct world *world)
{
	if (!world->credentials)
		chain_begin(world);
	world->is_ready = false;
	assert_int_equal(credentials_wait(world->credentials, chain_on_ready, world), 0);
	assert_false(world->is_ready); /* never from inside the call */
	loop_run_until(world->loop, &world->is_ready);
	assert_true(world->is_ready);
	return world->err;
}

const struct credentials_set *chain_get(struct world *world)
{
	const char *why = NULL;
	const struct credentials_set *set = credentials_get(world->credentials, &why);

	assert_non_null(why);
	return set;
}

void chain_assert_source(struct world *world, const char *source)
{
	assert_int_equal(chain_walk(world), 0);
	assert_non_null(chain_get(world));
	assert_string_equal(chain_get(world)->source, source);
}

static void on_alarm(void *user)
{
	*(bool *)user = true;
}

void chain_turn(struct world *world)
{
	struct loop_timer timer = { 0 };
	bool is_done = false;

	assert_int_equal(loop_timer_start(world->loop, &timer, mono_add(mono_now(), 5 * US_PER_MS), on_alarm, &is_done), 0);
	loop_run_until(world->loop, &is_done);
}

void chain_use_container(struct world *world)
{
	char url[128];

	(void)snprintf(url, sizeof url, "%s/v2/credentials?x=1", canned_server_url(world->server));
	(void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
}

void chain_forget(struct world *world)
{
	credentials_free(world->credentials);
	imds_free(world->imds);
	world->credentials = NULL;
	world->imds = NULL;
}
