/* Types for the codec's own tests: every kind of field once, those of proto2 included, in tables
 * written by hand so that these tests rest on nothing but the contract of schema.h. As if
 * compiled from
 *
 *     enum Colour { RED = 0; GREEN = 1; BLUE = 2; }                        closed where it says so
 *     message Strict { required int32 id = 1; optional int32 port = 2 [default = 80]; }
 *     message Sample {
 *       int32 i32 = 1;         int64 i64 = 2;          uint32 u32 = 3;       uint64 u64 = 4;
 *       sint32 s32 = 5;        sint64 s64 = 6;         fixed32 f32 = 7;      fixed64 f64 = 8;
 *       sfixed32 sf32 = 9;     sfixed64 sf64 = 10;     float real = 11;      double wide = 12;
 *       bool flag = 13;        string text = 14;       bytes data = 15;      Colour colour = 16;
 *       Sample sub = 17;       optional int32 maybe = 18;
 *       repeated int32 numbers = 19;                   repeated string words = 20;
 *       repeated Sample subs = 21;                     repeated fixed64 stamps = 22;
 *       map<string, string> labels = 23;               map<sint32, Sample> by_id = 24;
 *       oneof choice { string name = 25; int32 id = 26; Sample other = 27; }
 *       optional group Group = 28 { Sample }           repeated group Groups = 29 { Sample }
 *       optional Colour closed = 30;                   repeated Colour closeds = 31 [packed];
 *       map<int32, Colour> colours = 32;               optional string raw = 33;  (not checked)
 *       Strict strict = 34;    repeated Strict stricts = 35;
 *       repeated sint64 loose = 36;  (not packed)      map<string, Strict> strict_by_name = 37;
 *       uint32 far = 1000;     uint32 farthest = 536870911;
 *     } */
#pragma once

#include "schema/schema.h"

typedef enum Colour { RED, GREEN, BLUE } Colour;

typedef struct Strict {
    SchemaUnknown *unknown;
    bool has_id, has_port;
    int32_t id, port;
} Strict;

typedef struct Sample Sample;

typedef struct LabelsEntry {
    SchemaUnknown *unknown;
    Span key, value;
} LabelsEntry;

typedef struct ByIdEntry {
    SchemaUnknown *unknown;
    int32_t key;
    Sample *value;
} ByIdEntry;

typedef struct ColoursEntry {
    SchemaUnknown *unknown;
    int32_t key, value;
} ColoursEntry;

typedef struct StrictEntry {
    SchemaUnknown *unknown;
    Span key;
    Strict *value;
} StrictEntry;

struct Sample {
    SchemaUnknown *unknown;
    int32_t i32;
    int64_t i64;
    uint32_t u32;
    uint64_t u64;
    int32_t s32;
    int64_t s64;
    uint32_t f32;
    uint64_t f64;
    int32_t sf32;
    int64_t sf64;
    float real;
    double wide;
    bool flag;
    Span text, data;
    int32_t colour;
    Sample *sub;
    bool has_maybe;
    int32_t maybe;
    SCHEMA_REPEATED(int32_t) numbers;
    SCHEMA_REPEATED(Span) words;
    SCHEMA_REPEATED(Sample) subs;
    SCHEMA_REPEATED(uint64_t) stamps;
    SCHEMA_REPEATED(LabelsEntry) labels;
    SCHEMA_REPEATED(ByIdEntry) by_id;
    int32_t which_choice;
    union {
        Span name;
        int32_t id;
        Sample *other;
    };
    Sample *group;
    SCHEMA_REPEATED(Sample) groups;
    bool has_closed, has_raw;
    int32_t closed;
    SCHEMA_REPEATED(int32_t) closeds;
    SCHEMA_REPEATED(ColoursEntry) colours;
    Span raw;
    Strict *strict;
    SCHEMA_REPEATED(Strict) stricts;
    SCHEMA_REPEATED(int64_t) loose;
    SCHEMA_REPEATED(StrictEntry) strict_by_name;
    uint32_t far, farthest;
};

extern const SchemaMessage Sample_type, Strict_type;
