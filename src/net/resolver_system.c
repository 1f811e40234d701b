/* SPDX-License-Identifier: Apache-2.0 */
/* Only the `nameserver` lines of resolv.conf(5) matter here: names are absolute, so search lists and
 * ndots say nothing to us, and times and tries are our own. */
#include "lattice-probe/resolver.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"
#include "resolver_internal.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"
#define CONF_MAX_BYTES ((size_t)64 * 1024)
#define CHECK_INTERVAL_US US_PER_S
#define DNS_PORT 53

/* The resolver that every VPC has at a fixed address (Amazon VPC User Guide, "Amazon DNS server"). */
#define VPC_V4 "169.254.169.253"
#define VPC_V6 "fd00:ec2::253"

/* ---- reading -------------------------------------------------------------------------------- */

/* An address, for link-local ones with %interface or %index (RFC 4007 section 11). */
static bool parse_server(const char *word, size_t length, union address *ret_server)
{
	char text[ADDRESS_TEXT_SIZE];
	char *scope;
	int64_t index = 0;

	if (length == 0 || length >= sizeof text)
		return false;
	memcpy(text, word, length);
	text[length] = '\0';
	scope = strchr(text, '%');
	if (scope) {
		*scope++ = '\0';
		index = if_nametoindex(scope);
		if (index == 0 && parse_int64(scope, 1, UINT32_MAX, &index) != 0)
			return false;
	}
	if (strpbrk(text, "[]") || parse_address(text, DNS_PORT, ret_server) != 0)
		return false;
	if (ret_server->sa.sa_family == AF_INET6)
		ret_server->v6.sin6_scope_id = (uint32_t)index;
	return true;
}

size_t resolver_system_parse(const char *text, union address ret_servers[static TARGET_RESOLVERS_MAX])
{
	static const char keyword[] = "nameserver";
	size_t count = 0;

	for (const char *line = text; *line && count < TARGET_RESOLVERS_MAX;) {
		size_t length = strcspn(line, "\n");
		const char *word = line + sizeof keyword - 1;

		if (length > sizeof keyword && strncmp(line, keyword, sizeof keyword - 1) == 0 &&
		    (*word == ' ' || *word == '\t')) {
			word += strspn(word, " \t");
			if (parse_server(word, strcspn(word, " \t\r\n;#"), &ret_servers[count]))
				count++;
		}
		line += length + (line[length] == '\n');
	}
	return count;
}

/* 0, also when there is no such file (no text then); ERR_IO keeps what is known until next time. */
static int read_file(const char *path, struct buf *text)
{
	char chunk[4096];
	ssize_t length;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : ERR_IO;
	while ((length = read(fd, chunk, sizeof chunk)) > 0)
		if (buf_append(text, chunk, (size_t)length) != 0)
			break;
	(void)close(fd);
	return length < 0 ? ERR_IO : 0;
}

static int read_servers(const char *path, union address ret_servers[static TARGET_RESOLVERS_MAX],
	size_t *ret_count)
{
	struct buf text;
	int err;

	buf_init(&text, CONF_MAX_BYTES);
	err = read_file(path, &text);
	if (!err)
		*ret_count = resolver_system_parse(buf_text(&text), ret_servers);
	buf_done(&text);
	return err;
}

/* ---- the system's servers ------------------------------------------------------------------- */

static bool all_are_loopback(const union address *servers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!address_is_loopback(&servers[i]))
			return false;
	return true;
}

/* Takes the place of the stub's address when the stub says whom it asks itself. */
static int replace_stub(struct resolver_system *system)
{
	union address upstreams[TARGET_RESOLVERS_MAX];
	size_t count = 0, kept = 0;

	if (read_servers(system->resolved_conf, upstreams, &count) != 0)
		return ERR_IO;
	for (size_t i = 0; i < count; i++)
		if (!address_is_loopback(&upstreams[i]))
			upstreams[kept++] = upstreams[i];
	if (kept == 0)
		return 0;
	memcpy(system->servers, upstreams, kept * sizeof *upstreams);
	system->server_count = kept;
	system->is_local = false;
	return 0;
}

