#include "services/logs/block.h"

#include "base/hash.h"
#include "services/logs/fold.h"

#define MAGIC UINT32_C(0x31424c4d) /* "MLB1" */

static void put32(char *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i));
}

static void write_source(const BlockSource *source, Buf *out) {
    pack_text(out, source->source.place);
    pack_text(out, source->source.service);
    pack_text(out, source->source.instance);
    pack_signed(out, source->source.run);
    pack_number(out, (uint64_t)source->source.stream);
    pack_signed(out, source->source.base);
    pack_number(out, source->chunks);
}

static void write_chunk(const BlockChunk *chunk, Buf *out) {
    pack_signed(out, chunk->first);
    pack_number(out, chunk->count);
    pack_number(out, chunk->rows.len);
    pack_signed(out, chunk->time_min);
    pack_signed(out, chunk->time_max);
    pack_byte(out, chunk->levels);
}

void block_write(const BlockContent *content, Buf *out) {
    size_t begin = out->len;
    memset(buf_reserve(out, BLOCK_HEAD), 0, BLOCK_HEAD);
    out->len += BLOCK_HEAD;
    pack_signed(out, content->journal);
    pack_number(out, content->chunk_count);
    for (uint32_t i = 0; i < content->chunk_count; i++)
        write_chunk(&content->chunks[i], out);
    pack_number(out, content->source_count);
    for (size_t i = 0; i < content->source_count; i++)
        write_source(&content->sources[i], out);
    for (uint32_t i = 0; i < content->chunk_count; i++)
        buf_add(out, content->chunks[i].rows);
    words_write(content->words, out);
    Span body = span(out->ptr + begin + BLOCK_HEAD, out->len - begin - BLOCK_HEAD);
    put32(out->ptr + begin, MAGIC);
    put32(out->ptr + begin + 4, (uint32_t)body.len);
    uint64_t check = hash_bytes(body, MAGIC);
    put32(out->ptr + begin + 8, (uint32_t)check);
    put32(out->ptr + begin + 12, (uint32_t)(check >> 32));
}

size_t block_size(Span head) {
    if (head.len < BLOCK_HEAD)
        return 0;
    Unpack in = unpack_begin(head);
    uint32_t magic = unpack_fixed32(&in), size = unpack_fixed32(&in);
    return magic == MAGIC && size <= BLOCK_SIZE_MAX ? BLOCK_HEAD + (size_t)size : 0;
}

static bool read_chunks(Unpack *in, Block *block) {
    block->journal = unpack_signed(in);
    uint64_t count = unpack_number(in);
    if (count > BLOCK_CHUNKS || count == 0 || block->journal < 0)
        return false;
    block->chunk_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        BlockChunk *chunk = &block->chunks[i];
        chunk->first = unpack_signed(in);
        uint64_t rows = unpack_number(in);
        chunk->count = (uint32_t)rows;
        uint64_t size = unpack_number(in);
        chunk->rows = (Span){NULL, (size_t)size};
        chunk->time_min = unpack_signed(in);
        chunk->time_max = unpack_signed(in);
        chunk->levels = unpack_byte(in);
        if (in->failed || rows == 0 || rows > ROW_RECORD_MAX || size > BLOCK_SIZE_MAX ||
            chunk->first < 0 || chunk->first > INT64_MAX / 2)
            return false;
    }
    return true;
}

static bool read_sources(Unpack *in, Block *block) {
    uint64_t count = unpack_number(in);
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        BlockSource one = {0};
        one.source.place = unpack_text(in);
        one.source.service = unpack_text(in);
        one.source.instance = unpack_text(in);
        one.source.run = unpack_signed(in);
        one.source.stream = (int32_t)unpack_number(in);
        one.source.base = unpack_signed(in);
        one.chunks = unpack_number(in);
        if (!in->failed)
            *array_push(&block->sources) = one;
    }
    return !in->failed;
}

static bool read_rows(Unpack *in, Block *block) {
    for (uint32_t i = 0; i < block->chunk_count; i++)
        block->chunks[i].rows = unpack_bytes(in, block->chunks[i].rows.len);
    return !in->failed;
}

