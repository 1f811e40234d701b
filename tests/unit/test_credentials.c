/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked for credentials, in which order, and what each says when it has none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/chain.h"

#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/units.h"

/* ---- environment and files ---------------------------------------------------------------- */

static void keys_of_the_environment_come_first(void **state)
{
	struct world *world = *state;

	chain_write(world, "credentials", "[default]\naws_access_key_id = FILE\naws_secret_access_key = FILE\n");
	(void)setenv("AWS_PROFILE", "default", 1);
	(void)setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1);
	(void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
	(void)setenv("AWS_SESSION_TOKEN", "EXAMPLETOKEN", 1);
	chain_assert_source(world, "environment");
	assert_string_equal(chain_get(world)->access_key_id, KEY_ID);
	assert_string_equal(chain_get(world)->session_token, "EXAMPLETOKEN");
	assert_int_equal(chain_get(world)->expiration.us, 0);
	assert_string_equal(world->why, "");
}

static void half_a_pair_or_odd_bytes_are_no_keys(void **state)
{
	static const char *const pairs[][2] = { { KEY_ID, "" }, { "", SECRET }, { "A B", SECRET }, { KEY_ID, "a\nb" },
		{ "A,B", SECRET }, { KEY_ID, "\xc3\xa9" } };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(pairs); i++) {
		(void)setenv("AWS_ACCESS_KEY_ID", pairs[i][0], 1);
		(void)setenv("AWS_SECRET_ACCESS_KEY", pairs[i][1], 1);
		assert_int_equal(chain_walk(world), ERR_SYNTAX);
		assert_null(chain_get(world));
		chain_forget(world);
	}
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

static void a_profile_may_hold_keys(void **state)
{
	struct world *world = *state;

	chain_write(world, "credentials", "[probe]\naws_access_key_id = " KEY_ID "\naws_secret_access_key = " SECRET "\n");
	(void)setenv("AWS_PROFILE", "probe", 1);
	chain_assert_source(world, "shared-file");
	assert_string_equal(chain_get(world)->secret_access_key, SECRET);
	assert_null(chain_get(world)->session_token);
}

/* Asked for and not to be had: the chain ends there, and says why. */
static void a_profile_that_cannot_be_used_ends_the_chain(void **state)
{
	static const struct { const char *config; const char *profile; int err; const char *word; } rows[] = {
		{ "[default]\ncredential_process = /bin/true\n", NULL, ERR_UNSUPPORTED, "credential_process" },
		{ "[default]\nsso_session = x\n", NULL, ERR_UNSUPPORTED, "Identity Center" },
		{ "[default]\nsso_start_url = x\n", NULL, ERR_UNSUPPORTED, "Identity Center" },
		{ "[default]\nrole_arn = x\nsource_profile = y\n", NULL, ERR_UNSUPPORTED, "source_profile" },
		{ "[default]\nrole_arn = x\ncredential_source = Ec2InstanceMetadata\n", NULL, ERR_UNSUPPORTED, "credential_source" },
		{ "[default]\naws_access_key_id = A\n", NULL, ERR_SYNTAX, "without the other" },
		{ "[default]\naws_access_key_id = A\naws_secret_access_key = a b\n", NULL, ERR_SYNTAX, "characters" },
		{ "[default]\nregion = us-east-1\n", "missing", ERR_SYNTAX, "AWS_PROFILE" },
		{ "", "a-name-longer-than-what-inih-can-keep-of-it", ERR_LIMIT, "40" } };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		chain_write(world, "config", rows[i].config);
		if (rows[i].profile)
			(void)setenv("AWS_PROFILE", rows[i].profile, 1);
		assert_int_equal(chain_walk(world), rows[i].err);
		assert_non_null(strstr(world->why, rows[i].word));
		chain_forget(world);
	}
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

/* ---- web identity ------------------------------------------------------------------------- */

static const struct canned_reply sts_replies[] = { { "POST / ", OK_HEAD STS_XML(STS_FIELDS), 0, 0 } };

