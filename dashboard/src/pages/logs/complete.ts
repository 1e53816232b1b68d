import type { LogField } from '@/gen/runtime/v1/logger_pb'

/** What the word at the end may become: a field's name, or one of its values. */
export function complete(fields: readonly LogField[], word: string): string[] {
  const sign = word.startsWith('-') ? '-' : ''
  const bare = word.slice(sign.length)
  const match = /^(.+?)(:|>=|<=|>|<|=)(.*)$/.exec(bare)
  if (!match)
    return fields
      .filter((field) => field.name.startsWith(bare) && bare !== field.name)
      .map((field) => `${sign}${field.name}${field.name === 'level' ? '>=' : ':'}`)
  const [, name = '', operator = '', start = ''] = match
  const field = fields.find((each) => each.name === name)
  return (field?.values ?? [])
    .filter((value) => value.startsWith(start) && value !== start)
    .map(
      (value) => `${sign}${name}${operator}${/[\s"]/.test(value) ? JSON.stringify(value) : value}`,
    )
}
