/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/nearest.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Row by row over a, keeping the last three rows: Damerau's distance with adjacent swaps. */
unsigned nearest_distance(const char *a, const char *b, unsigned limit)
{
	unsigned rows[3][NEAREST_WORD_SIZE];
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);

	if (a_length >= NEAREST_WORD_SIZE || b_length >= NEAREST_WORD_SIZE || a_length > b_length + limit ||
	    b_length > a_length + limit)
		return limit + 1;
	for (unsigned j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b_length; j++) {
			unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(change, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return least(rows[a_length % 3][b_length], limit + 1);
}

/* One letter in three, at most three. */
unsigned nearest_limit(size_t length)
{
	return length < 6 ? 1 : length < 12 ? 2 : 3;
}

bool nearest_word(const char *word, const char *words, char ret_word[static NEAREST_WORD_SIZE])
{
	unsigned best = nearest_limit(strlen(word)) + 1;
	bool found = false;

	while (*words) {
		size_t length = strcspn(words, "|");
		char candidate[NEAREST_WORD_SIZE];

		if (length < sizeof candidate) {
			unsigned distance;

			memcpy(candidate, words, length);
			candidate[length] = '\0';
			distance = nearest_distance(word, candidate, best);
			if (distance < best) {
				best = distance;
				found = true;
				memcpy(ret_word, candidate, length + 1);
			}
		}
		words += length;
		words += *words == '|';
	}
	return found;
}
