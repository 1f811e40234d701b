/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lattice-probe/parse.h"

#define MESSAGE_SIZE (NOTIFY_STATUS_SIZE + 128)

struct notify {
	int fd;
	struct sockaddr_un address;
	socklen_t address_bytes;
};

/* ---- the socket --------------------------------------------------------------------------- */

/* A leading '@' stands for the NUL of an abstract name, which is as long as the address says. */
static bool parse_socket(const char *socket_, struct notify *notify)
{
	size_t length = strlen(socket_);

	if ((socket_[0] != '/' && socket_[0] != '@') || length < 2 || length >= sizeof notify->address.sun_path)
		return false;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, socket_, length);
	if (socket_[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

struct notify *notify_open(const char *socket_)
{
	const struct timeval wait = { .tv_usec = NOTIFY_WAIT_US };
	struct notify *notify;

	if (!socket_)
		return NULL;
	notify = calloc(1, sizeof *notify);
	if (!notify)
		return NULL;
	notify->fd = -1;
	if (!parse_socket(socket_, notify))
		goto fail;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		goto fail;
	if (setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
		goto fail;
	return notify;
fail:
	notify_close(notify);
	return NULL;
}

void notify_close(struct notify *notify)
{
	if (!notify)
		return;
	if (notify->fd >= 0)
		(void)close(notify->fd);
	free(notify);
}

/* ---- what is said ------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool say(struct notify *notify, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list arguments;
	int length;

	if (!notify)
		return true;
	va_start(arguments, format);
	length = vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof message)
		return false;
	return sendto(notify->fd, message, (size_t)length, MSG_NOSIGNAL,
		       (const struct sockaddr *)&notify->address, notify->address_bytes) == length;
}

/* systemd refuses what is no UTF-8, so a text that was cut must not end in half a letter. */
static size_t whole_letters(const char *text, size_t length)
{
	size_t behind = length; /* the last letter's first byte */
	unsigned char first;
	size_t wanted;

	while (behind > 0 && ((unsigned char)text[behind - 1] & 0xc0) == 0x80)
		behind--;
	if (behind == 0)
		return length;
	first = (unsigned char)text[behind - 1];
	wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	return length - (behind - 1) < wanted ? behind - 1 : length;
}

/* A newline would begin another assignment. */
static const char *one_line(const char *status, char ret_line[static NOTIFY_STATUS_SIZE])
{
	size_t length = whole_letters(status, strnlen(status, NOTIFY_STATUS_SIZE - 1));

	for (size_t i = 0; i < length; i++)
		ret_line[i] = (unsigned char)status[i] < 0x20 || status[i] == 0x7f ? '?' : status[i];
	ret_line[length] = '\0';
	return ret_line;
}

bool notify_ready(struct notify *notify, const char *status)
{
	char line[NOTIFY_STATUS_SIZE];

	return say(notify, "READY=1\nSTATUS=%s", one_line(status, line));
}

bool notify_status(struct notify *notify, const char *status)
{
	char line[NOTIFY_STATUS_SIZE];

	return say(notify, "STATUS=%s", one_line(status, line));
}

bool notify_reloading(struct notify *notify, struct mono now)
{
	return say(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now.us);
}

bool notify_stopping(struct notify *notify, const char *status, int64_t limit_us)
{
	char line[NOTIFY_STATUS_SIZE];

	return say(notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=%s", limit_us, one_line(status, line));
}

bool notify_failed(struct notify *notify, int error_number, const char *status)
{
	char line[NOTIFY_STATUS_SIZE];

	return say(notify, "ERRNO=%d\nSTATUS=%s", error_number, one_line(status, line));
}

bool notify_alive(struct notify *notify)
{
	return say(notify, "WATCHDOG=1");
}

/* ---- the watchdog ------------------------------------------------------------------------- */

int64_t notify_watchdog_us(const char *watchdog_usec, const char *watchdog_pid, int64_t pid)
{
	int64_t meant;
	int64_t us;

	if (!watchdog_usec || parse_int64(watchdog_usec, 1, INT64_MAX / 2, &us) != 0)
		return 0;
	if (watchdog_pid && (parse_int64(watchdog_pid, 1, INT64_MAX, &meant) != 0 || meant != pid))
		return 0;
	return us;
}