static int read_system(struct resolver_system *system)
{
	union address servers[TARGET_RESOLVERS_MAX];
	size_t count = 0;

	if (read_servers(system->resolv_conf, servers, &count) != 0)
		return ERR_IO;
	/* resolv.conf(5): without a nameserver line, the one on this machine is asked. */
	if (count == 0 && parse_address("127.0.0.1", DNS_PORT, &servers[count++]) != 0)
		assert(!"a constant address");
	memcpy(system->servers, servers, count * sizeof *servers);
	system->server_count = count;
	system->is_local = all_are_loopback(servers, count);
	return system->is_local ? replace_stub(system) : 0;
}

static struct resolver_file_stamp stamp_of(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return (struct resolver_file_stamp){ .exists = false };
	return (struct resolver_file_stamp){ true, status.st_dev, status.st_ino, status.st_size, status.st_mtim };
}

static bool stamp_is_equal(const struct resolver_file_stamp *a, const struct resolver_file_stamp *b)
{
	return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
		a->size_bytes == b->size_bytes && a->modified.tv_sec == b->modified.tv_sec &&
		a->modified.tv_nsec == b->modified.tv_nsec;
}

void resolver_system_refresh(struct resolver_system *system, struct mono now)
{
	struct resolver_file_stamp resolv, resolved;

	if (mono_is_set(system->checked) && mono_since(now, system->checked) < CHECK_INTERVAL_US)
		return;
	system->checked = now;
	/* Stamped before reading: a change in between is seen next time. */
	resolv = stamp_of(system->resolv_conf);
	resolved = stamp_of(system->resolved_conf);
	if (system->server_count > 0 && stamp_is_equal(&resolv, &system->resolv_stamp) &&
	    stamp_is_equal(&resolved, &system->resolved_stamp))
		return;
	if (read_system(system) != 0)
		return;
	system->resolv_stamp = resolv;
	system->resolved_stamp = resolved;
}

int resolver_system_init(struct resolver_system *system, const char *resolv_conf, const char *resolved_conf)
{
	*system = (struct resolver_system){ 0 };
	system->resolv_conf = strdup(resolv_conf ? resolv_conf : RESOLV_CONF);
	system->resolved_conf = strdup(resolved_conf ? resolved_conf : RESOLVED_CONF);
	if (system->resolv_conf && system->resolved_conf)
		return 0;
	resolver_system_done(system);
	return ERR_NOMEM;
}

void resolver_system_done(struct resolver_system *system)
{
	free(system->resolv_conf);
	free(system->resolved_conf);
	*system = (struct resolver_system){ 0 };
}

/* ---- the VPC's ------------------------------------------------------------------------------ */

/* connect() on a datagram socket asks the routing table and sends nothing. */
static bool has_no_route(const union address *server)
{
	int fd = socket(server->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool result;

	if (fd < 0)
		return errno == EAFNOSUPPORT;
	result = connect(fd, &server->sa, address_length(server)) != 0 &&
		(errno == ENETUNREACH || errno == EADDRNOTAVAIL);
	(void)close(fd);
	return result;
}

void resolver_system_vpc(struct resolver_system *system, struct mono now, union address *ret_server)
{
	union address v4, v6;

	if (parse_address(VPC_V4, DNS_PORT, &v4) != 0 || parse_address(VPC_V6, DNS_PORT, &v6) != 0)
		assert(!"constant addresses");
	if (!mono_is_set(system->vpc_checked) || mono_since(now, system->vpc_checked) >= CHECK_INTERVAL_US) {
		system->vpc_checked = now;
		system->vpc_is_v6 = has_no_route(&v4);
	}
	*ret_server = system->vpc_is_v6 ? v6 : v4;
}
