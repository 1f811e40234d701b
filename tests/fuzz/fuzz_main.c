/* SPDX-License-Identifier: Apache-2.0 */
/* A plain main for the fuzz targets, so that make check replays their corpora with any compiler.
 *
 * usage: fuzz_NAME [FILE|DIRECTORY…]      without arguments: tests/fuzz/corpus/NAME of the sources
 *
 * Each input runs as it is and then MUTATIONS times changed a little. The changes follow from a seed
 * (FUZZ_SEED, else a fixed one), the input's bytes and a count, so that a finding can be had again.
 * Each input has a child process: when that dies, the bytes that killed it are made once more and
 * written to tests/fuzz/NAME.finding under the build folder. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS 256
#define INPUT_MAX_BYTES (1024 * 1024)
#define SECONDS_PER_INPUT 60
#define PATH_SIZE 4096

static struct {
	const char *name;          /* "conf" of fuzz_conf */
	uint64_t seed;
	volatile unsigned *step;   /* shared with the child: 0 the input itself, then the mutations */
	unsigned inputs;
	unsigned findings;
} run;

struct bytes {
	uint8_t *data;
	size_t size;
};

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(99);
}

/* splitmix64: small, and every seed is as good as another. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static size_t random_below(uint64_t *state, size_t limit)
{
	return limit ? (size_t)(random_next(state) % limit) : 0;
}

static uint64_t hash_bytes(const struct bytes *bytes)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < bytes->size; i++)
		hash = (hash ^ bytes->data[i]) * UINT64_C(1099511628211);
	return hash;
}

/* Writes over `count` bytes at `at` with something a parser might not expect. */
static void scribble(uint64_t *state, uint8_t *data, size_t size)
{
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xc0, 0xff, '\n', '\r', ' ', '"', '\\', '[', ']',
		'{', '}', ':', ',', '=', ';', '-', '.', '%', '0', '9' };
	size_t at = random_below(state, size);

	if (size == 0)
		return;
	if (random_below(state, 2))
		data[at] = odd[random_below(state, sizeof odd)];
	else
		data[at] = (uint8_t)(data[at] ^ (1u << random_below(state, 8)));
}

/* Takes a piece out, or puts a piece in twice. `data` has room for twice the size. */
static size_t cut_or_double(uint64_t *state, uint8_t *data, size_t size)
{
	size_t from = random_below(state, size);
	size_t count = random_below(state, size - from) + 1;

	if (size == 0)
		return 0;
	if (random_below(state, 2)) {
		memmove(data + from, data + from + count, size - from - count);
		return size - count;
	}
	memmove(data + from + count, data + from, size - from);
	return size + count;
}

/* The input of a step, in a block of exactly its size, so that a sanitizer sees one byte too far. */
static struct bytes make_step(const struct bytes *input, unsigned step)
{
	uint64_t state = run.seed ^ hash_bytes(input) ^ ((uint64_t)step << 32);
	uint8_t *scratch = malloc(input->size * 2 + 1);
	struct bytes made = { NULL, input->size };

	if (!scratch)
		die("no memory for", run.name);
	if (input->size)
		memcpy(scratch, input->data, input->size);
	if (step > 0) {
		for (size_t i = random_below(&state, 4) + 1; i > 0; i--)
			scribble(&state, scratch, made.size);
		if (random_below(&state, 4) == 0)
			made.size = cut_or_double(&state, scratch, made.size);
		if (random_below(&state, 16) == 0)
			made.size = random_below(&state, made.size + 1);
	}
	made.data = malloc(made.size ? made.size : 1);
	if (!made.data)
		die("no memory for", run.name);
	memcpy(made.data, scratch, made.size);
	free(scratch);
	return made;
}

static void run_steps(const struct bytes *input)
{
	alarm(SECONDS_PER_INPUT);
	for (unsigned step = 0; step <= MUTATIONS; step++) {
		struct bytes bytes = make_step(input, step);

		*run.step = step;
		(void)LLVMFuzzerTestOneInput(bytes.data, bytes.size);
		free(bytes.data);
	}
}

static struct bytes read_input(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct bytes input = { malloc(INPUT_MAX_BYTES), 0 };

	if (!file || !input.data)
		die("cannot read", path);
	input.size = fread(input.data, 1, INPUT_MAX_BYTES, file);
	if (ferror(file))
		die("cannot read", path);
	fclose(file);
	return input;
}

static void report(const char *path, const struct bytes *input, int status)
{
	const char *build = getenv("LATTICE_PROBE_BUILD");
	struct bytes bytes = make_step(input, *run.step);
	char target[PATH_SIZE];
	FILE *file;

	snprintf(target, sizeof target, "%s/tests/fuzz/%s.finding", build ? build : ".", run.name);
	file = fopen(target, "wb");
	if (!file)
		file = fopen(strrchr(target, '/') + 1, "wb");
	if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0)
		die("cannot write", target);
	free(bytes.data);
	printf("FOUND %s mutation %u of seed %" PRIu64 ": %s %d; its bytes are in %s\n", path, *run.step, run.seed,
		WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), target);
	run.findings++;
}

static void run_file(const char *path)
{
	struct bytes input = read_input(path);
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		die("cannot fork for", path);
	if (child == 0) {
		run_steps(&input);
		free(input.data);
		exit(0); /* through the leak checker, where there is one */
	}
	if (waitpid(child, &status, 0) != child)
		die("lost the child for", path);
	if (status != 0)
		report(path, &input, status);
	free(input.data);
	run.inputs++;
}

/* A file, or every file of a directory, by name. */
static void run_path(const char *path)
{
	struct dirent **entries;
	struct stat status;
	int count;

	if (stat(path, &status) != 0)
		die("cannot read", path);
	if (!S_ISDIR(status.st_mode)) {
		run_file(path);
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		die("cannot read", path);
	for (int i = 0; i < count; i++) {
		char inside[PATH_SIZE];

		snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_path(inside);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	const char *source = getenv("LATTICE_PROBE_SOURCE");
	const char *seed = getenv("FUZZ_SEED");
	const char *slash = strrchr(argv[0], '/');
	char corpus[PATH_SIZE];

	run.name = slash ? slash + 1 : argv[0];
	if (strncmp(run.name, "fuzz_", 5) == 0)
		run.name += 5;
	run.seed = seed ? strtoull(seed, NULL, 10) : 20261123;
	run.step = mmap(NULL, sizeof *run.step, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.step == MAP_FAILED)
		die("no memory for", run.name);
	printf("%s: seed %" PRIu64 ", %d mutations of each input\n", run.name, run.seed, MUTATIONS);
	snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", source ? source : ".", run.name);
	if (argc < 2)
		run_path(corpus);
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%s: %u inputs, %u findings\n", run.name, run.inputs, run.findings);
	if (run.inputs == 0)
		fprintf(stderr, "%s: an empty corpus shows nothing\n", run.name);
	return run.inputs == 0 || run.findings > 0 ? 1 : 0;
}
