import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pack, packedSize, unpack } from '../../lib/pack.ts'

const read = (text: string) => unpack(Buffer.from(text)).map(({ key, body }) => [key, Buffer.from(body).toString()])
const write = (readings: readonly (readonly [string, string])[]) =>
  pack(readings.map(([key, body]) => ({ key, body: Buffer.from(body) }))).toString()

test('a pack is an index and a line for each reading', () => {
  expect(
    write([
      ['a.rule.0', '{"t":1}'],
      ['b.rule.0', 'Kühl'],
    ]),
  ).toBe('[["a.rule.0",7],["b.rule.0",5]]\n{"t":1}\nKühl\n')
})

test('what goes in comes out, whatever it is, and its size was foreseen', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^[\w.]{1,60}$/), text), { minLength: 1 }), (readings) => {
      const packed = write(readings)
      expect(read(packed)).toEqual(readings)
      const foreseen = readings.reduce((sum, [key, body]) => sum + packedSize(key, Buffer.byteLength(body)), 0)
      expect(Buffer.byteLength(packed)).toBeLessThanOrEqual(foreseen + 3)
    }),
  )
})

test('what is no pack says so', () => {
  expect(() => read('{"temperature":1}')).toThrow('a pack starts with a line of JSON')
  expect(() => read('')).toThrow('a pack starts with a line of JSON')
  expect(() => read('[["a",-1]]\n')).toThrow('a pack starts with a line of JSON')
  expect(() => read('[["a",5]]\nabc\n')).toThrow('a pack of 1 readings should have 16 bytes, and has 14')
})
