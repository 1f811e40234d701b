/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/probe.h"

#include "lattice-probe/target.h"

bool probe_address_is_denied(const union address *address)
{
	return target_address_is_denied(address);
}
