/* SPDX-License-Identifier: Apache-2.0 */
/* parse: text to numbers, durations, sizes and addresses; strict, whole-string, no locale.
 * Pure; every function leaves its result untouched on failure. */
#ifndef LATTICE_PROBE_PARSE_H
#define LATTICE_PROBE_PARSE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* A socket address of either family; sa.sa_family is AF_UNSPEC when there is none. */
union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#define ADDRESS_TEXT_SIZE 64 /* [v6%scope]:port and a NUL */

/* Decimal integer, optional minus. 0, ERR_SYNTAX, or ERR_RANGE beyond min..max. */
int parse_int64(const char *text, int64_t min, int64_t max, int64_t *ret_value);

/* Integer with a unit: ms s m h d; "0" alone is refused like any other missing unit. Microseconds. */
int parse_duration(const char *text, int64_t *ret_us);

/* Integer with a unit: B KiB MiB GiB. */
int parse_size(const char *text, int64_t *ret_bytes);

/* yes/no, true/false, on/off. */
int parse_bool(const char *text, bool *ret_value);

/* IP, IP:port, [v6] or [v6]:port; a bare v6 address has no port. default_port fills in. */
int parse_address(const char *text, uint16_t default_port, union address *ret_address);

/* The address alone, without port ("10.0.0.2", "fd00:ec2::253"); "" for AF_UNSPEC. */
void address_format(const union address *address, char ret_text[static ADDRESS_TEXT_SIZE]);

/* With port: "10.0.0.2:53", "[fd00:ec2::253]:53". */
void address_format_port(const union address *address, char ret_text[static ADDRESS_TEXT_SIZE]);

uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);
socklen_t address_length(const union address *address);
bool address_is_equal(const union address *a, const union address *b); /* host and port */
bool address_is_loopback(const union address *address);

/* The address from raw network bytes: 4 for AF_INET, 16 for AF_INET6. */
void address_from_bytes(int family, const void *bytes, uint16_t port, union address *ret_address);

#endif
