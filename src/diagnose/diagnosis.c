/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/diagnosis.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name;
	const char *words;
	enum diagnosis_hop hop;
	enum diagnosis_basis basis;
};

/* Rows and enum come from one list, so neither can have what the other lacks. */
static const struct row rows[DIAGNOSIS_COUNT] = {
#define DIAGNOSIS(NAME, name, hop, basis, words) \
	[DIAGNOSIS_##NAME] = { name, words, DIAGNOSIS_HOP_##hop, DIAGNOSIS_BASIS_##basis },
#include "lattice-probe/diagnosis.def"
#undef DIAGNOSIS
};

static const struct row *row_of(enum diagnosis_verdict verdict)
{
	assert((size_t)verdict < DIAGNOSIS_COUNT);
	return &rows[verdict];
}

const char *diagnosis_name(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->name;
}

const char *diagnosis_words(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->words;
}

enum diagnosis_hop diagnosis_hop(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->hop;
}

enum diagnosis_basis diagnosis_basis(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->basis;
}

const char *diagnosis_hop_name(enum diagnosis_hop hop)
{
	static const char *const names[] = {
		[DIAGNOSIS_HOP_NONE] = "none", [DIAGNOSIS_HOP_DNS] = "dns", [DIAGNOSIS_HOP_ROUTE] = "route",
		[DIAGNOSIS_HOP_CONNECT] = "connect", [DIAGNOSIS_HOP_TLS] = "tls", [DIAGNOSIS_HOP_HTTP] = "http",
		[DIAGNOSIS_HOP_PUBLISH] = "publish",
	};

	assert((size_t)hop < sizeof names / sizeof *names);
	return names[hop];
}

const char *diagnosis_basis_name(enum diagnosis_basis basis)
{
	static const char *const names[] = {
		[DIAGNOSIS_BASIS_DOCUMENTED] = "documented", [DIAGNOSIS_BASIS_OBSERVED] = "observed",
		[DIAGNOSIS_BASIS_INFERRED] = "inferred",
	};

	assert((size_t)basis < sizeof names / sizeof *names);
	return names[basis];
}

const char *diagnosis_confidence_name(enum diagnosis_confidence confidence)
{
	static const char *const names[] = {
		[DIAGNOSIS_CERTAIN] = "certain", [DIAGNOSIS_LIKELY] = "likely",
		[DIAGNOSIS_CANDIDATES] = "candidates",
	};

	assert((size_t)confidence < sizeof names / sizeof *names);
	return names[confidence];
}

void diagnosis_decide(const struct evidence *evidence, struct diagnosis *ret_diagnosis)
{
	(void)evidence;
	memset(ret_diagnosis, 0, sizeof *ret_diagnosis);
	ret_diagnosis->verdict = DIAGNOSIS_UNDETERMINED;
	ret_diagnosis->confidence = DIAGNOSIS_LIKELY;
	ret_diagnosis->basis = DIAGNOSIS_BASIS_INFERRED;
	(void)snprintf(ret_diagnosis->summary, sizeof ret_diagnosis->summary, "%s",
		diagnosis_words(DIAGNOSIS_UNDETERMINED));
}
