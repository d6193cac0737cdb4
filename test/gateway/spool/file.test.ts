import { expect, test } from 'vitest'
import { createHealth } from '../../../gateway/observe/health.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createFileSpool, type FileSpoolOptions, fileSpoolSchema } from '../../../gateway/spool/file.ts'
import { MessageCodec } from '../../../gateway/spool/message-codec.ts'
import type { Entry, Spool } from '../../../gateway/spool/spool.ts'
import { testSpool } from '../../contract/spool.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs, errno, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { readSpool } from '../../helpers/read-spool.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const toOptions = (change: Partial<FileSpoolOptions> = {}): FileSpoolOptions => ({
  dir: '/spool',
  maxBytes: 1024 ** 2,
  clock: createManualClock(),
  observe: createSpyObserve(),
  fs: createMemoryFs(),
  codec: new MessageCodec(fastPaths),
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
  const count = spool.depth().messages
  if (count === 0) return entries
  for await (const entry of readSpool(spool, new AbortController().signal)) {
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
  const depth = spool.depth()
  await spool.stop()

  const observe = createSpyObserve()
  const again = await started({ fs, observe })
  expect(again.depth()).toEqual(depth)
  expect(observe.of('message.recovered')).toMatchObject([{ count: 3, bytes: depth.bytes }])
  expect(numbersOf(await readAll(again))).toEqual([1, 3, 5])
  await again.stop()
})

test('what was left unsettled by two lives before is still there in the third', async () => {
  const fs = createMemoryFs()
  const first = await started({ fs })
  await Promise.all([1, 2, 3, 4, 5].map((n) => first.append(toReading(n))))
  const entries = await readAll(first)
  entries[1]!.settle('delivered')
  entries[3]!.settle('delivered')
  await first.stop()

  const second = await started({ fs })
  await second.append(toReading(6))
  for await (const entry of readSpool(second, new AbortController().signal)) {
    expect(entry.message.id).toBe(toReading(1).id)
    entry.settle('delivered')
    break
  }
  expect(second.depth().messages).toBe(3)
  await second.stop()

  const third = await started({ fs })
  expect(numbersOf(await readAll(third))).toEqual([3, 5, 6])
  await third.stop()
})

test('numbers of deleted segments are not used again: an old cursor must not cover a new record', async () => {
  const fs = createMemoryFs()
  const first = await started({ fs })
  await Promise.all([1, 2, 3].map((n) => first.append(toReading(n))))
  for (const entry of await readAll(first)) entry.settle('delivered')
  await first.stop()
  expect([...fs.files.keys()]).toEqual(['/spool/cursor', '/spool/cursor.2'])
  const second = await started({ fs })
  await second.append(toReading(4))
  const third = await started({ fs: fs.crash(() => 0.9) })
  expect(numbersOf(await readAll(third))).toEqual([4])
  await third.stop()
})

test('appends that the disk does not take are refused before they fill the memory', async () => {
  const spool = await started({ maxBytes: 1024 ** 3, segmentBytes: 1024 })
  const payload = Buffer.alloc(1024 ** 2)
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => spool.append(toReading(n, { payload: Buffer.concat([payload, payload]) }))),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(15)
  expect(results.at(-1)).toMatchObject({ reason: { code: 'SPOOL_FULL' } })
  await spool.append(toReading(99))
  await spool.stop()
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
  const clock = createManualClock()
  const spool = await started({ fs, observe, clock })
  await spool.append(toReading(1))
  fs.fault = (call) => (call === 'write' ? errno('ENOSPC') : undefined)
  const refused = await Promise.allSettled([2, 3].map((n) => spool.append(toReading(n))))
  expect(refused).toMatchObject([{ reason: { code: 'SPOOL_FAILED', details: { errno: 'ENOSPC' } } }, { reason: { code: 'SPOOL_FAILED' } }])
  fs.fault = () => undefined
  await spool.append(toReading(4))
  await clock.advance(1_000)
  expect(observe.recorded.map(({ event }) => event)).toEqual(['gateway.degraded', 'gateway.recovered'])
  expect(numbersOf(await readAll(spool))).toEqual([1, 4])
  await spool.stop()
  const again = await started({ fs })
  expect(numbersOf(await readAll(again))).toEqual([1, 4])
  await again.stop()
})

