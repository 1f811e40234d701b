/* SPDX-License-Identifier: Apache-2.0 */
#include "config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/url.h"

#define METHOD_MAX 32
#define SIGN_HOSTS_MAX 16

int conf_request_set_url(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *why = NULL;
	struct url url = { 0 };
	int err = url_parse(setting->value, &url, &why);

	if (err == ERR_NOMEM)
		return err;
	if (!err && url.is_literal && target_address_is_denied(&url.literal))
		why = "this address hands out credentials and is never probed";
	if (why) {
		/* The URL itself may hold a password and is not repeated. */
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s", why);
		url_done(&url);
		return 0;
	}
	builder->target->url = url;
	return 0;
}

int conf_request_set_enabled(struct conf_builder *builder, struct conf_setting *setting)
{
	char shown[CONF_SHOWN_SIZE];

	if (parse_bool(setting->value, &builder->is_enabled) != 0)
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" is neither yes nor no; write yes or no",
			conf_findings_show(setting->value, shown));
	return 0;
}

/* Methods have case (RFC 9110 section 9.1), and every one in use is in capitals. */
static const char *judge_method(const char *method)
{
	if (!conf_header_is_token(method) || strlen(method) > METHOD_MAX)
		return "is no HTTP method; write GET, HEAD, POST or the like";
	if (strpbrk(method, "abcdefghijklmnopqrstuvwxyz"))
		return "has small letters, and methods have case; write it in capitals";
	if (strcmp(method, "CONNECT") == 0)
		return "asks for a tunnel and not for a response; write GET, HEAD, POST or the like";
	return NULL;
}

int conf_request_set_method(struct conf_builder *builder, struct conf_setting *setting)
{
	const char *why = judge_method(setting->value);
	char shown[CONF_SHOWN_SIZE];
	char *method;

	if (why) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\" %s",
			conf_findings_show(setting->value, shown), why);
		return 0;
	}
	method = strdup(setting->value);
	if (!method)
		return ERR_NOMEM;
	free(builder->target->method);
	builder->target->method = method;
	return 0;
}

static bool has_body(struct conf_builder *builder, struct conf_setting *setting)
{
	if (!builder->target->body)
		return false;
	conf_builder_report(builder, CONF_MISTAKE, setting, "the body is set by body and body_file both; choose one");
	return true;
}

int conf_request_set_body(struct conf_builder *builder, struct conf_setting *setting)
{
	if (has_body(builder, setting))
		return 0;
	builder->target->body = strdup(setting->value);
	builder->target->body_bytes = strlen(setting->value);
	return builder->target->body ? 0 : ERR_NOMEM;
}

/* The file's bytes become the body. */
int conf_request_set_body_file(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target *target = builder->target;
	struct conf_file file;
	char *path;
	size_t bytes;
	int err;

	if (has_body(builder, setting))
		return 0;
	err = conf_secret_read(builder, setting, CONF_BODY_FILE_MAX_BYTES, &file, &path);
	if (err)
		return err == ERR_IO ? 0 : err;
	bytes = file.content.length_bytes;
	target->body = buf_take(&file.content);
	target->body_bytes = target->body ? bytes : 0;
	buf_done_secret(&file.content);
	free(path);
	return target->body ? 0 : ERR_NOMEM;
}

/* Looks whether there is a certificate in the file. */
static int check_ca(struct conf_builder *builder, struct conf_setting *setting, const char *path)
{
	char *why = NULL;
	struct conf_file file;
	int err = conf_file_read(path, CONF_FILE_MAX_BYTES, false, &file, &why);

	if (err == ERR_IO) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "%s %s", path, why);
		err = 0;
	} else if (!err) {
		/* Also "BEGIN TRUSTED CERTIFICATE" and "BEGIN X509 CERTIFICATE". */
		if (!memmem(buf_text(&file.content), file.content.length_bytes, "-----BEGIN ", 11) ||
		    !memmem(buf_text(&file.content), file.content.length_bytes, "CERTIFICATE-----", 16))
			conf_builder_report(builder, CONF_MISTAKE, setting, "%s holds no PEM certificate", path);
		buf_done(&file.content);
	}
	free(why);
	return err;
}

int conf_request_set_tls_ca(struct conf_builder *builder, struct conf_setting *setting)
{
	char *path = conf_file_beside(setting->source->path, setting->value);
	bool is_known;
	int err = 0;

	if (!path)
		return ERR_NOMEM;
	is_known = builder->last_ca && strcmp(builder->last_ca, path) == 0;
	if (!is_known)
		err = check_ca(builder, setting, path);
	if (err || setting->is_wrong) {
		free(path);
		return err;
	}
	builder->target->tls_ca = path;
	builder->last_ca = path;
	return 0;
}

/* A bare host name, normalised as in a URL. ERR_SYNTAX was reported. */
static int parse_host(struct conf_builder *builder, struct conf_setting *setting, const char *item, char **ret_host)
{
	char text[CONF_ITEM_SIZE + sizeof "https:///"];
	char shown[CONF_SHOWN_SIZE];
	const char *why = NULL;
	struct url url = { 0 };
	int err;

	(void)snprintf(text, sizeof text, "https://%s/", item);
	err = url_parse(text, &url, &why);
	if (!err && (url.port != 443 || strcmp(url.path, "/") != 0 || url.query || strchr(item, ':')))
		why = "only the name of a host belongs here, without scheme, port and path";
	if (err != ERR_NOMEM && why) {
		conf_builder_report(builder, CONF_MISTAKE, setting, "\"%s\": %s", conf_findings_show(item, shown), why);
		err = ERR_SYNTAX;
	}
	if (!err) {
		*ret_host = url.host;
		url.host = NULL;
	}
	url_done(&url);
	return err;
}

int conf_request_set_sign_host(struct conf_builder *builder, struct conf_setting *setting)
{
	struct target *target = builder->target;
	const char *cursor = setting->value;
	char item[CONF_ITEM_SIZE];

	target->sign_hosts = calloc(SIGN_HOSTS_MAX, sizeof *target->sign_hosts);
	if (!target->sign_hosts)
		return ERR_NOMEM;
	while (conf_value_next_item(&cursor, ',', item)) {
		int err;

		if (target->sign_host_count == SIGN_HOSTS_MAX) {
			conf_builder_report(builder, CONF_MISTAKE, setting, "there are more than %d hosts",
				SIGN_HOSTS_MAX);
			return 0;
		}
		err = parse_host(builder, setting, item, &target->sign_hosts[target->sign_host_count]);
		if (err == ERR_NOMEM)
			return err;
		if (err)
			return 0;
		target->sign_host_count++;
	}
	return 0;
}
