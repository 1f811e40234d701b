/* SPDX-License-Identifier: Apache-2.0 */
/* url: the first line as a URL, the rest as the Location of a redirect from it. What is accepted is
 * accepted again, as the same URL, and never carries user info or control characters. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct url *url)
{
	const char *why = NULL;
	struct url again;

	assert(url->host && *url->host && url->path && url->path[0] == '/' && url->authority);
	assert(!strchr(url->authority, '@'));
	for (const char *c = url->text; *c; c++)
		assert((unsigned char)*c > ' ' && *c != 0x7f);
	assert(!url->query == !strchr(url->redacted, '?'));
	assert(!url->query || strcmp(strchr(url->redacted, '?'), "?…") == 0);
	assert(url_parse(url->text, &again, &why) == 0);
	assert(strcmp(again.text, url->text) == 0 && strcmp(again.host, url->host) == 0);
	assert(again.port == url->port && again.is_tls == url->is_tls);
	url_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *why = NULL;
	struct url base;
	struct url next;
	char *location;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	location = strchr(text, '\n');
	if (location)
		*location++ = '\0';
	if (url_parse(text, &base, &why) == 0) {
		check(&base);
		if (location && url_resolve(&base, location, &next, &why) == 0) {
			check(&next);
			url_done(&next);
		}
		url_done(&base);
	}
	free(text);
	return 0;
}