test('every kind of failing call refuses the appends of its group and nothing else', async () => {
  for (const call of ['open', 'write', 'datasync', 'syncDir'] as const) {
    const fs = createMemoryFs()
    const spool = await started({ fs })
    fs.fault = (made, path) => (made === call && (call === 'syncDir' || path.endsWith('.seg')) ? errno('EACCES') : undefined)
    await expect(spool.append(toReading(1)), call).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    fs.fault = () => undefined
    await spool.append(toReading(2))
    expect(numbersOf(await readAll(spool)), call).toEqual([2])
    await spool.stop()
  }
})

test('a refusal waits for its elders, as an acknowledgement does', async () => {
  const spool = await started({ maxBytes: 4_000 })
  const order: string[] = []
  const first = spool.append(toReading(1)).then(() => order.push('first'))
  const second = spool.append(toReading(2, { payload: Buffer.alloc(5_000) })).catch(({ code }) => order.push(code))
  const third = spool.append(toReading(3)).then(() => order.push('third'))
  await Promise.all([first, second, third])
  expect(order).toEqual(['first', 'SPOOL_FULL', 'third'])
  await spool.stop()
})

test('full: QoS 0 is refused at nine tenths, QoS 1 at the limit, and both are welcome again when there is room', async () => {
  const fs = createMemoryFs()
  const observe = createSpyObserve()
  const clock = createManualClock()
  const spool = await started({ fs, observe, clock, maxBytes: 40_000 })
  const append = async (number: number, qos: 0 | 1) => {
    await spool.append(toReading(number, { qos, payload: Buffer.alloc(900) }))
  }
  let number = 0
  while (
    await append(number, 0).then(
      () => true,
      () => false,
    )
  )
    number++
  const bytesAtShed = spool.depth().bytes
  while (
    await append(number, 1).then(
      () => true,
      () => false,
    )
  )
    number++
  expect(bytesAtShed).toBeGreaterThan(33_000)
  expect(bytesAtShed).toBeLessThanOrEqual(36_000)
  expect(spool.depth().bytes).toBeGreaterThan(38_000)
  expect(spool.depth().bytes).toBeLessThanOrEqual(40_000)
  await expect(append(number, 1)).rejects.toMatchObject({ code: 'SPOOL_FULL' })
  expect(observe.of('gateway.degraded')).toMatchObject([{ code: 'SPOOL_FULL' }])

  for (const entry of await readAll(spool)) entry.settle('delivered')
  await clock.advance(1_000) // the cursor is written, and the segments go
  await clock.advance(1_000)
  expect(observe.of('gateway.recovered')).toMatchObject([{ code: 'SPOOL_FULL' }])
  await append(number, 0)
  expect(spool.depth().messages).toBe(1)
  await spool.stop()
})

test('a segment is deleted when its last record is settled, whatever the order', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs, segmentBytes: 1_000 })
  for (let n = 0; n < 32; n++) await spool.append(toReading(n))
  const segments = () => [...fs.files.keys()].filter((path) => path.endsWith('.seg')).length
  const before = segments()
  expect(before).toBeGreaterThan(3)
  const entries = await readAll(spool)
  for (const entry of entries.slice(1).reverse()) entry.settle('delivered')
  await settled()
  expect(segments(), 'the first, the one in use, and the one made ready').toBe(3)
  entries[0]!.settle('delivered')
  await spool.stop()
  expect(segments()).toBe(0)
})

test('the next segment is made, and the last one closed, while no acknowledgement waits for it', async () => {
  const fs = createMemoryFs()
  const calls: string[] = []
  fs.fault = (call, path) => void calls.push(`${call} ${path.split('/').at(-1)}`)
  const spool = await started({ fs, segmentBytes: 1_000 })
  let number = 0
  const sizeOf = (name: string) => fs.files.get(`/spool/${name}`)?.length ?? 0
  while (sizeOf('000002.seg') === 0) await spool.append(toReading(number++))
  await settled()
  let during: string[] = []
  while (!during.includes('write 000002.seg')) {
    calls.length = 0
    await spool.append(toReading(number++))
    during = [...calls]
  }
  expect(during.slice(0, 2), 'what came before the first acknowledgement from it').toEqual(['write 000002.seg', 'datasync 000002.seg'])
  await spool.stop()
})

