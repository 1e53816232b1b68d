"""The reference of the C library, made from the comments of muster.h.

usage: reference.py muster.h c.md [--check]

Writes it into c.md below its heading "## Reference". With --check nothing is written: it says whether
c.md is up to date.
"""

import pathlib
import re
import sys

HEADING = "## Reference\n"
SECTION = re.compile(r"/\* ---- (.*) ---- \*/")
# What only compilers read.
SKIPPED = re.compile(r"#(if|ifdef|ifndef|else|endif|include|pragma)\b|extern \"C\" \{|\}$|#define MUSTER_(H|API|PRINTF)\b")


def prose(comment):
    """A comment as a paragraph or several."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in comment.removeprefix("/*").removesuffix("*/").splitlines()]
    return "\n".join(line.rstrip() for line in lines).strip()


def declaration(lines):
    text = "\n".join(lines).replace("MUSTER_API ", "")
    return re.sub(r"\s+MUSTER_PRINTF\(\d+, \d+\)", "", text)


def blocks(header):
    """What stands between empty lines, struct bodies and comments being kept whole."""
    block = []
    for line in header.splitlines():
        if line.strip() or unfinished(block):
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def unfinished(block):
    text = "\n".join(block)
    return text.count("/*") > text.count("*/") or text.count("{") > text.count("}")


def reference(header):
    begin = header.index("typedef struct Muster Muster;")
    out = [prose(header[: header.index("*/") + 2]), ""]
    for block in blocks(header[begin:]):
        lines = [line for line in block if not SKIPPED.match(line)]
        text = "\n".join(lines)
        if not text:
            continue
        if section := SECTION.fullmatch(text):
            name = section.group(1)
            out += [f"### {name[0].upper()}{name[1:]}", ""]
            continue
        comment = ""
        if text.startswith("/*"):
            end = text.index("*/") + 2
            comment, text = prose(text[:end]), text[end:].strip("\n")
        if text:
            out += ["```c", declaration(text.splitlines()), "```", ""]
        if comment:
            out += [comment, ""]
    return "\n".join(out).rstrip() + "\n"


def main():
    header, guide = (pathlib.Path(name) for name in sys.argv[1:3])
    written = guide.read_text()
    wanted = written[: written.index(HEADING)] + HEADING + "\n" + reference(header.read_text())
    if "--check" not in sys.argv:
        guide.write_text(wanted)
    elif wanted != written:
        sys.exit(f"{guide} is not what {header} says: run python3 sdk/c/reference.py sdk/c/muster.h docs/c.md")


if __name__ == "__main__":
    main()
