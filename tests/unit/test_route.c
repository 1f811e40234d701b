/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel written by hand, and the kernel of this machine as far as every one has a
 * loopback. What takes tables of routes is in tests/lab/test_route.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lattice-probe/err.h"
#include "lattice-probe/route.h"
#include "lattice-probe/route_message.h"

#define SEQUENCE 7

/* ---- writing ------------------------------------------------------------------------------ */

struct writing {
	unsigned char bytes[512];
	size_t length;
	size_t begin; /* of the message that is being written */
};

static void put(struct writing *writing, const void *bytes, size_t length)
{
	assert_true(writing->length + NLMSG_ALIGN(length) <= sizeof writing->bytes);
	memcpy(writing->bytes + writing->length, bytes, length);
	writing->length += NLMSG_ALIGN(length);
}

/* The length in the header of the message, as of now. */
static void close_message(struct writing *writing)
{
	uint32_t length = (uint32_t)(writing->length - writing->begin);

	memcpy(writing->bytes + writing->begin, &length, sizeof length);
}

static void begin_message(struct writing *writing, uint16_t type, uint32_t sequence)
{
	const struct nlmsghdr header = { .nlmsg_type = type, .nlmsg_seq = sequence };

	writing->begin = writing->length;
	put(writing, &header, sizeof header);
	close_message(writing);
}

static void put_attribute(struct writing *writing, uint16_t type, const void *value, size_t length)
{
	const struct rtattr header = { .rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type };
	unsigned char whole[128] = { 0 };

	assert_true(RTA_LENGTH(length) <= sizeof whole);
	memcpy(whole, &header, sizeof header);
	memcpy(whole + sizeof header, value, length);
	put(writing, whole, RTA_LENGTH(length));
	close_message(writing);
}

static void put_number(struct writing *writing, uint16_t type, uint32_t number)
{
	put_attribute(writing, type, &number, sizeof number);
}

static void put_address(struct writing *writing, uint16_t type, const char *text)
{
	union address address;

	assert_int_equal(parse_address(text, 0, &address), 0);
	if (address.sa.sa_family == AF_INET)
		put_attribute(writing, type, &address.v4.sin_addr, 4);
	else
		put_attribute(writing, type, &address.v6.sin6_addr, 16);
}

static void begin_route(struct writing *writing, const struct rtmsg *route)
{
	*writing = (struct writing){ 0 };
	begin_message(writing, RTM_NEWROUTE, SEQUENCE);
	put(writing, route, sizeof *route);
	close_message(writing);
}

static const struct rtmsg default_route = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN,
	.rtm_type = RTN_UNICAST };
static const struct rtmsg resolved_v6 = { .rtm_family = AF_INET6, .rtm_dst_len = 128,
	.rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST, .rtm_flags = RTM_F_CLONED };

/* ---- reading ------------------------------------------------------------------------------ */

/* In a block of exactly that length, one byte off any alignment, so that a sanitizer sees overreach. */
static int parse_bytes(const void *bytes, size_t length, struct route_message *ret_message)
{
	unsigned char *copy = test_malloc(length + 1);
	int err;

	memcpy(copy + 1, bytes, length);
	err = route_message_parse(copy + 1, length, SEQUENCE, ret_message);
	test_free(copy);
	return err;
}

static int parse(const struct writing *writing, struct route_message *ret_message)
{
	return parse_bytes(writing->bytes, writing->length, ret_message);
}

static struct route_message parse_sound(const struct writing *writing)
{
	struct route_message message;

	assert_int_equal(parse(writing, &message), 0);
	return message;
}

static void expect_address(const union address *address, const char *text)
{
	char shown[ADDRESS_TEXT_SIZE];

	address_format(address, shown);
	assert_string_equal(shown, text);
}

/* ---- routes ------------------------------------------------------------------------------- */

