import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toBody } from '../../gateway/aws-body.ts'

const entryOf = (MessageBody: string, Id = '0') => ({
  Id,
  MessageBody,
  MessageAttributes: { tenant: { DataType: 'String', StringValue: 'a"b' } },
})
const parsed = (...bodies: readonly string[]) => {
  const input = { QueueUrl: 'http://localhost/000000000000/telemetry', Entries: bodies.map((body, index) => entryOf(body, String(index))) }
  const bytes = toBody(input)
  expect(JSON.parse(bytes.toString())).toEqual(input)
  return bytes
}

test('short and long bodies, of any characters, come out as they went in', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.json(),
    fc.constantFrom('"', '\\', '\n\r\t\b\f', '\u0001', 'é', '😀', '\ud800'),
  )
  const body = fc.tuple(text, fc.constantFrom(1, 200, 3_000)).map(([part, times]) => part.repeat(times))
  fc.assert(fc.property(fc.array(body, { minLength: 1, maxLength: 4 }), (bodies) => void parsed(...bodies)))
})

test('a body of nothing but quotes, as long as SQS takes, and a short one behind it', () => {
  parsed('"'.repeat(1_048_576), 'short')
  parsed('é'.repeat(349_525), '"'.repeat(5_000))
})

test('what one call returned is not touched by the next', () => {
  const first = parsed('a'.repeat(5_000))
  const before = first.toString()
  parsed('b'.repeat(5_000))
  expect(first.toString()).toBe(before)
})
