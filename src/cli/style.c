#include "cli/style.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

Style style_for(int fd) {
    const char *term = getenv("TERM"), *refused = getenv("NO_COLOR");
    bool capable = term && *term && strcmp(term, "dumb") != 0;
    return (Style){isatty(fd) && capable && !(refused && *refused)};
}

const char *style(Style style, StyleKind kind) {
    static const char *const SEQUENCES[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_BUSY] = "\033[33m", [STYLE_BAD] = "\033[31m",
    };
    return style.colour ? SEQUENCES[kind] : "";
}

/* FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/): the page picks by it too. */
static uint32_t name_hash(Span name) {
    uint32_t hash = 0x811c9dc5;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.ptr[i]) * 0x01000193;
    return hash;
}

/* Of the 256 of xterm, some that can be told from each other and read on light and dark; none is
 * the red, yellow or green that means something. dashboard/src/design/service-colour.ts has the
 * same. */
const char *style_service(Style style, Span name) {
    static const char *const SEQUENCES[] = {
        "\033[38;5;33m",  "\033[38;5;37m",  "\033[38;5;62m",  "\033[38;5;68m",
        "\033[38;5;73m",  "\033[38;5;97m",  "\033[38;5;103m", "\033[38;5;132m",
        "\033[38;5;136m", "\033[38;5;139m", "\033[38;5;166m", "\033[38;5;173m",
    };
    size_t count = sizeof SEQUENCES / sizeof *SEQUENCES;
    return style.colour ? SEQUENCES[name_hash(name) % count] : "";
}

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value && *value && strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

bool style_is_live(void) {
    static const char *const DRIVEN[] = {
        "CI",           "AI_AGENT",   "AGENT",         "CLAUDECODE",
        "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX", "OPENCODE",
    };
    for (size_t i = 0; i < sizeof DRIVEN / sizeof *DRIVEN; i++)
        if (is_set(DRIVEN[i]))
            return false;
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

int style_columns(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return 80;
}

size_t style_width(Span text) {
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\033') {
            while (i < text.len && text.ptr[i] != 'm')
                i++;
            continue;
        }
        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return width;
}