static void a_route_is_taken_apart(void **state)
{
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &default_route);
	put_number(&writing, RTA_TABLE, 1000);
	put_number(&writing, RTA_OIF, 3);
	put_address(&writing, RTA_GATEWAY, "10.0.1.1");
	put_address(&writing, RTA_PREFSRC, "10.0.1.10");
	message = parse_sound(&writing);
	assert_int_equal(message.kind, ROUTE_MESSAGE_ROUTE);
	assert_int_equal(message.route, ROUTE_UNICAST);
	assert_int_equal(message.error, 0);
	assert_int_equal(message.table, 1000);
	assert_int_equal(message.device_index, 3);
	assert_false(message.is_cloned);
	expect_address(&message.gateway, "10.0.1.1");
	expect_address(&message.source, "10.0.1.10");
	expect_address(&message.prefix, "0.0.0.0");
	assert_int_equal(message.prefix_length, 0);
}

static void each_type_has_its_kind(void **state)
{
	static const struct {
		unsigned char type;
		enum route_kind kind;
	} types[] = { { RTN_UNICAST, ROUTE_UNICAST }, { RTN_LOCAL, ROUTE_LOCAL },
		{ RTN_BLACKHOLE, ROUTE_BLACKHOLE }, { RTN_UNREACHABLE, ROUTE_UNREACHABLE },
		{ RTN_PROHIBIT, ROUTE_PROHIBIT }, { RTN_BROADCAST, ROUTE_OTHER }, { 255, ROUTE_OTHER } };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct rtmsg route = default_route;
		struct writing writing;

		route.rtm_type = types[i].type;
		begin_route(&writing, &route);
		assert_int_equal(parse_sound(&writing).route, types[i].kind);
	}
}

static void a_link_local_gateway_is_one_of_its_link(void **state)
{
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &resolved_v6);
	put_address(&writing, RTA_GATEWAY, "fe80::1");
	put_number(&writing, RTA_OIF, 5);
	put_address(&writing, RTA_DST, "fd00:ec2:80::1");
	message = parse_sound(&writing);
	expect_address(&message.gateway, "fe80::1");
	assert_int_equal(message.gateway.v6.sin6_scope_id, 5);
	expect_address(&message.prefix, "fd00:ec2:80::1");
	assert_int_equal(message.prefix_length, 128);
	assert_true(message.is_cloned);
}

static void an_ipv4_route_may_go_over_ipv6(void **state)
{
	static const unsigned char via[] = { AF_INET6, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };
	static const unsigned char odd_family[] = { 99, 0, 10, 0, 0, 1 };
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_VIA, via, sizeof via);
	message = parse_sound(&writing);
	expect_address(&message.gateway, "fe80::9");
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_VIA, odd_family, sizeof odd_family);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_VIA, via, 1);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
}

static void of_several_next_hops_the_first_counts(void **state)
{
	static const unsigned char hops[] = { 16, 0, 0, 0, 3, 0, 0, 0, 8, 0, RTA_GATEWAY, 0, 10, 9, 0, 3,
		16, 0, 0, 0, 4, 0, 0, 0, 8, 0, RTA_GATEWAY, 0, 10, 9, 0, 4 };
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_MULTIPATH, hops, sizeof hops);
	message = parse_sound(&writing);
	assert_int_equal(message.device_index, 3);
	expect_address(&message.gateway, "10.9.0.3");
}

static void broken_next_hops_are_malformed(void **state)
{
	static const struct {
		unsigned char bytes[16];
		size_t length;
	} broken[] = {
		{ { 16, 0, 0, 0, 3, 0, 0, 0, 8, 0, RTA_GATEWAY, 0, 10, 9, 0, 3 }, 7 },  /* no header */
		{ { 7, 0, 0, 0, 3, 0, 0, 0 }, 8 },                                       /* shorter than itself */
		{ { 17, 0, 0, 0, 3, 0, 0, 0, 8, 0, RTA_GATEWAY, 0, 10, 9, 0, 3 }, 16 }, /* longer than all */
		{ { 16, 0, 0, 0, 3, 0, 0, 0, 9, 0, RTA_GATEWAY, 0, 10, 9, 0, 3 }, 16 }, /* attribute too long */
		{ { 14, 0, 0, 0, 3, 0, 0, 0, 6, 0, RTA_GATEWAY, 0, 10, 9 }, 14 },       /* half an address */
		{ { 10, 0, 0, 0, 3, 0, 0, 0, 8, 0 }, 10 },                               /* half an attribute */
		{ { 8, 0, 0, 0, 0, 0, 0, 0x80 }, 8 },                                    /* a negative device */
	};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct writing writing;
		struct route_message message;

		begin_route(&writing, &default_route);
		put_attribute(&writing, RTA_MULTIPATH, broken[i].bytes, broken[i].length);
		if (parse(&writing, &message) != ERR_PROTOCOL)
			fail_msg("broken next hop %zu was read", i);
	}
}