bool block_read(Buf *bytes, Block *ret) {
    Span all = buf_span(bytes);
    if (block_size(all) != all.len)
        return false;
    Span body = span_skip(all, BLOCK_HEAD);
    Unpack head = unpack_begin(span(all.ptr + 8, 8));
    uint64_t check = unpack_fixed32(&head);
    check |= (uint64_t)unpack_fixed32(&head) << 32;
    Block block = {0};
    Unpack in = unpack_begin(body);
    if (check != hash_bytes(body, MAGIC) || !read_chunks(&in, &block) ||
        !read_sources(&in, &block) || !read_rows(&in, &block) ||
        !words_view(span(in.at, (size_t)(in.end - in.at)), &block.words)) {
        array_done(&block.sources);
        return false;
    }
    block.bytes = *bytes;
    *bytes = (Buf){0};
    *ret = block;
    return true;
}

void block_done(Block *block) {
    array_done(&block->sources);
    buf_done(&block->bytes);
}

/* Where the bit of a name stands, in lower case. */
static unsigned name_bit(Span name) {
    char folded[64];
    size_t len = name.len < sizeof folded ? name.len : sizeof folded;
    for (size_t i = 0; i < len; i++)
        folded[i] = fold_char(name.ptr[i]);
    return hash_bytes(span(folded, len), MAGIC) % 256;
}

