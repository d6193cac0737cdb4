import { expect, test } from 'vitest'
import { createProgress, progressLine, viewLines } from '../../device-sim/progress.ts'

const at = (elapsedMs: number, sent: number) => ({
  devices: 10,
  connected: 9,
  sent,
  acked: sent,
  failed: 0,
  dropped: 0,
  late: 0,
  takenOver: 0,
  shortLived: 0,
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

const stripped = (text: string) => text.split('\u001b[')

test('on a terminal a view that is written over itself, and is gone at the end', () => {
  const parts = stripped(shown(true))
  // Before each view but the first: up over the six lines of the one before, and erase; once more at the end.
  expect(parts.filter((part) => part === '6A\r')).toHaveLength(12)
  expect(parts.at(-1)).toBe('J')
})

test('the view says who is connected, how far it is, how fast, and who is in trouble', () => {
  const ackMs = { count: 30, p50: 1.23, p95: 2, p99: 8.91, max: 20 }
  const worst = [
    { device: 'freezer-00007', failed: 2, slowestAckMs: 20 },
    { device: 'freezer-00001', failed: 0, slowestAckMs: 8.91 },
  ]
  const lines = viewLines({ ...at(30_000, 1_200), durationMs: 60_000, failed: 2, dropped: 1, ackMs, worst }, [0, 10, 20])
  expect(lines).toEqual([
    'devices   ███████████████████████████░░░  9 of 10 connected',
    'time      ███████████████░░░░░░░░░░░░░░░  30s of 1m',
    `rate      ▁▅█${' '.repeat(27)}  20 readings/s`,
    'readings  1,200 sent, 1,200 acknowledged',
    'ack       p50 1.2 ms   p95 2.0 ms   p99 8.9 ms   max 20.0 ms',
    'trouble   2 FAILED, 1 dropped',
    'worst     freezer-00007   2 failed   slowest ack 20.0 ms',
    '          freezer-00001   slowest ack 8.9 ms',
  ])
})

test('a line is never longer than the terminal is wide', () => {
  let text = ''
  createProgress({ isTTY: true, columns: 20, write: (more: string) => (text += more) }).show(at(1_000, 10))
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBe(19)
})
