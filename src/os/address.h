/* Where to listen or connect: "127.0.0.1:50051", "[::1]:0", "localhost:80", "unix:/run/x.sock". */
#pragma once

#include "base/span.h"

typedef enum AddressKind { ADDRESS_TCP, ADDRESS_UNIX } AddressKind;

typedef struct Address {
    AddressKind kind;
    char host[256]; /* name or literal without brackets; the path of a unix socket */
    uint16_t port;
} Address;

/* Room for any address as text, with its NUL. */
#define ADDRESS_MAX (sizeof((Address *)0)->host + sizeof "[]:65535")

/* Reads a whole Span. The port is needed, and brackets around an IPv6 literal; names are letters,
 * digits, '-', '_' and '.'; a path is any text without NUL that fits a socket address. Nothing is
 * looked up. False, with `ret` untouched, for anything else. */
bool address_parse(Span text, Address *ret);

/* True for 127.0.0.0/8 (also mapped into IPv6), ::1, "localhost" and unix sockets: only this
 * machine can reach it. */
bool address_is_loopback(const Address *address);

/* The text that address_parse reads, NUL-terminated and cut off at `room` (≥ 1); returns its
 * length without the NUL. */
size_t address_format(const Address *address, char *out, size_t room);
