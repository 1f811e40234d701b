/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/control.h"

#include <stddef.h>
#include <string.h>

/* User Guide, quotas: https://docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html */
static const char *const unsupported[] = {
	"use1-az3", "usw1-az2", "apne1-az3", "apne2-az2", "euc1-az2", "euw1-az4", "cac1-az3", "ilc1-az2",
};

bool control_zone_is_unsupported(const char *availability_zone_id)
{
	for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
		if (strcmp(availability_zone_id, unsupported[i]) == 0)
			return true;
	return false;
}
