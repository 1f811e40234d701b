/* SPDX-License-Identifier: Apache-2.0 */
/* linux/tcp.h instead of netinet/tcp.h: the latter's struct ends before tcpi_bytes_received. */
#include "net_internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

/* The states of include/net/tcp_states.h, which is no user header; stable since they are in
 * /proc/net/tcp. */
enum tcp_state {
	TCP_STATE_TIME_WAIT = 6,
	TCP_STATE_CLOSE = 7,
	TCP_STATE_CLOSE_WAIT = 8,
	TCP_STATE_LAST_ACK = 9,
	TCP_STATE_CLOSING = 11
};

static bool is_peer_closed(unsigned state)
{
	return state == TCP_STATE_TIME_WAIT || state == TCP_STATE_CLOSE || state == TCP_STATE_CLOSE_WAIT ||
	       state == TCP_STATE_LAST_ACK || state == TCP_STATE_CLOSING;
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
		.received_bytes = info.tcpi_bytes_received,
		.is_peer_closed = is_peer_closed(info.tcpi_state),
	};
	return true;
}
