// Text that would take over a terminal, and what must not be left of it.
import { expect } from 'vitest'

export const hostile = 'x\u001b[2J\u001b]0;title\u0007\u009b31m\u202egnp.exe\u2066\u200f\u2028\u007f\r\nforged line'

const c0 = '\\u0000-\\u0009\\u000b-\\u001f'
const harmful = new RegExp(`[${c0}\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]`)
const esc = '\\u001b'
const colours = new RegExp(`${esc}\\[\\d*(;\\d+)*m`, 'g')

/** Colours that a command itself chooses are no harm. */
export function expectHarmless(text: string, lines?: number): void {
  expect(text.replaceAll(colours, '')).not.toMatch(harmful)
  if (lines !== undefined) expect(text.trimEnd().split('\n')).toHaveLength(lines)
}
