/* SPDX-License-Identifier: Apache-2.0 */
/* STS AssumeRoleWithWebIdentity, by the query protocol, unsigned: the token in the form is the proof
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). The token's
 * file is read at each refresh: whoever issues it rotates it. */
#include "aws_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/credentials_xml.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/loop.h"

#define TOKEN_MAX_BYTES 20000 /* STS's own limit */
#define FORM_MAX_BYTES (4 * TOKEN_MAX_BYTES)
#define TIMEOUT_US (10 * US_PER_S)

struct credentials_web_identity {
	struct loop *loop;
	struct aws_call *call;
	struct loop_timer timer; /* reports what failed at once */
	struct buf form;         /* holds the token */
	int err;
	const char *why;
	credentials_found *found;
	void *user;
};

/* ---- which role --------------------------------------------------------------------------- */

static char *copy_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strdup(value) : NULL;
}

void credentials_web_identity_role_done(struct credentials_role *role)
{
	free(role->role_arn);
	free(role->token_file);
	free(role->session_name);
	*role = (struct credentials_role){ 0 };
}

int credentials_web_identity_read(struct credentials_role *ret_role, const char **ret_why)
{
	struct credentials_role role = { .token_file = copy_environment("AWS_WEB_IDENTITY_TOKEN_FILE"),
		.role_arn = copy_environment("AWS_ROLE_ARN"),
		.session_name = copy_environment("AWS_ROLE_SESSION_NAME") };
	int err = 0;

	if (!role.token_file) {
		err = ERR_NOT_FOUND;
	} else if (!role.role_arn) {
		*ret_why = "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN";
		err = ERR_SYNTAX;
	}
	if (err)
		credentials_web_identity_role_done(&role);
	else
		*ret_role = role;
	return err;
}

/* ---- the form ----------------------------------------------------------------------------- */

static void append_field(struct buf *form, const char *name, const char *value)
{
	(void)buf_append_format(form, "&%s=", name);
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;
		bool is_plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
				byte == '-' || byte == '_' || byte == '.' || byte == '~';

		if (is_plain)
			(void)buf_append_char(form, (char)byte);
		else
			(void)buf_append_format(form, "%%%02X", byte);
	}
}

static void trim(struct buf *text)
{
	while (text->length_bytes > 0 && strchr(" \t\r\n", text->data[text->length_bytes - 1]))
		text->data[--text->length_bytes] = '\0';
}

