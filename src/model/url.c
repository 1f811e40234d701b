/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's parser does the parsing, but it is lenient ("https:/host", "https:///host" and control
 * characters pass in some versions, user info is kept, %-escapes in the host are decoded). So the
 * raw text is judged first; what curl then makes of it is judged again. */
#include "lattice-probe/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "lattice-probe/err.h"

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

static const char *judge_character(unsigned char c)
{
	if (is_control(c))
		return "a URL holds no control characters";
	if (c >= 0x80)
		return "a URL is plain ASCII: percent-encode the path, write the host as xn--…";
	if (strchr(" \"<>\\", c))
		return "a URL holds no space, quote, angle bracket or backslash: percent-encode it";
	return NULL;
}

static const char *judge_characters(const char *text)
{
	for (const char *c = text; *c; c++) {
		const char *why = judge_character((unsigned char)*c);

		if (why)
			return why;
		if (strncmp(c, "%00", 3) == 0)
			return "a URL holds no percent-encoded NUL";
	}
	return NULL;
}

static const char *judge_authority(const char *authority)
{
	size_t length = strcspn(authority, "/?#");

	if (memchr(authority, '@', length))
		return "a URL holds no user name or password: use header_file.Authorization";
	if (length == 0 || authority[0] == ':')
		return "there is no host";
	if (memchr(authority, '%', length))
		return "a host holds no percent-encoding and no zone";
	return NULL;
}

/* NULL when the raw text is one that curl may see. */
static const char *judge_text(const char *text)
{
	size_t scheme_length = strncasecmp(text, "https://", 8) == 0 ? 8 :
		strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
	const char *why;

	if (strnlen(text, URL_TEXT_MAX + 1) > URL_TEXT_MAX)
		return "a URL is at most 8000 bytes long";
	why = judge_characters(text);
	if (why)
		return why;
	if (scheme_length == 0)
		return "a URL begins with https:// or http://";
	return judge_authority(text + scheme_length);
}

/* The labels of a DNS name: 1 to 63 letters, digits, '-' or '_', 253 in all (RFC 1035 section 2.3.4,
 * and the underscore that service names use). A name whose last label is a number is no name but a
 * misspelt IPv4 address. */
static const char *judge_name(const char *host)
{
	size_t length = 0;
	const char *last = host;

	if (strlen(host) > 253)
		return "a host name is at most 253 characters long";
	for (const char *c = host; *c; c++) {
		if (*c == '.') {
			if (length == 0)
				return "a host name has no empty label";
			length = 0;
			last = c + 1;
			continue;
		}
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *c))
			return "a host name is made of letters, digits, '-', '_' and '.'";
		if (++length > 63)
			return "a label of a host name is at most 63 characters long";
	}
	if (length == 0)
		return "a host name has no empty label";
	if (strspn(last, "0123456789") == length || strncmp(last, "0x", 2) == 0)
		return "the host is neither a name nor an IPv4 address";
	return NULL;
}

/* curl's errors that are left after judge_text. */
static const char *explain(CURLUcode code)
{
	switch ((int)code) {
	case CURLUE_BAD_PORT_NUMBER: return "a port is a number from 1 to 65535";
	case CURLUE_UNSUPPORTED_SCHEME: return "a URL begins with https:// or http://";
	default: return "this is not a URL such as https://host/path";
	}
}

static int fail(CURLUcode code, const char **ret_why)
{
	if (code == CURLUE_OUT_OF_MEMORY)
		return ERR_NOMEM;
	*ret_why = explain(code);
	return ERR_SYNTAX;
}

/* A copy of one part; *ret_part is NULL when the URL has none. */
static int get_part(CURLU *handle, CURLUPart part, unsigned flags, char **ret_part)
{
	char *text = NULL;
	CURLUcode code = curl_url_get(handle, part, &text, flags);
	char *copy = NULL;

	if (code == CURLUE_OUT_OF_MEMORY)
		return ERR_NOMEM;
	if (code == CURLUE_OK && text) {
		copy = strdup(text);
		curl_free(text);
		if (!copy)
			return ERR_NOMEM;
	}
	*ret_part = copy;
	return 0;
}

/* Lower case, without brackets and the root's dot. */
static void normalise_host(char *host)
{
	size_t length = strlen(host);

	if (host[0] == '[' && length >= 2) {
		memmove(host, host + 1, length - 2);
		length -= 2;
		host[length] = '\0';
	}
	if (length > 1 && host[length - 1] == '.')
		host[length - 1] = '\0';
	for (char *c = host; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
}

static int take_host(CURLU *handle, struct url *url, const char **ret_why)
{
	int err = get_part(handle, CURLUPART_HOST, 0, &url->host);

	if (err)
		return err;
	if (!url->host) {
		*ret_why = "there is no host";
		return ERR_SYNTAX;
	}
	normalise_host(url->host);
	if (parse_address(url->host, url->port, &url->literal) == 0 && !strchr(url->host, '[') &&
	    (url->literal.sa.sa_family == AF_INET6 || !strchr(url->host, ':'))) {
		char text[ADDRESS_TEXT_SIZE];

		url->is_literal = true;
		address_format(&url->literal, text);
		free(url->host);
		url->host = strdup(text);
		return url->host ? 0 : ERR_NOMEM;
	}
	*ret_why = judge_name(url->host);
	return *ret_why ? ERR_SYNTAX : 0;
}

static int take_port(CURLU *handle, struct url *url, const char **ret_why)
{
	char *text = NULL;
	int64_t port = 0;
	int err = get_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &text);

	if (err)
		return err;
	err = text ? parse_int64(text, 1, 65535, &port) : ERR_SYNTAX;
	free(text);
	if (err) {
		*ret_why = "a port is a number from 1 to 65535";
		return ERR_SYNTAX;
	}
	url->port = (uint16_t)port;
	return 0;
}

