/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <string.h>

#include <cmocka.h>

#include "lattice-probe/address_class.h"
#include "lattice-probe/control.h"
#include "lattice-probe/err.h"

static enum address_class class_of(const char *text, const char *lattice, const char *vpc)
{
	struct address_networks lattice_networks = { 0 };
	struct address_networks vpc_networks = { 0 };
	union address address;

	assert_int_equal(parse_address(text, 443, &address), 0);
	if (lattice)
		assert_int_equal(address_networks_add(&lattice_networks, lattice), 0);
	if (vpc)
		assert_int_equal(address_networks_add(&vpc_networks, vpc), 0);
	return address_class_of(&address, &lattice_networks, &vpc_networks);
}

static void every_range_has_its_class(void **state)
{
	static const struct {
		const char *text;
		enum address_class class_;
	} rows[] = {
		{ "169.254.171.0", ADDRESS_CLASS_LATTICE }, { "169.254.171.255", ADDRESS_CLASS_LATTICE },
		{ "169.254.170.255", ADDRESS_CLASS_LINK_LOCAL }, { "169.254.172.0", ADDRESS_CLASS_LINK_LOCAL },
		{ "fd00:ec2:80::a9fe:ab21", ADDRESS_CLASS_LATTICE },
		{ "fd00:ec2:80:0:ffff:ffff:ffff:ffff", ADDRESS_CLASS_LATTICE },
		{ "fd00:ec2:80:1::", ADDRESS_CLASS_PRIVATE },
		{ "129.224.0.1", ADDRESS_CLASS_RESOURCE }, { "129.224.127.255", ADDRESS_CLASS_RESOURCE },
		{ "129.224.128.0", ADDRESS_CLASS_PUBLIC },
		{ "169.254.169.254", ADDRESS_CLASS_CREDENTIALS }, { "169.254.170.2", ADDRESS_CLASS_CREDENTIALS },
		{ "169.254.170.23", ADDRESS_CLASS_CREDENTIALS }, { "fd00:ec2::254", ADDRESS_CLASS_CREDENTIALS },
		{ "169.254.169.253", ADDRESS_CLASS_LINK_LOCAL },
		{ "127.0.0.1", ADDRESS_CLASS_LOOPBACK }, { "0.0.0.0", ADDRESS_CLASS_LOOPBACK },
		{ "::1", ADDRESS_CLASS_LOOPBACK }, { "::", ADDRESS_CLASS_LOOPBACK },
		{ "fe80::1", ADDRESS_CLASS_LINK_LOCAL }, { "febf::1", ADDRESS_CLASS_LINK_LOCAL },
		{ "fec0::1", ADDRESS_CLASS_PUBLIC },
		{ "10.255.0.1", ADDRESS_CLASS_PRIVATE }, { "172.16.0.1", ADDRESS_CLASS_PRIVATE },
		{ "172.31.255.255", ADDRESS_CLASS_PRIVATE }, { "172.32.0.0", ADDRESS_CLASS_PUBLIC },
		{ "192.168.1.1", ADDRESS_CLASS_PRIVATE }, { "100.64.0.1", ADDRESS_CLASS_PRIVATE },
		{ "100.128.0.0", ADDRESS_CLASS_PUBLIC }, { "fd12::1", ADDRESS_CLASS_PRIVATE },
		{ "203.0.113.7", ADDRESS_CLASS_PUBLIC }, { "2001:db8::1", ADDRESS_CLASS_PUBLIC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (class_of(rows[i].text, NULL, NULL) != rows[i].class_)
			print_message("%s is %s\n", rows[i].text,
				address_class_name(class_of(rows[i].text, NULL, NULL)));
		assert_int_equal(class_of(rows[i].text, NULL, NULL), rows[i].class_);
	}
}

static void an_address_inside_the_vpc_is_an_endpoint(void **state)
{
	(void)state;
	assert_int_equal(class_of("10.0.3.4", NULL, "10.0.0.0/16"), ADDRESS_CLASS_VPC);
	assert_int_equal(class_of("10.1.3.4", NULL, "10.0.0.0/16"), ADDRESS_CLASS_PRIVATE);
	assert_int_equal(class_of("2001:db8:10::5", NULL, "2001:db8:10::/56"), ADDRESS_CLASS_VPC);
	assert_int_equal(class_of("203.0.113.7", NULL, "203.0.113.0/24"), ADDRESS_CLASS_VPC);
}

static void a_prefix_list_goes_before_what_is_compiled_in(void **state)
{
	(void)state;
	assert_int_equal(class_of("169.254.199.4", "169.254.199.0/24", NULL), ADDRESS_CLASS_LATTICE);
	assert_int_equal(class_of("203.0.113.9", "203.0.113.0/24", "203.0.113.0/24"), ADDRESS_CLASS_LATTICE);
	assert_int_equal(class_of("129.224.3.4", "129.224.0.0/17", NULL), ADDRESS_CLASS_RESOURCE);
}

static void no_list_makes_a_credential_endpoint_or_a_sinkhole_reachable(void **state)
{
	(void)state;
	assert_int_equal(class_of("169.254.169.254", "0.0.0.0/0", "0.0.0.0/0"), ADDRESS_CLASS_CREDENTIALS);
	assert_int_equal(class_of("0.0.0.0", "0.0.0.0/0", "0.0.0.0/0"), ADDRESS_CLASS_LOOPBACK);
}

static void an_address_inside_another_is_taken_out_first(void **state)
{
	(void)state;
	assert_int_equal(class_of("64:ff9b::169.254.171.33", NULL, NULL), ADDRESS_CLASS_LATTICE);
	assert_int_equal(class_of("::ffff:169.254.171.33", NULL, NULL), ADDRESS_CLASS_LATTICE);
	assert_int_equal(class_of("64:ff9b::10.0.3.4", NULL, "10.0.0.0/16"), ADDRESS_CLASS_VPC);
	assert_int_equal(class_of("64:ff9b::169.254.169.254", NULL, NULL), ADDRESS_CLASS_CREDENTIALS);
	assert_int_equal(class_of("64:ff9b:1::10.0.3.4", NULL, "10.0.0.0/16"), ADDRESS_CLASS_PUBLIC);
}

static void no_address_has_no_class(void **state)
{
	const union address none = { 0 };

	(void)state;
	assert_int_equal(address_class_of(&none, NULL, NULL), ADDRESS_CLASS_NONE);
}

static void networks_are_read_strictly_and_up_to_the_limit(void **state)
{
	static const char *const wrong[] = { "", "/", "10.0.0.0", "10.0.0.0/", "/16", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0/16", "fd00::/129", "10.0.0.0:53/16", "[fd00::]/64", "10.0.0.0/16 ", "10.0.0.0/16/16",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000/1" };
	struct address_networks networks = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(address_networks_add(&networks, wrong[i]), ERR_SYNTAX);
	assert_int_equal(networks.count, 0);
	for (size_t i = 0; i < ADDRESS_NETWORKS_MAX; i++)
		assert_int_equal(address_networks_add(&networks, "10.0.0.0/16"), 0);
	assert_int_equal(address_networks_add(&networks, "10.0.0.0/16"), ERR_LIMIT);
	assert_int_equal(networks.count, ADDRESS_NETWORKS_MAX);
}

static void a_network_holds_its_own_addresses_only(void **state)
{
	struct address_networks networks = { 0 };
	union address address;

	(void)state;
	assert_int_equal(address_networks_add(&networks, "10.0.0.128/25"), 0);
	assert_int_equal(address_networks_add(&networks, "::/0"), 0);
	assert_int_equal(parse_address("10.0.0.127", 0, &address), 0);
	assert_false(address_networks_hold(&networks, &address));
	assert_int_equal(parse_address("10.0.0.128", 0, &address), 0);
	assert_true(address_networks_hold(&networks, &address));
	assert_int_equal(parse_address("2001:db8::1", 0, &address), 0);
	assert_true(address_networks_hold(&networks, &address));
}

static void every_class_has_a_word_and_a_phrase(void **state)
{
	(void)state;
	for (enum address_class a = ADDRESS_CLASS_NONE; a <= ADDRESS_CLASS_PUBLIC; a++) {
		assert_true(strlen(address_class_name(a)) > 0);
		assert_true(strlen(address_class_words(a)) > 0);
		for (enum address_class b = ADDRESS_CLASS_NONE; b < a; b++)
			assert_string_not_equal(address_class_name(a), address_class_name(b));
	}
}

static void zones_without_lattice_are_known_by_id(void **state)
{
	(void)state;
	assert_true(control_zone_is_unsupported("use1-az3"));
	assert_true(control_zone_is_unsupported("ilc1-az2"));
	assert_false(control_zone_is_unsupported("use1-az1"));
	assert_false(control_zone_is_unsupported("use1-az33"));
	assert_false(control_zone_is_unsupported(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_range_has_its_class),
		cmocka_unit_test(an_address_inside_the_vpc_is_an_endpoint),
		cmocka_unit_test(a_prefix_list_goes_before_what_is_compiled_in),
		cmocka_unit_test(no_list_makes_a_credential_endpoint_or_a_sinkhole_reachable),
		cmocka_unit_test(an_address_inside_another_is_taken_out_first),
		cmocka_unit_test(no_address_has_no_class),
		cmocka_unit_test(networks_are_read_strictly_and_up_to_the_limit),
		cmocka_unit_test(a_network_holds_its_own_addresses_only),
		cmocka_unit_test(every_class_has_a_word_and_a_phrase),
		cmocka_unit_test(zones_without_lattice_are_known_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
