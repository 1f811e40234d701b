/* SPDX-License-Identifier: Apache-2.0 */
/* net_internal: small readers that the files of this room share. */
#ifndef LATTICE_PROBE_NET_INTERNAL_H
#define LATTICE_PROBE_NET_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "lattice-probe/http.h"
#include "lattice-probe/units.h"
#include "lattice-probe/url.h"

/* ---- TCP_INFO ----------------------------------------------------------------------------- */

struct tcp_info_reading {
	int64_t rtt_us;          /* smoothed */
	int32_t retransmits;     /* total, the SYN's included */
	int mss_bytes;           /* that our SYN offers */
	uint64_t received_bytes; /* of payload; 0 on kernels that do not say */
};

/* False when fd is no TCP socket. */
bool tcp_info_read(int fd, struct tcp_info_reading *ret_reading);

/* ---- certificate -------------------------------------------------------------------------- */

/* Fills the certificate fields of the reply and name_mismatch from the leaf, as of `now`. */
void certificate_capture(X509 *leaf, const struct url *url, struct wall now, struct http_reply *reply);

#endif
