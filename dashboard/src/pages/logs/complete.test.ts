import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { complete } from '@/pages/logs/complete'
import { LogFieldSchema } from '@/gen/runtime/v1/logger_pb'

const FIELDS = [
  create(LogFieldSchema, { name: 'service', values: ['calc', 'shop front'] }),
  create(LogFieldSchema, { name: 'level', values: ['warn', 'error'] }),
  create(LogFieldSchema, { name: '@http.status', values: ['200', '500'] }),
]

it('completes names, values and what is left out', () => {
  expect(complete(FIELDS, 'ser')).toEqual(['service:'])
  expect(complete(FIELDS, 'level')).toEqual([])
  expect(complete(FIELDS, 'lev')).toEqual(['level>='])
  expect(complete(FIELDS, 'service:')).toEqual(['service:calc', 'service:"shop front"'])
  expect(complete(FIELDS, '-@http.status:5')).toEqual(['-@http.status:500'])
  expect(complete(FIELDS, 'level>=e')).toEqual(['level>=error'])
  expect(complete(FIELDS, 'nothing:')).toEqual([])
})
