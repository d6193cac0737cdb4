import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printable, printableJson, printableText } from '../../lib/printable.ts'

const codes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const harmful = [codes(0, 0x1f), codes(0x7f, 0x9f), [0x61c, 0x200e, 0x200f], codes(0x2028, 0x202e), codes(0x2066, 0x2069)].flat()

describe.each(harmful)('U+%i', (code) => {
  const character = String.fromCharCode(code)
  const visible = `\\u${code.toString(16).padStart(4, '0')}`

  test('is escaped in a value', () => expect(printable(`a${character}b${character}`)).toBe(`a${visible}b${visible}`))

  test('is escaped in a text, but for line feeds and tabs', () => {
    expect(printableText(`a${character}b`)).toBe(character === '\n' || character === '\t' ? `a${character}b` : `a${visible}b`)
  })
})

test('other text stays as it is', () => {
  const text = 'acme–größe 温度 🧊 \\u001b \u200d e\u0301'
  expect([printable(text), printableText(text)]).toEqual([text, text])
})

test('JSON keeps its meaning', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(JSON.parse(printableText(json))).toEqual(JSON.parse(json))
    }),
    { seed: 1, numRuns: 200 },
  )
  expect(JSON.parse(printableText(JSON.stringify('\u009b\u202e\u007f\u2028\u001b\n')))).toBe('\u009b\u202e\u007f\u2028\u001b\n')
})

test('members of a JSON value are escaped with their names', () => {
  expect(printableJson({ 'a\u001b': ['\u009b', 1, null, true] })).toEqual({ 'a\\u001b': ['\\u009b', 1, null, true] })
})
