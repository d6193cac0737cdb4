// A real process on a real disk, killed with -9 while it appends: everything it said was acknowledged is there afterwards.
import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createFileSpool } from '../../gateway/spool/file.ts'
import { systemClock } from '../../lib/clock.ts'
import { readSpool } from '../helpers/read-spool.ts'
import { createSpyObserve } from '../helpers/spy-observe.ts'

const child = new URL('../helpers/spool-child.ts', import.meta.url)
const toSpool = (dir: string) =>
  createFileSpool({ dir, maxBytes: 1024 ** 3, segmentBytes: 256 * 1024, clock: systemClock, observe: createSpyObserve() })

/** Appends from `from` on, settles every third, and dies after about `acks` acknowledgements. */
async function runAndKill(dir: string, from: number, acks: number): Promise<{ acked: number[]; settled: number[] }> {
  const running = fork(child, [dir, String(from)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const acked: number[] = []
  const settled: number[] = []
  running.on('message', (said: { acked?: number[]; settled?: number[] }) => {
    acked.push(...(said.acked ?? []))
    settled.push(...(said.settled ?? []))
    if (acked.length >= acks) running.kill('SIGKILL')
  })
  await new Promise((resolve) => running.once('close', resolve))
  return { acked, settled }
}

test('five kills lose nothing that was acknowledged', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-spool-kill-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const acked = new Set<number>()
  const settled = new Set<number>()
  for (let life = 0; life < 5; life++) {
    const said = await runAndKill(dir, life * 1_000_000, 300 + life * 700)
    for (const number of said.acked) acked.add(number)
    for (const number of said.settled) settled.add(number)
  }
  const spool = toSpool(dir)
  await spool.start()
  const found: number[] = []
  const expected = spool.depth().messages
  for await (const { message } of readSpool(spool, new AbortController().signal)) {
    found.push(Number(message.id))
    if (found.length === expected) break
  }
  await spool.stop()
  expect(acked.size).toBeGreaterThan(3_000)
  expect(found).toEqual([...new Set(found)].sort((a, b) => a - b))
  const present = new Set(found)
  expect([...acked].filter((number) => !settled.has(number) && !present.has(number))).toEqual([])
  const duplicates = found.filter((number) => settled.has(number)).length
  console.log(`acknowledged ${acked.size}, settled ${settled.size}, found ${found.length}, of these settled before ${duplicates}`)
})

test('a directory in use is refused, and is free again when its process is dead', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-spool-lock-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const running = fork(child, [dir, '0'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await new Promise((resolve) => running.once('message', resolve))
  await expect(toSpool(dir).start()).rejects.toMatchObject({
    code: 'SPOOL_LOCKED',
    message: expect.stringContaining(`process ${running.pid} `),
  })
  running.kill('SIGKILL')
  await new Promise((resolve) => running.once('close', resolve))
  const spool = toSpool(dir)
  await spool.start()
  expect(spool.depth().messages).toBeGreaterThan(0)
  await spool.stop()
})