test('a backlog beyond the memory window comes from disk, in order and whole, and appends go on meanwhile', async () => {
  const spool = await started({ maxBytes: 64 * 1024 ** 2, segmentBytes: 256 * 1024 })
  const append = (number: number) => spool.append(toReading(number, { payload: Buffer.alloc(120_000, number) }))
  const total = 200
  let appended = 0
  while (appended < 120) await append(appended++)
  let next = 0
  for await (const entry of readSpool(spool, new AbortController().signal)) {
    expect(Number(entry.message.id)).toBe(next)
    expect(entry.message.payload.at(-1)).toBe(next)
    next++
    if (appended < total) await append(appended++)
    if (next === total) break
  }
  await spool.stop()
})

test('records larger than one read from disk are read', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs, maxBytes: 64 * 1024 ** 2 })
  const payload = Buffer.alloc(3_000_000, 7)
  for (const n of [1, 2, 3]) await spool.append(toReading(n, { payload }))
  await spool.stop()
  const again = await started({ fs, maxBytes: 64 * 1024 ** 2 })
  const entries = await readAll(again)
  expect(numbersOf(entries)).toEqual([1, 2, 3])
  expect(Buffer.compare(Buffer.from(entries[2]!.message.payload), payload)).toBe(0)
  await again.stop()
})

test('a message older than the age limit is handed out as expired, and still has to be settled', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const spool = await started({ fs, clock, maxAgeMs: 6_000 })
  await spool.append(toReading(1, { receivedAt: clock.now() }))
  await clock.advance(5_000)
  await spool.append(toReading(2, { receivedAt: clock.now() }))
  await clock.advance(2_000)
  const entries = await readAll(spool)
  expect(entries.map(({ expired }) => expired === true)).toEqual([true, false])
  expect(spool.depth().messages).toBe(2)
  await spool.stop()
})

test('after a crash, what was settled before the last cursor does not come back', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const observe = createSpyObserve()
  const spool = await started({ fs, clock, observe })
  await Promise.all([1, 2, 3, 4].map((n) => spool.append(toReading(n))))
  const entries = await readAll(spool)
  entries[0]!.settle('delivered')
  entries[2]!.settle('delivered')
  await clock.advance(250)
  while (!fs.files.has('/spool/cursor')) await settled()
  await settled()
  entries[1]!.settle('delivered')
  const again = await started({ fs: fs.crash(() => 0.9), clock })
  expect(numbersOf(await readAll(again))).toEqual([2, 4])
  await again.stop()
})

test('a cursor that cannot be written is told, costs only duplicates, and is written at the next chance', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const observe = createSpyObserve()
  const spool = await started({ fs, clock, observe })
  await Promise.all([1, 2].map((n) => spool.append(toReading(n))))
  const [first] = await readAll(spool)
  first!.settle('delivered')
  fs.fault = (call, path) => (call === 'write' && path.includes('cursor') ? errno('EIO') : undefined)
  await clock.advance(250)
  expect(await observe.next('spool.failed')).toMatchObject({ code: 'EIO', detail: expect.stringContaining('cursor') })
  fs.fault = () => undefined
  await spool.stop()
  const again = await started({ fs })
  expect(numbersOf(await readAll(again))).toEqual([2])
  await again.stop()
})

test('damage that appears while the spool runs is skipped, told, taken off the depth, and the file is kept', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs })
  for (const n of [1, 2, 3]) await spool.append(toReading(n))
  await spool.stop()
  const observe = createSpyObserve()
  const again = await started({ fs, observe })
  expect(again.depth().messages).toBe(3)
  const path = [...fs.files.keys()].find((name) => name.endsWith('.seg'))!
  fs.overwrite(path, 16 + 60, Buffer.from('????'))
  const found: number[] = []
  for await (const entry of readSpool(again, new AbortController().signal)) {
    found.push(Number(entry.message.id))
    entry.settle('delivered')
    if (again.depth().messages === 0) break
  }
  expect(found).toEqual([2, 3])
  expect(again.depth()).toEqual({ messages: 0, bytes: 0 })
  expect(observe.of('spool.corrupted')).toMatchObject([{ detail: path }])
  await again.stop()
  expect(fs.files.has(`${path}.corrupt`)).toBe(true)
})

