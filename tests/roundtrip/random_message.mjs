// Random messages of any type, from a seed.

import { create, protoInt64, ScalarType } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'

const DEPTH_MAX = 4

/** A generator of whole numbers below a bound, the same ones for the same seed (mulberry32). */
export function dice(seed) {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** A message with some of its fields set; `roll` is a generator from dice(). */
export function randomMessage(schema, roll, depth = 0) {
  const message = reflect(schema, create(schema))
  switch (schema.typeName) {
    case 'google.protobuf.Timestamp': // 0001 to 9999, as JSON can say it
      message.message.seconds = BigInt(roll(2 ** 32)) * 73n - 62135596800n
      message.message.nanos = pick(roll, [0, 1, 999999999, 1000000 * roll(1000), roll(1e9)])
      return message
    case 'google.protobuf.Value': // one kind must be set
      return fillValue(message, roll, depth)
  }
  for (const member of schema.members) {
    if (member.kind === 'oneof') setField(message, pick(roll, member.fields), roll, depth)
    else if (roll(3) > 0) setField(message, member, roll, depth)
  }
  return message
}

function fillValue(value, roll, depth) {
  const kinds = value.oneofs[0].fields.filter((field) => depth < DEPTH_MAX || !field.message)
  const field = pick(roll, kinds)
  if (field.name === 'number_value') value.set(field, finite(roll))
  else setField(value, field, roll, depth)
  return value
}

function setField(message, field, roll, depth) {
  const nested = field.message !== undefined || field.mapKind === 'message' || field.listKind === 'message'
  if (nested && depth >= DEPTH_MAX) return
  switch (field.fieldKind) {
    case 'scalar':
      return message.set(field, scalar(field.scalar, roll))
    case 'enum':
      return message.set(field, enumeration(field.enum, roll))
    case 'message':
      return message.set(field, randomMessage(field.message, roll, depth + 1))
    case 'list': {
      const list = message.get(field)
      for (let left = roll(4); left > 0; left--) list.add(element(field, field.listKind, roll, depth))
      return
    }
    case 'map': {
      const map = message.get(field)
      for (let left = roll(4); left > 0; left--)
        map.set(scalar(field.mapKey, roll), element(field, field.mapKind, roll, depth))
    }
  }
}

function element(field, kind, roll, depth) {
  if (kind === 'message') return randomMessage(field.message, roll, depth + 1)
  return kind === 'enum' ? enumeration(field.enum, roll) : scalar(field.scalar, roll)
}

// proto3 enums are open: now and then a number that has no name.
const enumeration = (type, roll) =>
  roll(8) === 0 ? pick(roll, [-1, 4711, 2 ** 31 - 1, -(2 ** 31)]) : pick(roll, type.values).number

function scalar(type, roll) {
  switch (type) {
    case ScalarType.BOOL:
      return roll(2) === 1
    case ScalarType.STRING:
      return text(roll)
    case ScalarType.BYTES:
      return Uint8Array.from({ length: roll(20) }, () => roll(256))
    case ScalarType.DOUBLE:
      return roll(6) === 0 ? pick(roll, [NaN, Infinity, -Infinity]) : finite(roll)
    case ScalarType.FLOAT:
      return Math.fround(roll(6) === 0 ? pick(roll, [NaN, Infinity, -Infinity]) : finite(roll) % 3e38) || 0
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return pick(roll, [0, 1, 127, 128, 2 ** 32 - 1, roll(2 ** 32)])
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return pick(roll, [0, 1, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31), roll(2 ** 32) | 0])
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return protoInt64.uParse(BigInt.asUintN(64, long(roll)))
    default: // INT64, SINT64, SFIXED64
      return protoInt64.parse(BigInt.asIntN(64, long(roll)))
  }
}

const long = (roll) =>
  pick(roll, [0n, 1n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), (BigInt(roll(2 ** 32)) << 32n) | BigInt(roll(2 ** 32))])

// Never -0: JavaScript's JSON says 0 for it.
function finite(roll) {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setUint32(0, roll(2 ** 32))
  bits.setUint32(4, roll(2 ** 32))
  const any = bits.getFloat64(0)
  return pick(roll, [0, 0.1, 1 / 3, 1e21, 5e-324, Number.MAX_VALUE, roll(1e6) / 1000, Number.isFinite(any) && any ? any : 1])
}

const PIECES = ['a', 'Zahl', 'ä', '日本', '🦀', ' ', '"', '\\', '/', '\n', '\t', '\u0000', '\u001f', '\u007f', '\u2028', '<', '&', '__proto__x', '12']

// The first letter keeps keys of maps from looking like numbers, which JavaScript would reorder.
const text = (roll) => ['', 's'][roll(5) && 1] + Array.from({ length: roll(6) }, () => pick(roll, PIECES)).join('')

const pick = (roll, list) => list[roll(list.length)]