static int take_scheme(CURLU *handle, struct url *url)
{
	char *scheme = NULL;
	int err = get_part(handle, CURLUPART_SCHEME, 0, &scheme);

	if (err)
		return err;
	url->is_tls = scheme && strcmp(scheme, "https") == 0;
	free(scheme);
	return 0;
}

static int take_path_and_query(CURLU *handle, struct url *url)
{
	int err = get_part(handle, CURLUPART_PATH, 0, &url->path);

	if (!err && !url->path) {
		url->path = strdup("/");
		err = url->path ? 0 : ERR_NOMEM;
	}
	if (!err)
		err = get_part(handle, CURLUPART_QUERY, 0, &url->query);
	if (url->query && !*url->query) {
		free(url->query);
		url->query = NULL;
	}
	return err;
}

/* authority, text and redacted, put together from the parts. */
static int compose(struct url *url)
{
	const char *scheme = url->is_tls ? "https" : "http";
	bool is_v6 = url->is_literal && url->literal.sa.sa_family == AF_INET6;
	bool has_port = url->port != (url->is_tls ? 443 : 80);
	char port[8] = "";

	if (has_port)
		(void)snprintf(port, sizeof port, ":%u", (unsigned)url->port);
	if (asprintf(&url->authority, "%s%s%s%s", is_v6 ? "[" : "", url->host, is_v6 ? "]" : "", port) < 0) {
		url->authority = NULL;
		return ERR_NOMEM;
	}
	if (asprintf(&url->text, "%s://%s%s%s%s", scheme, url->authority, url->path, url->query ? "?" : "",
		    url->query ? url->query : "") < 0) {
		url->text = NULL;
		return ERR_NOMEM;
	}
	if (asprintf(&url->redacted, "%s://%s%s%s", scheme, url->authority, url->path,
		    url->query ? "?…" : "") < 0) {
		url->redacted = NULL;
		return ERR_NOMEM;
	}
	return 0;
}

static int take_parts(CURLU *handle, struct url *url, const char **ret_why)
{
	int err = take_scheme(handle, url);

	if (!err)
		err = take_port(handle, url, ret_why);
	if (!err)
		err = take_host(handle, url, ret_why);
	if (!err)
		err = take_path_and_query(handle, url);
	return err ? err : compose(url);
}

int url_parse(const char *text, struct url *ret_url, const char **ret_why)
{
	struct url url = { 0 };
	CURLU *handle;
	CURLUcode code;
	int err = ERR_NOMEM;

	*ret_why = judge_text(text);
	if (*ret_why)
		return ERR_SYNTAX;
	handle = curl_url();
	if (!handle)
		return ERR_NOMEM;
	code = curl_url_set(handle, CURLUPART_URL, text, CURLU_DISALLOW_USER);
	err = code == CURLUE_OK ? take_parts(handle, &url, ret_why) : fail(code, ret_why);
	curl_url_cleanup(handle);
	if (err) {
		url_done(&url);
		return err;
	}
	*ret_url = url;
	return 0;
}

/* Whether the reference is absolute (RFC 3986 section 4.3): letters, digits, + . - and a colon. */
static bool has_scheme(const char *text)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-");

	return length > 0 && strchr("+.-0123456789", text[0]) == NULL && text[length] == ':';
}

/* Spaces and raw UTF-8 pass: servers send them in Location, and like every client we encode them.
 * Control characters do not: curl 8 would encode them, where 7.88 refused. */
static const char *judge_location(const char *location)
{
	if (strnlen(location, URL_TEXT_MAX + 1) > URL_TEXT_MAX)
		return "a URL is at most 8000 bytes long";
	for (const char *c = location; *c; c++)
		if (is_control((unsigned char)*c))
			return judge_character((unsigned char)*c);
	if (has_scheme(location) && strncasecmp(location, "https://", 8) != 0 &&
	    strncasecmp(location, "http://", 7) != 0)
		return "a URL begins with https:// or http://";
	return NULL;
}

int url_resolve(const struct url *base, const char *location, struct url *ret_url, const char **ret_why)
{
	char *text = NULL;
	CURLU *handle;
	CURLUcode code;
	int err = 0;

	*ret_why = judge_location(location);
	if (*ret_why)
		return ERR_SYNTAX;
	handle = curl_url();
	if (!handle)
		return ERR_NOMEM;
	code = curl_url_set(handle, CURLUPART_URL, base->text, 0);
	if (code == CURLUE_OK)
		code = curl_url_set(handle, CURLUPART_URL, location, CURLU_URLENCODE);
	if (code == CURLUE_OK)
		err = get_part(handle, CURLUPART_URL, 0, &text);
	else
		err = fail(code, ret_why);
	curl_url_cleanup(handle);
	if (!err)
		err = url_parse(text ? text : "", ret_url, ret_why);
	free(text);
	return err;
}

void url_done(struct url *url)
{
	free(url->text);
	free(url->redacted);
	free(url->host);
	free(url->path);
	free(url->query);
	free(url->authority);
	*url = (struct url){ 0 };
}
