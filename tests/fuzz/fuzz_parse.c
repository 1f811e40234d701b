/* SPDX-License-Identifier: Apache-2.0 */
/* parse and units: one text through every reader of numbers, addresses and instants. What is read
 * lies within its limits, and what is printed is read back as the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/parse.h"
#include "lattice-probe/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(const char *text)
{
	int64_t value = 0;
	bool flag;

	if (parse_int64(text, -1000, 1000, &value) == 0)
		assert(value >= -1000 && value <= 1000);
	if (parse_duration(text, &value) == 0)
		assert(value >= 0);
	if (parse_size(text, &value) == 0)
		assert(value >= 0);
	(void)parse_bool(text, &flag);
}

static void addresses(const char *text)
{
	char printed[ADDRESS_TEXT_SIZE];
	union address address;
	union address again;

	if (parse_address(text, 53, &address) != 0)
		return;
	address_format_port(&address, printed);
	assert(parse_address(printed, 0, &again) == 0);
	assert(address_is_equal(&address, &again));
}

static void instants(const char *text)
{
	char printed[WALL_TEXT_SIZE];
	struct wall instant;
	struct wall again;

	if (wall_parse_http_date(text, &instant) == 0)
		wall_format_rfc3339(instant, printed);
	if (wall_parse_rfc3339(text, &instant) != 0)
		return;
	wall_format_rfc3339(instant, printed);
	assert(wall_parse_rfc3339(printed, &again) == 0);
	assert(again.us == instant.us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	numbers(text);
	addresses(text);
	instants(text);
	free(text);
	return 0;
}
