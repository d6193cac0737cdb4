import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toText } from '../../../gateway/actions/text.ts'
import { bytesOf, JsonText } from '../../../gateway/message/body.ts'

const through = (text: string) => bytesOf(toText(Buffer.from(text))).toString()
const throughJson = (text: string) => bytesOf(toText(JsonText.of(text))).toString()

test('text of XML characters travels as it is', () => {
  for (const text of ['{"t":-18.5}', 'a\tb\r\nc', '\u007f', 'Kühlhaus 冷凍庫', '\ud7ff\ue000\ufffd']) expect(through(text)).toBe(text)
})

test('what XML cannot carry is refused with its place', () => {
  expect(() => through('ab\u0001')).toThrow('character U+0001 at 2 cannot be carried')
  expect(() => through('ü\u0000')).toThrow('character U+0000 at 1')
  expect(() => through('no JSON \uffff')).toThrow('character U+FFFF at 8')
  expect(() => through('')).toThrow('the body is empty')
  expect(() => toText(Buffer.from([0xc3, 0x28]))).toThrow('not UTF-8')
  expect(() => toText(Buffer.from([0xed, 0xa0, 0x80]))).toThrow('not UTF-8')
})

test('in JSON, characters that emulators or XML refuse become escapes', () => {
  expect(through('{"note":"cold 🥶"}')).toBe('{"note":"cold \\ud83e\\udd76"}')
  expect(through('{"note":"\uffff"}')).toBe('{"note":"\\uffff"}')
  expect(through('cold 🥶')).toBe('cold 🥶')
})

test('JSON of a rule travels unchanged, but for characters above U+FFFF, which become escapes', () => {
  for (const json of ['{"t":-18.5}', '{"note":"a\\tb\\u0001"}', '"Kühlhaus 冷凍庫"', '"\ud7ff\ue000\ufffd"'])
    expect(throughJson(json)).toBe(json)
  expect(throughJson('{"note":"cold 🥶"}')).toBe('{"note":"cold \\ud83e\\udd76"}')
})

test('JSON means the same after as before', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
      expect(JSON.parse(through(json))).toEqual(JSON.parse(Buffer.from(json).toString()))
    }),
  )
})