static void a_cached_error_is_that_of_a_sender(void **state)
{
	struct rta_cacheinfo info = { .rta_error = (uint32_t)-ENETUNREACH };
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &resolved_v6);
	put_attribute(&writing, RTA_CACHEINFO, &info, sizeof info);
	assert_int_equal(parse_sound(&writing).error, ENETUNREACH);
	info.rta_error = 1;
	begin_route(&writing, &resolved_v6);
	put_attribute(&writing, RTA_CACHEINFO, &info, sizeof info);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	info.rta_error = UINT32_C(0x80000000);
	begin_route(&writing, &resolved_v6);
	put_attribute(&writing, RTA_CACHEINFO, &info, sizeof info);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	begin_route(&writing, &resolved_v6);
	put_attribute(&writing, RTA_CACHEINFO, &info, sizeof info - 4);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
}

static void a_value_of_the_wrong_size_is_malformed(void **state)
{
	static const uint16_t types[] = { RTA_DST, RTA_PREFSRC, RTA_GATEWAY, RTA_OIF, RTA_TABLE, RTA_CACHEINFO };
	static const unsigned char value[16];

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		for (size_t length = 0; length <= sizeof value; length++) {
			struct writing writing;
			struct route_message message;

			begin_route(&writing, &default_route);
			put_attribute(&writing, types[i], value, length);
			assert_int_equal(parse(&writing, &message), length == 4 && types[i] != RTA_CACHEINFO ?
				0 : ERR_PROTOCOL);
		}
	}
}

static void attributes_nobody_asked_for_are_skipped(void **state)
{
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_METRICS, "123", 3);
	put_attribute(&writing, 0x3fff, "", 0);
	put_number(&writing, RTA_OIF | NLA_F_NESTED, 4);
	message = parse_sound(&writing);
	assert_int_equal(message.device_index, 4);
}

static void attributes_that_lie_about_their_length_are_malformed(void **state)
{
	static const uint16_t lengths[] = { 0, 1, 3, 9, 12, 0xffff };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct writing writing;
		struct route_message message;
		size_t at;

		begin_route(&writing, &default_route);
		at = writing.length;
		put_number(&writing, RTA_METRICS, 3); /* one that is skipped */
		memcpy(writing.bytes + at, &lengths[i], sizeof lengths[i]);
		assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	}
}

static void a_next_hop_stays_within_its_attribute(void **state)
{
	static const unsigned char hop[] = { 16, 0, 0, 0, 3, 0, 0, 0 };
	struct writing writing;
	struct route_message message;

	(void)state;
	begin_route(&writing, &default_route);
	put_attribute(&writing, RTA_MULTIPATH, hop, sizeof hop);
	put_address(&writing, RTA_GATEWAY, "10.9.0.3"); /* eight bytes that would fit */
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
}

static void headers_that_lie_are_malformed(void **state)
{
	struct rtmsg odd_family = default_route, long_prefix = default_route;
	struct writing writing;
	struct route_message message;

	(void)state;
	odd_family.rtm_family = AF_UNIX;
	begin_route(&writing, &odd_family);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	long_prefix.rtm_dst_len = 33;
	begin_route(&writing, &long_prefix);
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	begin_route(&writing, &resolved_v6);
	writing.bytes[sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_dst_len)] = 129;
	assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
}

/* ---- neighbours --------------------------------------------------------------------------- */

