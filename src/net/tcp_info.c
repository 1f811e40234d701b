/* SPDX-License-Identifier: Apache-2.0 */
/* linux/tcp.h instead of netinet/tcp.h: the latter's struct ends before tcpi_bytes_received. */
#include "net_internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define TIMESTAMPS_BYTES 12 /* TCPOLEN_TSTAMP_ALIGNED */

/* The MSS option of our SYN. With timestamps agreed on, the kernel takes the room for them off. */
static int offered_mss(const struct tcp_info *info)
{
	int bytes = (int)info->tcpi_advmss;

	return info->tcpi_options & TCPI_OPT_TIMESTAMPS ? bytes + TIMESTAMPS_BYTES : bytes;
}

bool tcp_info_read(int fd, struct tcp_info_reading *ret_reading)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
	    length < offsetof(struct tcp_info, tcpi_total_retrans) + sizeof info.tcpi_total_retrans)
		return false;
	*ret_reading = (struct tcp_info_reading){
		.rtt_us = info.tcpi_rtt,
		.retransmits = (int32_t)info.tcpi_total_retrans,
		.mss_bytes = offered_mss(&info),
		.received_bytes = info.tcpi_bytes_received,
	};
	return true;
}
