/* SPDX-License-Identifier: Apache-2.0 */
/* host: what this machine says of itself to anybody: whose hardware it is, and counters of its kernel
 * and network card that explain silence. Reads /proc and /sys and asks ethtool; needs no root. Returns;
 * never logs. */
#ifndef LATTICE_PROBE_HOST_H
#define LATTICE_PROBE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_TEXT_SIZE 64

/* DMI strings of the firmware, made printable; "" where there is none. */
struct host_identity {
	char vendor[HOST_TEXT_SIZE];    /* sys_vendor: "Amazon EC2" on Nitro */
	char product[HOST_TEXT_SIZE];   /* product_name: the instance type on Nitro */
	char asset_tag[HOST_TEXT_SIZE]; /* board_asset_tag: "i-…" on Nitro */
};

/* What the firmware's strings say about EC2. Documented: on Nitro board_asset_tag is the instance id; a
 * Xen instance has a /sys/hypervisor/uuid that begins with "ec2"
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html). Observed, and what
 * systemd-detect-virt goes by as well: sys_vendor is "Amazon EC2" on Nitro; on Xen "Xen", with "amazon"
 * in bios_version. A plain container sees its host's strings. */
enum host_platform {
	HOST_PLATFORM_UNKNOWN, /* nothing to read (microVMs have no DMI), or nothing that tells: the name of
	                          a virtual machine's maker, which may itself run on EC2's metal */
	HOST_PLATFORM_EC2,
	HOST_PLATFORM_OTHER    /* another vendor's name is written there */
};

/* Reads below `root` ("" for the real one; tests give a folder). */
enum host_platform host_read_identity(const char *root, struct host_identity *ret_identity);

/* TcpExt TCPRetransFail of /proc/net/netstat: rises when this host itself drops what it retransmits
 * (an output chain). Of this network namespace, all processes together. False: not there. */
bool host_read_retransmit_failures(uint64_t *ret_count);

/* A counter in the text of /proc/net/netstat: pairs of lines "GROUP: NAME …", "GROUP: VALUE …". False:
 * not there, or no number. Pure. */
bool host_counter_find(const char *text, const char *group, const char *name, uint64_t *ret_count);

/* linklocal_allowance_exceeded of an ENA device: packets to link-local services (DNS, IMDS, NTP) dropped
 * for exceeding 1024 a second
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html).
 * False: the device does not count it. */
bool host_read_link_local_drops(const char *device, uint64_t *ret_count);

/* Any statistic of a device's driver, as `ethtool -S` names it. False: no such device or statistic. */
bool host_counter_of_device(const char *device, const char *name, uint64_t *ret_count);

/* For how long, ever, the CPU quota of this process's own cgroup (version 2) kept it from running:
 * throttled_usec of cpu.stat (https://docs.kernel.org/admin-guide/cgroup-v2.html, CPU). Quotas of the
 * groups above are not in it. Reads below `root`, as above. False: there is no such number. */
bool host_cgroup_read_throttled(const char *root, uint64_t *ret_throttled_us);

/* The same number in the text of a cpu.stat. Pure. */
bool host_cgroup_find_throttled(const char *text, uint64_t *ret_throttled_us);

/* The path of the version 2 group in the text of a /proc/PID/cgroup ("0::/system.slice/x.service"), cut
 * out into ret_path. False: there is none, or no room for it. Pure. */
bool host_cgroup_find_path(const char *text, char *ret_path, size_t size);

/* Names the network namespace of this process: "net:[4026531840]"; "" unknown. */
void host_read_network_namespace(char ret_text[static HOST_TEXT_SIZE]);

#endif
