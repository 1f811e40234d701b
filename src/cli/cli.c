/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_internal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"

void cli_print_finding(const struct conf_finding *finding)
{
	const char *severity = finding->severity == CONF_WARNING ? "warning: " : "";

	if (finding->line)
		fprintf(stderr, "%s:%u: %s%s\n", finding->file, finding->line, severity, finding->text);
	else
		fprintf(stderr, "%s: %s%s\n", finding->file, severity, finding->text);
}

struct conf *cli_load_conf(const char *path)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load(path, &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		cli_print_finding(&findings.items[i]);
	if (err)
		fprintf(stderr, "lattice-probe: %s: %s\n", path,
			err == ERR_NOMEM ? err_text(err) : "the configuration has mistakes, nothing was started");
	conf_findings_done(&findings);
	return conf;
}

struct cli_terminal cli_terminal_of(FILE *stream)
{
	struct cli_terminal terminal = { .columns = 80 };
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size;

	terminal.is_terminal = isatty(fileno(stream));
	terminal.has_colour = terminal.is_terminal && !(no_colour && *no_colour);
	if (terminal.is_terminal && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		terminal.columns = size.ws_col;
	return terminal;
}