test('a disk that cannot be read is tried again until it can', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const first = await started({ fs })
  await first.append(toReading(1))
  await first.stop()
  const observe = createSpyObserve()
  const spool = await started({ fs, clock, observe })
  fs.fault = (call) => (call === 'read' ? errno('EIO') : undefined)
  const entries = readSpool(spool, new AbortController().signal)[Symbol.asyncIterator]()
  const next = entries.next()
  await observe.next('spool.failed')
  fs.fault = () => undefined
  await settled()
  await clock.advance(1_000)
  expect((await next).value.message.id).toBe(toReading(1).id)
  await spool.stop()
})

test('stop makes safe what was appended before it, without waiting for anyone to settle', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs })
  const appended = [1, 2].map((n) => spool.append(toReading(n)))
  await spool.stop()
  await Promise.all(appended)
  const again = await started({ fs })
  expect(again.depth().messages).toBe(2)
  const entries = await readAll(again)
  await again.stop()
  entries[0]!.settle('delivered')
  expect((await started({ fs })).depth().messages).toBe(2)
})

test('a directory that another spool holds is refused with one sentence', async () => {
  const fs = createMemoryFs()
  const spool = await started({ fs })
  await expect(started({ fs })).rejects.toMatchObject({ code: 'SPOOL_LOCKED' })
  await spool.stop()
  await (await started({ fs })).stop()
})

test('a directory that cannot be made fails the start, and stop is still safe', async () => {
  const fs = createMemoryFs()
  fs.fault = (call) => (call === 'makeDir' ? errno('EACCES') : undefined)
  const spool = createFileSpool(toOptions({ fs }))
  await expect(spool.start()).rejects.toMatchObject({
    code: 'DATA_DIR_UNUSABLE',
    message: expect.stringMatching(/^the spool directory \/spool cannot be used: EACCES/),
  })
  await spool.stop()
})

test('a message no record can hold is refused for good', async () => {
  const spool = await started()
  await expect(spool.append(toReading(1, { topic: 'x'.repeat(70_000) }))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
  await spool.stop()
})

test('the configuration has defaults for everything', () => {
  expect(fileSpoolSchema.parse({ kind: 'file' })).toEqual({ kind: 'file', maxBytes: 1024 ** 3, segmentBytes: 64 * 1024 ** 2 })
  expect(fileSpoolSchema.safeParse({ kind: 'file', maxByte: 1 }).success).toBe(false)
})

test('large messages are handed out a few at a time, so that what is in flight fits into memory', async () => {
  const spool = await started({ maxBytes: 1024 ** 3 })
  for (let number = 0; number < 6; number++) await spool.append(toReading(number, { payload: Buffer.alloc(8 * 1024 ** 2) }))
  const handedOut: Entry[] = []
  const stop = new AbortController()
  const reading = (async () => {
    for await (const entry of readSpool(spool, stop.signal)) handedOut.push(entry)
  })()
  const handed = async (count: number) => {
    while (handedOut.length < count) await settled()
    for (let turn = 0; turn < 20; turn++) await settled()
    return handedOut.length
  }
  expect(await handed(4)).toBe(4)
  handedOut[0]!.settle('delivered')
  expect(await handed(5)).toBe(5)
  for (const entry of handedOut.slice(1)) entry.settle('delivered')
  expect(await handed(6)).toBe(6)
  stop.abort()
  await reading
  await spool.stop()
})

test('what a rule republishes is taken beyond the limit, up to twice of it', async () => {
  const spool = await started({ maxBytes: 4_096 })
  const fill = async (hops: number) => {
    for (let n = 1; ; n++) {
      const refused = await spool.append({ ...toReading(n), hops }).then(
        () => undefined,
        (error) => error,
      )
      if (refused) return refused
    }
  }
  expect(await fill(0)).toMatchObject({ code: 'SPOOL_FULL' })
  const { bytes } = spool.depth()
  expect(await fill(1)).toMatchObject({ code: 'SPOOL_FULL' })
  expect(spool.depth().bytes).toBeGreaterThan(1.8 * bytes)
  expect(spool.depth().bytes).toBeLessThan(8_192)
  await spool.stop()
})

test('damage in the segment in use, from which the reader went on in memory, is written off when it ends', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const spool = await started({ fs, clock, segmentBytes: 4096, windowBytes: 1 })
  const { signal } = new AbortController()
  const settleOne = async () => {
    await spool.ready(signal)
    spool.take()!.settle('delivered')
  }
  for (let n = 1; n <= 5; n++) await spool.append(toReading(n))
  fs.overwrite('/spool/000001.seg', 316, Buffer.from('xx'))
  for (let n = 1; n <= 4; n++) await settleOne()
  for (let n = 6; n <= 60; n++) {
    await spool.append(toReading(n))
    await settleOne()
  }
  await settled()
  expect(spool.depth()).toEqual({ messages: 0, bytes: 0 })
  expect(fs.files.has('/spool/000001.seg')).toBe(false)
  await spool.stop()
})

