import { expect, test } from 'vitest'
import { createProgress, progressLine } from '../../device-sim/progress.ts'

const at = (elapsedMs: number, sent: number) => ({
  devices: 10,
  connected: 9,
  sent,
  acked: sent,
  failed: 0,
  dropped: 0,
  late: 0,
  bytesSent: 0,
  bytesReceived: 0,
  elapsedMs,
})

test('a line says time, devices, rate since the line before, and only troubles there are', () => {
  expect(progressLine(at(2_000, 30), at(1_000, 10))).toBe('2s · 9/10 connected · 20/s · 30 sent · 30 acked')
  expect(progressLine({ ...at(1_000, 10), failed: 2, dropped: 1, durationMs: 60_000 })).toBe(
    '1s of 1m · 9/10 connected · 10/s · 10 sent · 10 acked · 2 FAILED · 1 dropped',
  )
})

function shown(isTTY: boolean) {
  let text = ''
  const progress = createProgress({ isTTY, write: (more: string) => (text += more) })
  for (let second = 1; second <= 12; second++) progress.show(at(second * 1_000, second * 10))
  progress.end()
  return text
}

test('in a pipe a plain line every five seconds', () => {
  expect(shown(false).split('\n')).toEqual([
    '5s · 9/10 connected · 10/s · 50 sent · 50 acked',
    '10s · 9/10 connected · 10/s · 100 sent · 100 acked',
    '',
  ])
})

test('on a terminal one line that is written again, and is gone at the end', () => {
  const text = shown(true)
  expect(text).not.toContain('\n')
  expect(text.split('\r\u001b[K')).toHaveLength(14)
  expect(text.endsWith('\r\u001b[K')).toBe(true)
})