static void each_state_of_a_neighbour_has_its_word(void **state)
{
	static const struct {
		uint16_t state;
		enum route_neighbour neighbour;
	} states[] = { { NUD_NONE, ROUTE_NEIGHBOUR_NONE }, { NUD_INCOMPLETE, ROUTE_NEIGHBOUR_INCOMPLETE },
		{ NUD_FAILED, ROUTE_NEIGHBOUR_FAILED }, { NUD_REACHABLE, ROUTE_NEIGHBOUR_REACHABLE },
		{ NUD_STALE, ROUTE_NEIGHBOUR_REACHABLE }, { NUD_DELAY, ROUTE_NEIGHBOUR_REACHABLE },
		{ NUD_PROBE, ROUTE_NEIGHBOUR_REACHABLE }, { NUD_PERMANENT, ROUTE_NEIGHBOUR_REACHABLE },
		{ NUD_NOARP, ROUTE_NEIGHBOUR_REACHABLE } };

	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		const struct ndmsg header = { .ndm_family = AF_INET, .ndm_ifindex = 3,
			.ndm_state = states[i].state };
		struct writing writing = { .length = 0 };
		struct route_message message;

		begin_message(&writing, RTM_NEWNEIGH, SEQUENCE);
		put(&writing, &header, sizeof header);
		close_message(&writing);
		message = parse_sound(&writing);
		assert_int_equal(message.kind, ROUTE_MESSAGE_NEIGHBOUR);
		assert_int_equal(message.neighbour, states[i].neighbour);
		assert_int_equal(message.device_index, 3);
	}
}

/* ---- messages ----------------------------------------------------------------------------- */

static void write_refusal(struct writing *writing, int32_t error, uint32_t sequence)
{
	begin_message(writing, NLMSG_ERROR, sequence);
	put(writing, &error, sizeof error);
	close_message(writing);
}

static void a_refusal_is_an_errno(void **state)
{
	static const int32_t odd[] = { 0, 1, -4096, INT32_MIN };
	struct writing writing = { .length = 0 };
	struct route_message message;

	(void)state;
	write_refusal(&writing, -EHOSTUNREACH, SEQUENCE);
	message = parse_sound(&writing);
	assert_int_equal(message.kind, ROUTE_MESSAGE_REFUSED);
	assert_int_equal(message.error, EHOSTUNREACH);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		writing = (struct writing){ .length = 0 };
		write_refusal(&writing, odd[i], SEQUENCE);
		assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	}
}

static void answers_to_others_are_passed_over(void **state)
{
	struct writing writing = { .length = 0 };
	struct route_message message;

	(void)state;
	write_refusal(&writing, -EACCES, SEQUENCE + 1);
	assert_int_equal(parse(&writing, &message), ERR_NOT_FOUND);
	write_refusal(&writing, -EINVAL, SEQUENCE);
	write_refusal(&writing, -EPERM, SEQUENCE);
	message = parse_sound(&writing);
	assert_int_equal(message.error, EINVAL);
	assert_int_equal(parse_bytes("", 0, &message), ERR_NOT_FOUND);
}

static void another_type_of_message_is_malformed(void **state)
{
	static const uint16_t types[] = { NLMSG_NOOP, NLMSG_DONE, RTM_NEWLINK, RTM_DELROUTE, 0xffff };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct writing writing = { .length = 0 };
		struct route_message message;

		begin_message(&writing, types[i], SEQUENCE);
		assert_int_equal(parse(&writing, &message), ERR_PROTOCOL);
	}
}

static void a_message_cut_anywhere_is_malformed_and_changes_nothing(void **state)
{
	struct writing writing;
	struct route_message message = { .table = 4711 };

	(void)state;
	begin_route(&writing, &default_route);
	put_address(&writing, RTA_GATEWAY, "10.0.1.1");
	for (size_t length = 1; length < writing.length; length++) {
		uint32_t said = (uint32_t)length;
		struct writing cut = writing;

		assert_int_equal(parse_bytes(writing.bytes, length, &message), ERR_PROTOCOL);
		/* The same with a header that says so. After the fixed part it is a route without a gateway. */
		memcpy(cut.bytes, &said, sizeof said);
		if (length != NLMSG_LENGTH(sizeof(struct rtmsg)))
			assert_int_equal(parse_bytes(cut.bytes, length, &message), ERR_PROTOCOL);
	}
	assert_int_equal(message.table, 4711);
}