static void use_web_identity(struct world *world)
{
	chain_write(world, "token", "eyJ.EXAMPLE+/=\n");
	(void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", chain_path(world, "token"), 1);
	(void)setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/probe", 1);
	(void)setenv("AWS_REGION", "us-east-1", 1);
	(void)setenv("AWS_ENDPOINT_URL_STS", canned_server_url(world->server), 1);
}

static void a_web_identity_assumes_its_role(void **state)
{
	struct world *world = *state;
	const char *sent;

	use_web_identity(world);
	canned_server_change(world->server, sts_replies, 1);
	chain_assert_source(world, "web-identity");
	assert_string_equal(chain_get(world)->access_key_id, KEY_ID);
	sent = canned_server_last(world->server, "POST");
	assert_non_null(strstr(sent, "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15"
		"&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fprobe&RoleSessionName=lattice-probe"
		"&WebIdentityToken=eyJ.EXAMPLE%2B%2F%3D"));
	assert_non_null(strstr(sent, "\r\nContent-Type: application/x-www-form-urlencoded"));
	assert_null(strcasestr(sent, "\r\nAuthorization:"));
}

static void a_profile_may_name_a_web_identity(void **state)
{
	struct world *world = *state;
	char config[512];

	use_web_identity(world);
	(void)unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	(void)unsetenv("AWS_ROLE_ARN");
	(void)snprintf(config, sizeof config, "[default]\nrole_arn = arn:aws:iam::123456789012:role/other\n"
		"web_identity_token_file = %s\nrole_session_name = me\n", chain_path(world, "token"));
	chain_write(world, "config", config);
	canned_server_change(world->server, sts_replies, 1);
	chain_assert_source(world, "web-identity");
	assert_non_null(strstr(canned_server_last(world->server, "POST"), "role%2Fother&RoleSessionName=me&"));
}

static void what_sts_refuses_is_said(void **state)
{
	static const struct { const char *reply; int err; const char *word; } rows[] = {
		{ "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Type>Sender</Type><Code>"
			"InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>", ERR_DENIED, "trust policy" },
		{ "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>AccessDenied</Code>"
			"</Error></ErrorResponse>", ERR_DENIED, "trust policy" },
		{ "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>ExpiredTokenException"
			"</Code></Error></ErrorResponse>", ERR_DENIED, "expired" },
		{ STATUS("503 Service Unavailable"), ERR_UNREACHABLE, "overloaded" },
		{ OK_HEAD "<html/>", ERR_PROTOCOL, "not one of" },
		{ OK_HEAD STS_XML("<AccessKeyId>A</AccessKeyId>"), ERR_PROTOCOL, "not one of" },
		{ "", ERR_TIMEOUT, "in time" } };
	struct world *world = *state;

	use_web_identity(world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		canned_server_change(world->server, &(struct canned_reply){ "POST / ", rows[i].reply, 0, 0 }, 1);
		assert_int_equal(chain_walk(world), rows[i].err);
		assert_non_null(strstr(world->why, rows[i].word));
		chain_forget(world);
	}
}

static void a_web_identity_without_its_parts_is_an_error(void **state)
{
	struct world *world = *state;

	use_web_identity(world);
	(void)unsetenv("AWS_REGION");
	(void)unsetenv("AWS_ENDPOINT_URL_STS");
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	assert_non_null(strstr(world->why, "region"));
	credentials_free(world->credentials);
	world->credentials = credentials_new(world->loop, world->imds, world->transport);
	use_web_identity(world);
	(void)unsetenv("AWS_ROLE_ARN");
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	credentials_free(world->credentials);
	world->credentials = credentials_new(world->loop, world->imds, world->transport);
	use_web_identity(world);
	chain_write(world, "token", " \n");
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	credentials_free(world->credentials);
	world->credentials = credentials_new(world->loop, world->imds, world->transport);
	assert_int_equal(unlink(chain_path(world, "token")), 0);
	assert_int_equal(chain_walk(world), ERR_IO);
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

/* ---- container ---------------------------------------------------------------------------- */

static void a_container_is_asked_with_its_token(void **state)
{
	static const struct canned_reply replies[] = { { CONTAINER, OK_HEAD KEYS_JSON(KEY_ID, FAR), 0, 0 } };
	struct world *world = *state;

	chain_use_container(world);
	(void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic EXAMPLE", 1);
	canned_server_change(world->server, replies, 1);
	chain_assert_source(world, "container");
	assert_non_null(strstr(canned_server_last(world->server, "GET"), "\r\nAuthorization: Basic EXAMPLE\r\n"));
	assert_non_null(strstr(canned_server_last(world->server, "GET"), "\r\nAccept: application/json\r\n"));
	/* The file goes before the variable, and is read anew. */
	chain_write(world, "token", "from-file");
	(void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", chain_path(world, "token"), 1);
	credentials_refresh(world->credentials);
	assert_int_equal(chain_walk(world), 0);
	assert_non_null(strstr(canned_server_last(world->server, "GET"), "\r\nAuthorization: from-file\r\n"));
}

static void a_container_token_with_a_line_break_is_never_sent(void **state)
{
	struct world *world = *state;

	chain_use_container(world);
	(void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "abc\r\nX-Injected: yes", 1);
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	assert_non_null(strstr(world->why, "line break"));
	chain_write(world, "token", "abc\n");
	(void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", chain_path(world, "token"), 1);
	credentials_refresh(world->credentials);
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	(void)unlink(chain_path(world, "token"));
	credentials_free(world->credentials);
	world->credentials = credentials_new(world->loop, world->imds, world->transport);
	assert_int_equal(chain_walk(world), ERR_IO);
	assert_int_equal(canned_server_count(world->server, ""), 0);
}

static void a_container_uri_to_a_foreign_host_is_refused(void **state)
{
	static const char *const uris[] = { "http://192.0.2.1/x", "http://example.com/x", "http://169.254.169.254/x",
		"http://169.254.170.3/x", "http://localhost.example.com/x", "http://[fd00:ec2::254]/x", "ftp://127.0.0.1/x",
		"/v2/x", "http://user@127.0.0.1/", "http://127.0.0.1.example.com/" };
	struct world *world = *state;

	(void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "EXAMPLETOKEN", 1);
	for (size_t i = 0; i < COUNT(uris); i++) {
		(void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uris[i], 1);
		(void)chain_walk(world);
		assert_true(world->err == ERR_DENIED || world->err == ERR_SYNTAX);
		chain_forget(world);
	}
	(void)setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@192.0.2.1/x", 1);
	assert_int_equal(chain_walk(world), ERR_SYNTAX);
	assert_non_null(strstr(world->why, "RELATIVE_URI"));
}

static void a_container_endpoint_is_tried_three_times(void **state)
{
	static const struct canned_reply replies[] = { { CONTAINER, STATUS("500 Oops"), 0, 1 }, { CONTAINER, "", 0, 1 },
		{ CONTAINER, OK_HEAD KEYS_JSON(KEY_ID, FAR), 0, 0 } };
	struct world *world = *state;
	struct mono begun = mono_now();

	chain_use_container(world);
	canned_server_change(world->server, replies, COUNT(replies));
	chain_assert_source(world, "container");
	assert_int_equal(canned_server_count(world->server, CONTAINER), 3);
	assert_true(mono_since(mono_now(), begun) >= 2 * US_PER_S);
}

static void a_container_endpoint_that_refuses_is_not_asked_again(void **state)
{
	static const struct canned_reply replies[] = { { CONTAINER, STATUS("403 Forbidden"), 0, 1 },
		{ CONTAINER, STATUS("404 Not Found"), 0, 0 } };
	struct world *world = *state;

	chain_use_container(world);
	canned_server_change(world->server, replies, COUNT(replies));
	assert_int_equal(chain_walk(world), ERR_DENIED);
	assert_non_null(strstr(world->why, "authorization token"));
	assert_int_equal(canned_server_count(world->server, CONTAINER), 1);
	/* Within the pause the answer is the same, and nobody is asked. */
	assert_int_equal(chain_walk(world), ERR_DENIED);
	assert_int_equal(canned_server_count(world->server, ""), 1);
}

/* ---- the instance ------------------------------------------------------------------------- */

static void the_role_of_the_instance_is_the_last_resort(void **state)
{
	static const struct canned_reply replies[] = { PUT_REPLY, ROLE_REPLY,
		{ ROLES "probe-role ", OK_HEAD KEYS_JSON(KEY_ID, FAR), 0, 0 } };
	struct world *world = *state;

	canned_server_change(world->server, replies, COUNT(replies));
	chain_write(world, "config", "[default]\nregion = us-east-1\n");
	chain_assert_source(world, "imds");
	assert_string_equal(chain_get(world)->session_token, "EXAMPLETOKEN");
	assert_true(chain_get(world)->expiration.us > wall_now().us);
}

static void what_the_instance_cannot_give_is_said(void **state)
{
	static const struct { const char *role; const char *keys; int err; const char *word; } rows[] = {
		{ STATUS("404 Not Found"), NULL, ERR_NOT_FOUND, "no role" }, { OK_HEAD, NULL, ERR_NOT_FOUND, "no role" },
		{ OK_HEAD "../../user-data", NULL, ERR_PROTOCOL, "can be none" },
		{ STATUS("403 Forbidden"), NULL, ERR_DENIED, "switched off" },
		{ OK_HEAD "probe-role", OK_HEAD "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"x\"}", ERR_DENIED,
			"trust policy" },
		{ OK_HEAD "probe-role", OK_HEAD "{\"Code\" : \"Success\", \"AccessKeyId\" : ", ERR_PROTOCOL, "not valid" },
		{ OK_HEAD "probe-role", OK_HEAD "{\"Code\":\"Success\",\"AccessKeyId\":\"A\"}", ERR_PROTOCOL, "not valid" },
		{ OK_HEAD "probe-role", STATUS("500 Oops"), ERR_UNREACHABLE, "broken" },
		{ OK_HEAD "probe-role", STATUS("404 Not Found"), ERR_NOT_FOUND, "no such item" } };
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct canned_reply replies[] = { PUT_REPLY, { ROLES " ", rows[i].role, 0, 0 },
			{ ROLES "probe-role ", rows[i].keys ? rows[i].keys : "", 0, 0 } };

		canned_server_change(world->server, replies, COUNT(replies));
		assert_int_equal(chain_walk(world), rows[i].err);
		assert_non_null(strstr(world->why, rows[i].word));
		assert_non_null(strstr(world->why, "none in the environment"));
		assert_null(chain_get(world));
		chain_forget(world);
	}
}

static void expired_ones_from_the_instance_serve_a_while_longer(void **state)
{
	static const struct canned_reply replies[] = { PUT_REPLY, ROLE_REPLY,
		{ ROLES "probe-role ", OK_HEAD KEYS_JSON(KEY_ID, "2015-08-30T12:36:00Z"), 0, 0 } };
	struct world *world = *state;

	canned_server_change(world->server, replies, COUNT(replies));
	chain_assert_source(world, "imds");
	assert_in_range(wall_since(chain_get(world)->expiration, wall_now()), 890 * US_PER_S, 900 * US_PER_S);
	assert_non_null(strstr(world->why, "expired"));
}

static void expired_ones_from_elsewhere_are_refused(void **state)
{
	static const struct canned_reply replies[] = { { CONTAINER, OK_HEAD KEYS_JSON(KEY_ID, "2015-08-30T12:36:00Z"), 0, 0 } };
	struct world *world = *state;

	chain_use_container(world);
	canned_server_change(world->server, replies, 1);
	assert_int_equal(chain_walk(world), ERR_PROTOCOL);
	assert_null(chain_get(world));
	assert_non_null(strstr(world->why, "clock"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chain_set_up, chain_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(keys_of_the_environment_come_first),
		CASE(half_a_pair_or_odd_bytes_are_no_keys),
		CASE(a_profile_may_hold_keys),
		CASE(a_profile_that_cannot_be_used_ends_the_chain),
		CASE(a_web_identity_assumes_its_role),
		CASE(a_profile_may_name_a_web_identity),
		CASE(what_sts_refuses_is_said),
		CASE(a_web_identity_without_its_parts_is_an_error),
		CASE(a_container_is_asked_with_its_token),
		CASE(a_container_token_with_a_line_break_is_never_sent),
		CASE(a_container_uri_to_a_foreign_host_is_refused),
		CASE(a_container_endpoint_is_tried_three_times),
		CASE(a_container_endpoint_that_refuses_is_not_asked_again),
		CASE(the_role_of_the_instance_is_the_last_resort),
		CASE(what_the_instance_cannot_give_is_said),
		CASE(expired_ones_from_the_instance_serve_a_while_longer),
		CASE(expired_ones_from_elsewhere_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
