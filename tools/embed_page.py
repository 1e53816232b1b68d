"""embed_page.py FOLDER SOURCE BLOB DEPFILE: turns the built page into C.

Without a built page the table is one small document that says so. Files whose names hold a hash of
their content (assets/) may be kept by browsers for ever."""

import gzip
import hashlib
import mimetypes
import os
import sys

NOT_BUILT = b"""<!doctype html><meta charset="utf-8"><title>Muster</title>
<p>This program was built without its page. <code>./dev build</code> makes one where Node is installed.
"""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def page_files(folder):
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                yield path, "/" + os.path.relpath(path, folder).replace(os.sep, "/"), file.read()


def main(folder, source, blob, depfile):
    files = list(page_files(folder))
    if not any(name == "/index.html" for _, name, _ in files):
        files = [("", "/index.html", NOT_BUILT)]
    rows, offset = [], 0
    with open(blob, "wb") as out:
        for _, name, content in files:
            packed = gzip.compress(content, 9, mtime=0)
            kind = TYPES.get(os.path.splitext(name)[1]) or mimetypes.guess_type(name)[0]
            rows.append(
                '    {.path = "%s", .type = "%s", .etag = "\\"%s\\"", .policy = PAGE_POLICY, .gzip = {page_blob + %d, %d}, .immutable = %s},'
                % (
                    name,
                    kind or "application/octet-stream",
                    hashlib.sha256(content).hexdigest()[:20],
                    offset,
                    len(packed),
                    "true" if name.startswith("/assets/") else "false",
                )
            )
            offset += len(packed)
            out.write(packed)
    with open(source, "w", encoding="utf-8") as out:
        out.write(
            '#include "page/page_files.h"\n\n'
            '__asm__(".section .rodata\\n.balign 16\\npage_blob:\\n.incbin \\"" PAGE_BLOB "\\"\\n.previous\\n");\n'
            "extern const char page_blob[] __attribute__((visibility(\"hidden\")));\n\n"
            "const RpcAsset PAGE_FILES[] = {\n%s\n};\n"
            "const size_t PAGE_FILE_COUNT = sizeof PAGE_FILES / sizeof *PAGE_FILES;\n" % "\n".join(rows)
        )
    with open(depfile, "w", encoding="utf-8") as out:
        present = [path.replace(" ", "\\ ") for path, _, _ in files if path]
        stamp = [folder] if os.path.isdir(folder) else []
        out.write("%s %s: %s\n" % (source, blob, " ".join(present + stamp)))


main(*sys.argv[1:])