static void add_name(BlockRange *range, Span name) {
    unsigned bit = name_bit(name);
    range->names[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool may_have_name(const BlockRange *range, Span name) {
    unsigned bit = name_bit(name);
    return memchr(name.ptr, '*', name.len) || range->names[bit / 64] >> bit % 64 & 1;
}

BlockRange block_range(const BlockContent *content) {
    const BlockChunk *last = &content->chunks[content->chunk_count - 1];
    BlockRange range = {.first = content->chunks[0].first,
                        .until = last->first + last->count,
                        .journal = content->journal,
                        .time_min = INT64_MAX,
                        .time_max = INT64_MIN};
    for (uint32_t i = 0; i < content->chunk_count; i++) {
        const BlockChunk *chunk = &content->chunks[i];
        if (chunk->time_min < range.time_min)
            range.time_min = chunk->time_min;
        if (chunk->time_max > range.time_max)
            range.time_max = chunk->time_max;
        range.levels |= chunk->levels;
    }
    for (size_t i = 0; i < content->source_count; i++) {
        const BlockSource *one = &content->sources[i];
        if (!one->chunks)
            continue;
        add_name(&range, one->source.service);
        add_name(&range, one->source.instance);
    }
    return range;
}

bool block_read_range(Span bytes, BlockRange *ret) {
    Block block = {0};
    Unpack in = unpack_begin(span_skip(bytes, BLOCK_HEAD));
    if (!read_chunks(&in, &block))
        return false;
    bool all = read_sources(&in, &block);
    *ret = block_range(&(BlockContent){.chunks = block.chunks,
                                       .chunk_count = block.chunk_count,
                                       .sources = block.sources.items,
                                       .source_count = block.sources.count,
                                       .journal = block.journal});
    if (!all) /* there may be any */
        memset(ret->names, 0xff, sizeof ret->names);
    array_done(&block.sources);
    return true;
}

/* ---- which chunks ---- */

typedef struct Choice {
    const Block *block;
    int64_t (*last_run)(void *owner, Span service);
    void *owner;
} Choice;

/* Chunks of the sources for which the node may hold. */
static uint64_t by_source(const Choice *choice, const FilterNode *node) {
    uint64_t chunks = 0;
    for (size_t i = 0; i < choice->block->sources.count; i++) {
        const BlockSource *one = &choice->block->sources.items[i];
        FilterGlance glance = {.service = one->source.service,
                               .instance = one->source.instance,
                               .run = one->source.run,
                               .stream = one->source.stream};
        if (node->kind == FILTER_RUN)
            glance.last_run = choice->last_run(choice->owner, one->source.service);
        if (filter_glance_node(node, &glance) != FILTER_NO)
            chunks |= one->chunks;
    }
    return chunks;
}

static bool time_may_fit(const FilterNode *node, const BlockChunk *chunk) {
    switch (node->order) {
    case FILTER_LESS:
        return chunk->time_min < node->number;
    case FILTER_LESS_EQUAL:
        return chunk->time_min <= node->number;
    case FILTER_GREATER:
        return chunk->time_max > node->number;
    case FILTER_GREATER_EQUAL:
        return chunk->time_max >= node->number;
    default:
        return chunk->time_min <= node->number && chunk->time_max >= node->number;
    }
}

static bool level_may_fit(const FilterNode *node, const BlockChunk *chunk) {
    for (int level = 0; level < 8; level++) {
        FilterGlance glance = {.level = level};
        if (chunk->levels & 1 << level && filter_glance_node(node, &glance) != FILTER_NO)
            return true;
    }
    return false;
}

static uint64_t by_chunk(const Choice *choice, const FilterNode *node) {
    uint64_t chunks = 0;
    for (uint32_t i = 0; i < choice->block->chunk_count; i++) {
        const BlockChunk *chunk = &choice->block->chunks[i];
        if (node->kind == FILTER_TIME ? time_may_fit(node, chunk) : level_may_fit(node, chunk))
            chunks |= UINT64_C(1) << i;
    }
    return chunks;
}

/* Chunks that have texts without which there is no match. Neighbours mostly have the same. */
static uint64_t by_regex(const Choice *choice, const FilterNode *node) {
    uint64_t have[REGEX_ATOMS_MAX], chunks = 0, last = UINT64_MAX;
    size_t count = regex_atom_count(node->regex);
    bool may_match = true;
    for (size_t i = 0; i < count; i++)
        have[i] = words_text(&choice->block->words, regex_atom(node->regex, i));
    for (uint32_t chunk = 0; chunk < choice->block->chunk_count; chunk++) {
        uint64_t atoms = 0;
        for (size_t i = 0; i < count; i++)
            atoms |= (have[i] >> chunk & 1) << i;
        if (chunk == 0 || atoms != last)
            may_match = regex_may_match(node->regex, atoms);
        last = atoms;
        chunks |= (uint64_t)may_match << chunk;
    }
    return chunks;
}

static uint64_t choose(const Choice *choice, const FilterNode *node) {
    uint64_t chunks;
    switch (node->kind) {
    case FILTER_AND:
        chunks = UINT64_MAX;
        for (const FilterNode *child = node->children; child && chunks; child = child->next)
            chunks &= choose(choice, child);
        return chunks;
    case FILTER_OR:
        chunks = 0;
        for (const FilterNode *child = node->children; child; child = child->next)
            chunks |= choose(choice, child);
        return chunks;
    case FILTER_SERVICE:
    case FILTER_INSTANCE:
    case FILTER_STREAM:
    case FILTER_RUN:
        return by_source(choice, node);
    case FILTER_LEVEL:
    case FILTER_TIME:
        return by_chunk(choice, node);
    case FILTER_TEXT:
        return words_text(&choice->block->words, node->text);
    case FILTER_CORRELATION:
        return words_id(&choice->block->words, node->text);
    case FILTER_REGEX:
        return by_regex(choice, node);
    case FILTER_NOT: /* a chunk that may have such entries may have others, too */
    case FILTER_ATTRIBUTE:
        break;
    }
    return UINT64_MAX;
}

uint64_t block_chunks(const Block *block, const Filter *filter,
                      int64_t (*last_run)(void *owner, Span service), void *owner) {
    Choice choice = {block, last_run, owner};
    uint64_t all = block->chunk_count == 64 ? UINT64_MAX : (UINT64_C(1) << block->chunk_count) - 1;
    return choose(&choice, filter_root(filter)) & all;
}

static bool range_may_match(const FilterNode *node, const BlockRange *range) {
    BlockChunk whole = {
        .time_min = range->time_min, .time_max = range->time_max, .levels = range->levels};
    bool any = false;
    switch (node->kind) {
    case FILTER_AND:
        for (const FilterNode *child = node->children; child; child = child->next)
            if (!range_may_match(child, range))
                return false;
        return true;
    case FILTER_OR:
        for (const FilterNode *child = node->children; child && !any; child = child->next)
            any = range_may_match(child, range);
        return any;
    case FILTER_LEVEL:
        return level_may_fit(node, &whole);
    case FILTER_TIME:
        return time_may_fit(node, &whole);
    case FILTER_SERVICE:
    case FILTER_INSTANCE:
        return may_have_name(range, node->text);
    default:
        return true;
    }
}

bool block_range_may_match(const BlockRange *range, const Filter *filter) {
    return range_may_match(filter_root(filter), range);
}