static int write_form(const struct credentials_role *role, struct buf *form, const char **ret_why)
{
	struct buf token;
	int err;

	buf_init(&token, TOKEN_MAX_BYTES);
	err = aws_file_read(role->token_file, &token);
	trim(&token);
	if (!err && (token.length_bytes == 0 || strlen(buf_text(&token)) != token.length_bytes))
		err = ERR_SYNTAX;
	if (err) {
		*ret_why = err == ERR_NOMEM ? err_text(err) : "the web identity token's file cannot be read, or holds no token";
		err = err == ERR_NOT_FOUND ? ERR_IO : err;
	} else {
		(void)buf_append_text(form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
		append_field(form, "RoleArn", role->role_arn);
		append_field(form, "RoleSessionName", role->session_name ? role->session_name : "lattice-probe");
		append_field(form, "WebIdentityToken", buf_text(&token));
		*ret_why = "the web identity token or the role's name is too long";
		err = form->failed;
	}
	buf_done_secret(&token);
	return err;
}

/* ---- the call ----------------------------------------------------------------------------- */

void credentials_web_identity_cancel(struct credentials_web_identity *identity)
{
	if (!identity)
		return;
	loop_timer_stop(identity->loop, &identity->timer);
	aws_call_cancel(identity->call);
	buf_done_secret(&identity->form);
	free(identity);
}

static void finish(struct credentials_web_identity *identity, int err, struct credentials_set *set, const char *why)
{
	identity->found(identity->user, err, set, why);
	credentials_web_identity_cancel(identity);
}

static int error_of_class(enum aws_class class_, const char **ret_why)
{
	switch (class_) {
	case AWS_CLASS_EXPIRED:
		*ret_why = "STS: the web identity token has expired; whoever writes its file does not renew it";
		return ERR_DENIED;
	case AWS_CLASS_DENIED:
	case AWS_CLASS_INVALID:
	case AWS_CLASS_TOO_LARGE:
	case AWS_CLASS_SKEWED:
		*ret_why = "STS does not let this token assume the role: see the role's trust policy, the token's issuer and audience";
		return ERR_DENIED;
	case AWS_CLASS_THROTTLED:
	case AWS_CLASS_SERVER:
		*ret_why = "STS is overloaded or broken";
		return ERR_UNREACHABLE;
	case AWS_CLASS_TLS:
		*ret_why = "STS: the endpoint's certificate is not trusted";
		return ERR_UNREACHABLE;
	case AWS_CLASS_LOCAL:
		*ret_why = "STS was not asked: no memory, no descriptor, or an endpoint that may not be used";
		return ERR_IO;
	case AWS_CLASS_TIMEOUT:
	case AWS_CLASS_IN_DOUBT:
		*ret_why = "STS did not answer in time";
		return ERR_TIMEOUT;
	case AWS_CLASS_OK:
	case AWS_CLASS_UNREACHABLE:
		break;
	}
	*ret_why = "STS cannot be reached: no DNS answer or no connection";
	return ERR_UNREACHABLE;
}

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct credentials_web_identity *identity = user;
	struct credentials_set set = { 0 };
	const char *why = "";
	int err;

	identity->call = NULL;
	if (reply->class_ == AWS_CLASS_OK) {
		err = credentials_xml_parse(reply->body, reply->body_bytes, &set);
		why = err ? "STS: the answer is not one of AssumeRoleWithWebIdentity" : "";
	} else {
		err = error_of_class(reply->class_, &why);
	}
	finish(identity, err, &set, why);
}

static void on_failed_at_once(void *user)
{
	struct credentials_web_identity *identity = user;

	finish(identity, identity->err, NULL, identity->why);
}

static int find_endpoint(const char *region, char ret_url[static ENDPOINT_SIZE], const char **ret_why)
{
	if (!region[0] && getenv("AWS_REGION"))
		region = getenv("AWS_REGION");
	if (!region[0] && getenv("AWS_DEFAULT_REGION"))
		region = getenv("AWS_DEFAULT_REGION");
	*ret_why = "STS: no region is known for its endpoint: set region in [cloudwatch] or AWS_REGION";
	return endpoint_find("sts", region, ret_url);
}

static int call_sts(struct credentials_web_identity *identity, struct aws_transport *transport, const char *region,
	const struct credentials_role *role)
{
	static const struct sigv4_header type = { "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" };
	char endpoint[ENDPOINT_SIZE];
	int err = find_endpoint(region, endpoint, &identity->why);

	if (!err)
		err = write_form(role, &identity->form, &identity->why);
	if (err)
		return err;
	identity->call = aws_call_start(transport, &(struct aws_request){ .endpoint = endpoint, .headers = &type,
		.header_count = 1, .body = identity->form.data, .body_bytes = identity->form.length_bytes,
		.timeout_us = TIMEOUT_US }, on_reply, identity);
	identity->why = err_text(ERR_NOMEM);
	return identity->call ? 0 : ERR_NOMEM;
}

struct credentials_web_identity *credentials_web_identity_start(struct aws_transport *transport, const char *region,
	const struct credentials_role *role, credentials_found *found, void *user)
{
	struct credentials_web_identity *identity = calloc(1, sizeof *identity);

	if (!identity)
		return NULL;
	identity->loop = aws_transport_loop(transport);
	identity->found = found;
	identity->user = user;
	buf_init(&identity->form, FORM_MAX_BYTES);
	identity->err = call_sts(identity, transport, region, role);
	if (identity->err &&
	    loop_timer_start(identity->loop, &identity->timer, mono_now(), on_failed_at_once, identity) != 0) {
		credentials_web_identity_cancel(identity);
		return NULL;
	}
	return identity;
}
