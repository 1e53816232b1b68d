/* The fields of a service that no general type describes: how each is read and printed. */
#pragma once

#include "config/rules.h"

/* For fields that are read elsewhere, before or after the others (read_service.c). */
void read_nothing(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);

void read_dependencies(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_ports(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_port(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_check_port(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_kind(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_commands(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);
void read_port_range(Reader *reader, const Rule *rule, const DocEntry *entry, void *base);

void print_env(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_dependencies(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_ports(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_check_port(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_kind(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_commands(const Rule *rule, const void *base, Buf *out, bool secrets);
void print_port_range(const Rule *rule, const void *base, Buf *out, bool secrets);
