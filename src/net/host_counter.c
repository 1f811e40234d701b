/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by name: in the kernel's text, and in the statistics of a device's driver. */
#include "lattice-probe/host.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "lattice-probe/parse.h"

/* ---- text --------------------------------------------------------------------------------- */

struct word {
	const char *text;
	size_t length;
};

/* The next word of a line; empty at its end. */
static struct word next_word(const char **at)
{
	struct word word;

	*at += strspn(*at, " ");
	word = (struct word){ *at, strcspn(*at, " \n") };
	*at += word.length;
	return word;
}

static bool is_word(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

static bool is_group(struct word word, const char *group)
{
	return word.length > 0 && word.text[word.length - 1] == ':' &&
	       is_word((struct word){ word.text, word.length - 1 }, group);
}

static bool read_number(struct word word, uint64_t *ret_number)
{
	char text[24];
	int64_t number;

	if (word.length == 0 || word.length >= sizeof text)
		return false;
	memcpy(text, word.text, word.length);
	text[word.length] = '\0';
	if (parse_int64(text, 0, INT64_MAX, &number) != 0)
		return false;
	*ret_number = (uint64_t)number;
	return true;
}

/* The value in the second line that stands where the name stands in the first. */
static bool find_in_pair(const char *names, const char *values, const char *name, uint64_t *ret_count)
{
	for (;;) {
		struct word found = next_word(&names);
		struct word value = next_word(&values);

		if (found.length == 0)
			return false;
		if (is_word(found, name))
			return read_number(value, ret_count);
	}
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

bool host_counter_find(const char *text, const char *group, const char *name, uint64_t *ret_count)
{
	while (*text) {
		const char *values = next_line(text);
		const char *names_at = text, *values_at = values;

		if (is_group(next_word(&names_at), group) && is_group(next_word(&values_at), group))
			return find_in_pair(names_at, values_at, name, ret_count);
		text = values;
	}
	return false;
}

/* ---- drivers ------------------------------------------------------------------------------ */

/* An ENA device has some 30 and as many again per queue pair. The kernel writes as many as the driver has
 * at that moment, whatever room was named, so there is room for twice as many as we take. */
#define STATISTICS_MAX 8192

#define STATISTICS_ROOM (2 * (size_t)STATISTICS_MAX)

struct statistics {
	struct ethtool_gstrings *names; /* one name after the other, each of ETH_GSTRING_LEN */
	struct ethtool_stats *values;
};

static bool ask_driver(int fd, const char *device, void *command)
{
	struct ifreq request = { .ifr_data = command };

	memcpy(request.ifr_name, device, strlen(device) + 1);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

/* 0 when the device has no statistics. */
static uint32_t count_statistics(int fd, const char *device)
{
	union {
		struct ethtool_sset_info info;
		char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)]; /* one count behind it */
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS } };

	if (!ask_driver(fd, device, &set) || !(set.info.sset_mask & 1ULL << ETH_SS_STATS))
		return 0;
	return set.info.data[0];
}

static bool read_statistics(int fd, const char *device, const struct statistics *statistics)
{
	uint32_t count = count_statistics(fd, device);

	if (count == 0 || count > STATISTICS_MAX)
		return false;
	*statistics->names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS,
		.len = count };
	*statistics->values = (struct ethtool_stats){ .cmd = ETHTOOL_GSTATS, .n_stats = count };
	return ask_driver(fd, device, statistics->names) && ask_driver(fd, device, statistics->values) &&
	       statistics->names->len == count && statistics->values->n_stats == count;
}

static bool find_statistic(const struct statistics *statistics, const char *name, uint64_t *ret_count)
{
	for (size_t i = 0; i < statistics->names->len; i++) {
		const char *found = (const char *)statistics->names->data + i * ETH_GSTRING_LEN;

		if (strncmp(found, name, ETH_GSTRING_LEN) == 0) {
			*ret_count = statistics->values->data[i];
			return true;
		}
	}
	return false;
}

bool host_counter_of_device(const char *device, const char *name, uint64_t *ret_count)
{
	struct statistics statistics;
	bool is_found = false;
	int fd;

	if (strlen(device) >= IF_NAMESIZE)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* Pages that are not written cost nothing. */
	statistics.names = calloc(1, sizeof *statistics.names + STATISTICS_ROOM * ETH_GSTRING_LEN);
	statistics.values = calloc(1, sizeof *statistics.values + STATISTICS_ROOM * sizeof(uint64_t));
	if (statistics.names && statistics.values && read_statistics(fd, device, &statistics))
		is_found = find_statistic(&statistics, name, ret_count);
	free(statistics.names);
	free(statistics.values);
	(void)close(fd);
	return is_found;
}