test('a spool that is full and cannot write is well again when neither is so', async () => {
  const fs = createMemoryFs()
  const observe = createObserve()
  const health = createHealth(observe)
  const clock = createManualClock()
  const spool = await started({ fs, observe, maxBytes: 8192, segmentBytes: 2048, clock })
  const aBig = (n: number) => ({ ...toReading(n), payload: Buffer.alloc(1500) })
  let taken = 0
  while (
    await spool.append(aBig(taken)).then(
      () => true,
      () => false,
    )
  )
    taken++
  fs.fault = (call) => (call === 'write' ? errno('ENOSPC') : undefined)
  await expect(spool.append({ ...toReading(900), payload: Buffer.alloc(1) })).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
  await expect(spool.append(aBig(901))).rejects.toMatchObject({ code: 'SPOOL_FULL' })
  expect(health()).toMatchObject({ status: 'degraded', reasons: ['SPOOL_FULL', 'SPOOL_FAILED'] })
  fs.fault = () => undefined
  for (const entry of await readAll(spool)) entry.settle('delivered')
  await settled()
  await spool.append(toReading(910))
  await clock.advance(1_000) // the cursor is written, and the segments go
  await clock.advance(1_000)
  expect(health().status).toBe('ok')
  await spool.stop()
})

test('a disk that fails every other write for 10 s is one degradation, and healthy only after a quiet second', async () => {
  const fs = createMemoryFs()
  const observe = createObserve()
  const health = createHealth(observe)
  const events: string[] = []
  observe.listen((event) => void (event.startsWith('gateway.') && events.push(event)))
  const clock = createManualClock()
  const spool = await started({ fs, observe, clock })
  let kept = 0
  for (let i = 0; i < 1_000; i++) {
    fs.fault = (call) => (i % 2 === 0 && call === 'write' ? errno('ENOSPC') : undefined)
    await spool.append(toReading(i)).then(
      () => kept++,
      () => undefined,
    )
    expect(health()).toEqual({ status: 'degraded', reasons: ['SPOOL_FAILED'] })
    await clock.advance(10)
  }
  expect(kept).toBe(500)
  expect(events).toEqual(['gateway.degraded'])
  await clock.advance(989)
  expect(health().status).toBe('degraded')
  await clock.advance(1)
  expect(health().status).toBe('ok')
  expect(events).toEqual(['gateway.degraded', 'gateway.recovered'])
  await spool.stop()
})

test('a segment that was read back is not kept open when the reader has caught up', async () => {
  const fs = createMemoryFs()
  let open = 0
  const counting: MemoryFs = {
    ...fs,
    async open(path, flags) {
      const file = await fs.open(path, flags)
      if (flags !== 'r' || !path.endsWith('.seg')) return file
      open++
      return {
        ...file,
        close() {
          open--
          return file.close()
        },
      }
    },
  }
  const spool = await started({ fs: counting, windowBytes: 1 })
  await Promise.all([1, 2, 3, 4, 5].map((n) => spool.append(toReading(n))))
  expect(numbersOf(await readAll(spool))).toEqual([1, 2, 3, 4, 5])
  await settled()
  expect(open).toBe(0)
  await spool.stop()
})
