/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/parse.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

struct unit {
	const char *word;
	int64_t factor;
};

/* Digits at *text into *ret_value; *text moves behind them. */
static int unsigned_digits(const char **text, int64_t *ret_value)
{
	int64_t value = 0;

	if (**text < '0' || **text > '9')
		return ERR_SYNTAX;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, **text - '0', &value))
			return ERR_RANGE;
	*ret_value = value;
	return 0;
}

int parse_int64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
	bool is_negative = *text == '-';
	int64_t value;
	int err;

	if (is_negative)
		text++;
	err = unsigned_digits(&text, &value);
	if (err)
		return err;
	if (*text)
		return ERR_SYNTAX;
	if (is_negative)
		value = -value;
	if (value < min || value > max)
		return ERR_RANGE;
	*ret_value = value;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t count, int64_t *ret_value)
{
	int64_t value;
	int err = unsigned_digits(&text, &value);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, units[i].word) != 0)
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return ERR_RANGE;
		*ret_value = value;
		return 0;
	}
	return ERR_SYNTAX;
}

int parse_duration(const char *text, int64_t *ret_us)
{
	static const struct unit units[] = {
		{ "ms", US_PER_MS }, { "s", US_PER_S }, { "m", 60 * US_PER_S },
		{ "h", 3600 * US_PER_S }, { "d", US_PER_DAY },
	};

	return parse_with_unit(text, units, sizeof units / sizeof *units, ret_us);
}

int parse_size(const char *text, int64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 }, { "GiB", 1024 * 1024 * 1024 },
	};

	return parse_with_unit(text, units, sizeof units / sizeof *units, ret_bytes);
}

int parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[2][3] = { { "no", "false", "off" }, { "yes", "true", "on" } };

	for (size_t value = 0; value < 2; value++)
		for (size_t i = 0; i < 3; i++)
			if (strcmp(text, words[value][i]) == 0) {
				*ret_value = value == 1;
				return 0;
			}
	return ERR_SYNTAX;
}

static int parse_host(const char *host, uint16_t port, union address *ret_address)
{
	union address address = { 0 };

	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1)
		address.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1)
		address.sa.sa_family = AF_INET6;
	else
		return ERR_SYNTAX;
	address_set_port(&address, port);
	*ret_address = address;
	return 0;
}

int parse_address(const char *text, uint16_t default_port, union address *ret_address)
{
	char host[INET6_ADDRSTRLEN];
	const char *end;
	const char *port_text = NULL;
	int64_t port = default_port;
	size_t length;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':') || !memchr(text, ':', (size_t)(end - text)))
			return ERR_SYNTAX;
		port_text = end[1] ? end + 2 : NULL;
	} else {
		end = strchr(text, ':');
		if (end && !strchr(end + 1, ':'))
			port_text = end + 1;
		else
			end = text + strlen(text);
	}
	length = (size_t)(end - text);
	if (length == 0 || length >= sizeof host)
		return ERR_SYNTAX;
	memcpy(host, text, length);
	host[length] = '\0';
	if (port_text) {
		int err = parse_int64(port_text, 1, 65535, &port);

		if (err)
			return err;
	}
	return parse_host(host, (uint16_t)port, ret_address);
}

void address_format(const union address *address, char ret_text[static ADDRESS_TEXT_SIZE])
{
	ret_text[0] = '\0';
	if (address->sa.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, ret_text, ADDRESS_TEXT_SIZE);
	else if (address->sa.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, ret_text, ADDRESS_TEXT_SIZE);
}

void address_format_port(const union address *address, char ret_text[static ADDRESS_TEXT_SIZE])
{
	char host[ADDRESS_TEXT_SIZE];
	bool is_v6 = address->sa.sa_family == AF_INET6;

	address_format(address, host);
	ret_text[0] = '\0';
	if (host[0])
		(void)snprintf(ret_text, ADDRESS_TEXT_SIZE, "%s%.*s%s:%u", is_v6 ? "[" : "", INET6_ADDRSTRLEN,
			host, is_v6 ? "]" : "", (unsigned)address_port(address));
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->sa.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void address_set_port(union address *address, uint16_t port)
{
	if (address->sa.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

socklen_t address_length(const union address *address)
{
	return address->sa.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

bool address_is_equal(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_UNSPEC)
		return true;
	if (address_port(a) != address_port(b))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

bool address_is_loopback(const union address *address)
{
	if (address->sa.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	return address->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

void address_from_bytes(int family, const void *bytes, uint16_t port, union address *ret_address)
{
	*ret_address = (union address){ 0 };
	assert(family == AF_INET || family == AF_INET6);
	ret_address->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&ret_address->v4.sin_addr, bytes, 4);
	else
		memcpy(&ret_address->v6.sin6_addr, bytes, 16);
	address_set_port(ret_address, port);
}