/* ---- this kernel -------------------------------------------------------------------------- */

static void loopback_is_local(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "127.9.9.9:443" };

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		union address destination;
		struct route route;

		assert_int_equal(parse_address(addresses[i], 0, &destination), 0);
		assert_int_equal(route_lookup(&destination, &route), 0);
		assert_int_equal(route.kind, ROUTE_LOCAL);
		assert_int_equal(route.error, 0);
		assert_string_equal(route.device, "lo");
		assert_int_equal(route.gateway.sa.sa_family, AF_UNSPEC);
		assert_false(route.is_link_scope);
	}
}

static void a_neighbour_on_no_device_cannot_be_asked_for(void **state)
{
	const struct route route = { .kind = ROUTE_UNICAST, .device = "nosuchdevice" };
	enum route_neighbour neighbour = ROUTE_NEIGHBOUR_FAILED;
	union address destination;

	(void)state;
	assert_int_equal(parse_address("192.0.2.1", 0, &destination), 0);
	assert_int_equal(route_read_neighbour(&route, &destination, &neighbour), ERR_IO);
	assert_int_equal(neighbour, ROUTE_NEIGHBOUR_FAILED);
}

static void a_neighbour_nobody_asked_for_is_none(void **state)
{
	const struct route route = { .kind = ROUTE_UNICAST, .device = "lo" };
	enum route_neighbour neighbour = ROUTE_NEIGHBOUR_FAILED;
	union address destination;

	(void)state;
	assert_int_equal(parse_address("192.0.2.1", 0, &destination), 0);
	assert_int_equal(route_read_neighbour(&route, &destination, &neighbour), 0);
	assert_int_equal(neighbour, ROUTE_NEIGHBOUR_NONE);
}

static void without_a_descriptor_nothing_can_be_asked(void **state)
{
	struct rlimit before, none;
	struct route route = { .table = 4711 };
	union address destination;

	(void)state;
	assert_int_equal(parse_address("127.0.0.1", 0, &destination), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(route_lookup(&destination, &route), ERR_NOFD);
	assert_false(route_has_default(AF_INET));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(route.table, 4711);
}

static void every_kind_and_state_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(route_kind_name(ROUTE_NONE), "none");
	assert_string_equal(route_kind_name(ROUTE_PROHIBIT), "prohibit");
	assert_string_equal(route_kind_name(ROUTE_OTHER), "other");
	assert_string_equal(route_neighbour_name(ROUTE_NEIGHBOUR_NONE), "none");
	assert_string_equal(route_neighbour_name(ROUTE_NEIGHBOUR_FAILED), "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_taken_apart),
		cmocka_unit_test(each_type_has_its_kind),
		cmocka_unit_test(a_link_local_gateway_is_one_of_its_link),
		cmocka_unit_test(an_ipv4_route_may_go_over_ipv6),
		cmocka_unit_test(of_several_next_hops_the_first_counts),
		cmocka_unit_test(broken_next_hops_are_malformed),
		cmocka_unit_test(a_cached_error_is_that_of_a_sender),
		cmocka_unit_test(a_value_of_the_wrong_size_is_malformed),
		cmocka_unit_test(attributes_nobody_asked_for_are_skipped),
		cmocka_unit_test(attributes_that_lie_about_their_length_are_malformed),
		cmocka_unit_test(a_next_hop_stays_within_its_attribute),
		cmocka_unit_test(headers_that_lie_are_malformed),
		cmocka_unit_test(each_state_of_a_neighbour_has_its_word),
		cmocka_unit_test(a_refusal_is_an_errno),
		cmocka_unit_test(answers_to_others_are_passed_over),
		cmocka_unit_test(another_type_of_message_is_malformed),
		cmocka_unit_test(a_message_cut_anywhere_is_malformed_and_changes_nothing),
		cmocka_unit_test(loopback_is_local),
		cmocka_unit_test(a_neighbour_on_no_device_cannot_be_asked_for),
		cmocka_unit_test(a_neighbour_nobody_asked_for_is_none),
		cmocka_unit_test(without_a_descriptor_nothing_can_be_asked),
		cmocka_unit_test(every_kind_and_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
