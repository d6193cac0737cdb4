import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BytesEntry, escapeInto, maxEscapedBytes, toBody } from '../../../gateway/aws/body.ts'

const attributes = { tenant: { DataType: 'String', StringValue: 'a"b' } }
const plain = (MessageBody: string, Id: string) => ({ Id, MessageBody, MessageAttributes: attributes })

function escaped(text: string, before = 0): Buffer {
  const bytes = Buffer.from(text)
  const room = Buffer.alloc(before + bytes.length * maxEscapedBytes)
  return room.subarray(before, escapeInto(room, bytes, bytes.length, before))
}

function bytesEntry(pieces: readonly string[], id: string): BytesEntry {
  const entry = new BytesEntry(
    pieces.map((piece) => escaped(piece)),
    attributes,
    'g',
  )
  entry.Id = id
  return entry
}

const parsed = (Entries: Parameters<typeof toBody>[0]['Entries']) => {
  const bytes = toBody({ QueueUrl: 'http://localhost/000000000000/telemetry', Entries })
  const { QueueUrl, Entries: found } = JSON.parse(bytes.toString())
  expect(QueueUrl).toBe('http://localhost/000000000000/telemetry')
  return found
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary-ascii', maxLength: 40 }),
  fc.json(),
  fc.constantFrom('', '"', '\\', '\n\r\t\b\f', '\u0001', '\u007f', 'é', '😀'),
)

test('a body, whole or in pieces, of any characters, comes out as it went in', () => {
  fc.assert(
    fc.property(fc.array(fc.array(text, { maxLength: 3 }), { minLength: 1, maxLength: 4 }), (bodies) => {
      const entries = bodies.map((pieces, i) => bytesEntry(pieces, String(i)))
      const expected = bodies.map((pieces, i) => ({ ...plain(pieces.join(''), String(i)), MessageGroupId: 'g' }))
      expect(parsed(entries)).toEqual(expected)
      expect(entries.map(({ MessageBody }) => MessageBody)).toEqual(bodies.map((pieces) => pieces.join('')))
    }),
  )
})

test("entries as anybody makes them, and those of bytes among them, are JSON.stringify's", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 4 }), (bodies) => {
      const entries = bodies.map(([body, isPlain], i) => (isPlain ? plain(body, String(i)) : bytesEntry([body], String(i))))
      expect(parsed(entries)).toMatchObject(bodies.map(([body], i) => plain(body, String(i))))
    }),
  )
  expect(parsed([plain('\ud800', '0')])).toEqual([plain('\ud800', '0')])
})

test('escaped, it is the inside of what JSON.stringify writes, and no longer than foreseen', () => {
  fc.assert(
    fc.property(text, fc.nat({ max: 10 }), (body, before) => {
      expect(escaped(body, before).toString()).toBe(JSON.stringify(body).slice(1, -1))
    }),
  )
})

test('a body of nothing but quotes, as long as SQS takes', () => {
  const quotes = '"'.repeat(1_048_576)
  expect(parsed([bytesEntry([quotes], '0'), bytesEntry(['short'], '1')])).toMatchObject([plain(quotes, '0'), plain('short', '1')])
})
