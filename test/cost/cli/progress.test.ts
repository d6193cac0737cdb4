// The progress of a run: a line that is redrawn on a terminal, plain lines in a pipe.
import { expect, test } from 'vitest'
import { createProgress } from '../../../cost/cli/progress.ts'

function show(isTTY: boolean): string {
  let written = ''
  const write = (text: string) => {
    written += text
    return true
  }
  const out = { isTTY, write }
  let now = 0
  const progress = createProgress(out, { monotonic: () => now })
  progress.show({ done: 0, all: 4, transport: 'mqtt', phase: 'open' })
  now = 2_000
  progress.show({ done: 1, all: 4, transport: 'mqtt', phase: 'talk' })
  progress.show({ done: 2, all: 4, transport: 'https', phase: 'open' })
  progress.end(4)
  return written
}

test('in a pipe: a line for each transport, nothing that a terminal would have to interpret', () => {
  expect(show(false)).toBe('measuring mqtt (step 1 of 4, 0ms)\nmeasuring https (step 3 of 4, 2s)\n4 steps in 2s\n')
})

test('on a terminal: one line that fills and is gone at the end', () => {
  const text = show(true)
  expect(text).toContain('[######..................] 1 of 4  mqtt: sending readings  2s')
  expect(text).not.toContain('\n')
  expect(text.endsWith('\r\u001b[2K')).toBe(true)
})
