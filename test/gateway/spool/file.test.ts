import { expect, test } from 'vitest'
import { createFileSpool, type FileSpoolOptions } from '../../../gateway/spool/file.ts'
import type { Entry, Spool } from '../../../gateway/spool/spool.ts'
import { testSpool } from '../../contract/spool.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs, errno } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const toOptions = (change: Partial<FileSpoolOptions> = {}): FileSpoolOptions => ({
  dir: '/spool',
  maxBytes: 1024 ** 2,
  clock: createManualClock(),
  observe: createSpyObserve(),
  fs: createMemoryFs(),
  ...change,
})

const started = async (change: Partial<FileSpoolOptions> = {}) => {
  const spool = createFileSpool(toOptions(change))
  await spool.start()
  return spool
}

/** Reads everything that is not settled, and no more. */
async function readAll(spool: Spool): Promise<Entry[]> {
  const entries: Entry[] = []
  const count = spool.depth.messages
  if (count === 0) return entries
  for await (const entry of spool.read(new AbortController().signal)) {
    entries.push(entry)
    if (entries.length === count) break
  }
  return entries
}

const numbersOf = (entries: readonly Entry[]) => entries.map(({ message }) => Number(message.id))

testSpool({ name: 'file spool', create: () => createFileSpool(toOptions()) })

test('after a stop, exactly what was unsettled comes back, in order, and is announced', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs })
  await Promise.all([1, 2, 3, 4, 5].map((n) => spool.append(toReading(n))))
  const entries = await readAll(spool)
  entries[1]!.settle('delivered')
  entries[3]!.settle('dead')
  const { depth } = spool
  await spool.stop()

  const observe = createSpyObserve()
  const again = await started({ fs, observe })
  expect(again.depth).toEqual(depth)
  expect(observe.of('message.recovered')).toMatchObject([{ count: 3, bytes: depth.bytes }])
  expect(numbersOf(await readAll(again))).toEqual([1, 3, 5])
  await again.stop()
})

test('what was acknowledged survives a crash without any stop', async () => {
  let fs = createMemoryFs()
  const spool = await started({ fs })
  await Promise.all([1, 2, 3].map((n) => spool.append(toReading(n))))
  fs = fs.crash(() => 0)
  const again = await started({ fs })
  expect(numbersOf(await readAll(again))).toEqual([1, 2, 3])
  await again.stop()
})

test('a failed write refuses its group, begins a new segment and works again when the disk does', async () => {
  const fs = createMemoryFs()
  const observe = createSpyObserve()
  const spool = await started({ fs, observe })
  await spool.append(toReading(1))
  fs.fault = (call) => (call === 'write' ? errno('ENOSPC') : undefined)
  const refused = await Promise.allSettled([2, 3].map((n) => spool.append(toReading(n))))
  expect(refused).toMatchObject([{ reason: { code: 'SPOOL_FAILED', details: { errno: 'ENOSPC' } } }, { reason: { code: 'SPOOL_FAILED' } }])
  fs.fault = () => undefined
  await spool.append(toReading(4))
  expect(observe.recorded.map(({ event }) => event)).toEqual(['gateway.degraded', 'gateway.recovered'])
  expect(numbersOf(await readAll(spool))).toEqual([1, 4])
  await spool.stop()
  const again = await started({ fs })
  expect(numbersOf(await readAll(again))).toEqual([1, 4])
  await again.stop()
})
