/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/host.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lattice-probe/buf.h"

#define PATH_SIZE 4096
#define NETSTAT_PATH "/proc/net/netstat"
#define NETSTAT_MAX_BYTES ((size_t)64 * 1024) /* some 5 KiB in 6.x */

/* ---- reading ------------------------------------------------------------------------------ */

static ssize_t read_some(const char *path, void *bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, bytes, size);
	(void)close(fd);
	return length;
}

/* The first line of a file, cut and made printable, without blanks at its end; "" when there is none. */
static void read_line(const char *root, const char *path, char ret_text[static HOST_TEXT_SIZE])
{
	char whole[PATH_SIZE];
	int needed = snprintf(whole, sizeof whole, "%s%s", root, path);
	ssize_t length = -1;
	size_t end = 0;

	ret_text[0] = '\0';
	if (needed > 0 && (size_t)needed < sizeof whole)
		length = read_some(whole, ret_text, HOST_TEXT_SIZE - 1);
	while (length > 0 && end < (size_t)length && ret_text[end] != '\n' && ret_text[end] != '\0') {
		if (ret_text[end] < ' ' || ret_text[end] > '~')
			ret_text[end] = '?';
		end++;
	}
	while (end > 0 && ret_text[end - 1] == ' ')
		end--;
	ret_text[end] = '\0';
}

/* ---- whose machine ------------------------------------------------------------------------ */

/* i- and eight or, since 2016, seventeen hexadecimal digits. */
static bool is_instance_id(const char *text)
{
	size_t length = strlen(text);

	if (strncmp(text, "i-", 2) != 0 || (length != 10 && length != 19))
		return false;
	return strspn(text + 2, "0123456789abcdef") == length - 2;
}

/* Makers of virtual machines: whose hardware is below, they do not say. VMware and Nutanix, for two, are
 * sold on EC2's metal, inside of VPCs. */
static bool is_virtual(const struct host_identity *identity)
{
	static const char *const makers[] = { "QEMU", "KVM", "Xen", "VMware", "innotek", "Oracle Corporation",
		"Red Hat", "oVirt", "KubeVirt", "Bochs", "BHYVE", "Parallels", "Nutanix" };

	for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
		if (strncasecmp(identity->vendor, makers[i], strlen(makers[i])) == 0)
			return true;
	return strcasecmp(identity->vendor, "Microsoft Corporation") == 0 &&
	       strcasecmp(identity->product, "Virtual Machine") == 0;
}

static bool is_ec2(const char *root, const struct host_identity *identity)
{
	char text[HOST_TEXT_SIZE];

	if (strcmp(identity->vendor, "Amazon EC2") == 0 || is_instance_id(identity->asset_tag))
		return true;
	if (identity->vendor[0] && strcmp(identity->vendor, "Xen") != 0)
		return false;
	read_line(root, "/sys/class/dmi/id/bios_version", text);
	if (strcasestr(text, "amazon"))
		return true;
	read_line(root, "/sys/hypervisor/uuid", text);
	return strncasecmp(text, "ec2", 3) == 0;
}

enum host_platform host_read_identity(const char *root, struct host_identity *ret_identity)
{
	read_line(root, "/sys/class/dmi/id/sys_vendor", ret_identity->vendor);
	read_line(root, "/sys/class/dmi/id/product_name", ret_identity->product);
	read_line(root, "/sys/class/dmi/id/board_asset_tag", ret_identity->asset_tag);
	if (is_ec2(root, ret_identity))
		return HOST_PLATFORM_EC2;
	if (!ret_identity->vendor[0] || is_virtual(ret_identity))
		return HOST_PLATFORM_UNKNOWN;
	return HOST_PLATFORM_OTHER;
}

/* ---- counters ----------------------------------------------------------------------------- */

/* The whole of a file that is made as it is read. */
static bool read_all(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t length;

	if (fd < 0)
		return false;
	while ((length = read(fd, chunk, sizeof chunk)) > 0)
		if (buf_append(text, chunk, (size_t)length) != 0)
			break;
	(void)close(fd);
	return length == 0;
}

bool host_read_retransmit_failures(uint64_t *ret_count)
{
	struct buf text;
	bool is_found;

	buf_init(&text, NETSTAT_MAX_BYTES);
	is_found = read_all(NETSTAT_PATH, &text) &&
		   host_counter_find(buf_text(&text), "TcpExt", "TCPRetransFail", ret_count);
	buf_done(&text);
	return is_found;
}

bool host_read_link_local_drops(const char *device, uint64_t *ret_count)
{
	return host_counter_of_device(device, "linklocal_allowance_exceeded", ret_count);
}

/* ---- the namespace ------------------------------------------------------------------------ */

void host_read_network_namespace(char ret_text[static HOST_TEXT_SIZE])
{
	ssize_t length = readlink("/proc/self/ns/net", ret_text, HOST_TEXT_SIZE - 1);

	ret_text[length > 0 ? length : 0] = '\0';
}
