// What the disk lost: found, counted exactly where the sequences tell it, reported once, and given back when the files come back.
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHealth } from '../../../gateway/observe/health.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { nodeFs } from '../../../gateway/spool/fs.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { createManualClock, type ManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs, errno, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const dir = '/data/spool'
const total = 60
const signal = new AbortController().signal

/** One life of a spool whose segments hold eight records or so. */
async function open(fs: MemoryFs, clock: ManualClock = createManualClock(), windowBytes = 1) {
  const observe = createSpyObserve()
  const losses = createLosses({ clock, observe, disk: { fs, dir: '/data' } })
  await losses.start()
  const spool = createFileSpool({
    ...{ dir, maxBytes: 1024 ** 2, segmentBytes: 1_500, windowBytes, clock, observe, fs },
    losses: losses.place('spool'),
  })
  await spool.start()
  const stop = async () => {
    await spool.stop()
    await losses.stop()
  }
  /** Settles all there is; the numbers of the messages. */
  const drain = async () => {
    const numbers: number[] = []
    while (spool.depth().messages > 0 && (await spool.ready(signal))) {
      for (let entry = spool.take(); entry; entry = spool.take()) {
        numbers.push(Number(entry.message.id))
        entry.settle('delivered')
      }
    }
    return numbers
  }
  return { fs, clock, observe, losses, spool, stop, drain }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const append = (spool: { append(message: ReturnType<typeof toReading>): Promise<void> }, from: number, to: number) =>
  numbers(from, to).reduce((before, n) => before.then(() => spool.append(toReading(n))), Promise.resolve())

/** A disk on which 60 messages wait in several segments. */
async function written(stopped = true) {
  const fs = createMemoryFs()
  const life = await open(fs)
  await append(life.spool, 1, total)
  await life.clock.advance(250)
  if (stopped) await life.stop()
  const segments = [...fs.files.keys()].filter((path) => path.endsWith('.seg')).sort()
  expect(segments.length).toBeGreaterThan(4)
  return { life, segments, fs: stopped ? fs : fs.crash(() => 0.9) }
}

type Damage = (fs: MemoryFs, segments: readonly string[]) => unknown

const truncate = async (fs: MemoryFs, path: string, length: number) => {
  const file = await fs.open(path, 'r+')
  await file.truncate(length)
  await file.datasync()
}
const sizeOf = (fs: MemoryFs, path: string) => fs.files.get(path)!.length

const put = async (fs: MemoryFs, path: string, bytes: Buffer) => {
  const file = await fs.open(path, 'w')
  await file.write(bytes, 0)
  await file.datasync()
}
const copy = (fs: MemoryFs, from: string, to: string) => put(fs, to, Buffer.from(fs.files.get(from)!))

const damages: readonly (readonly [name: string, damage: Damage, reason: RegExp])[] = [
  ['a middle segment is missing', (fs, segments) => fs.remove(segments[2]!), /000003\.seg is missing/],
  [
    'two middle segments are missing',
    (fs, segments) => Promise.all([1, 3].map((i) => fs.remove(segments[i]!))),
    /000002\.seg is missing, 000004/,
  ],
  ['a middle segment is empty', (fs, segments) => truncate(fs, segments[2]!, 0), /000003\.seg is empty/],
  ['a middle segment has nothing but its header', (fs, segments) => truncate(fs, segments[2]!, 16), /after 000002\.seg/],
  [
    'a middle segment is cut',
    (fs, segments) => truncate(fs, segments[2]!, Math.floor(sizeOf(fs, segments[2]!) / 2)),
    /000003\.seg is damaged/,
  ],
  [
    'the end of a middle segment is zero',
    (fs, segments) => fs.overwrite(segments[2]!, 700, Buffer.alloc(sizeOf(fs, segments[2]!) - 700)),
    /000003\.seg/,
  ],
  ['a record is damaged', (fs, segments) => fs.overwrite(segments[2]!, 300, Buffer.from('????')), /000003\.seg is damaged/],
  ['a header is damaged', (fs, segments) => fs.overwrite(segments[2]!, 2, Buffer.from('?')), /000003\.seg has no readable header/],
  ['the first segment is missing', (fs, segments) => fs.remove(segments[0]!), /000001\.seg is missing/],
  ['the last segment is missing', (fs, segments) => fs.remove(segments.at(-1)!), /messages \d+ to 60 are missing|is missing/],
  ['the last segment is cut', (fs, segments) => truncate(fs, segments.at(-1)!, 200), /messages \d+ to 60 are missing|damaged/],
  ['the last segment is empty', (fs, segments) => truncate(fs, segments.at(-1)!, 0), /messages \d+ to 60 are missing|empty/],
  [
    'a segment is a copy of the one before',
    (fs, segments) => copy(fs, segments[1]!, segments[2]!),
    /000003\.seg holds the records of another/,
  ],
  ['a segment is a copy of the one after', (fs, segments) => copy(fs, segments[3]!, segments[2]!), /holds the records of another/],
  [
    'two segments have changed places',
    async (fs, segments) => {
      const third = Buffer.from(fs.files.get(segments[2]!)!)
      await copy(fs, segments[1]!, segments[2]!)
      await put(fs, segments[1]!, third)
    },
    /holds the records of another/,
  ],
  ['every segment is missing', (fs, segments) => Promise.all(segments.map((path) => fs.remove(path))), /messages 1 to 60 are missing/],
]

test.each(damages)('%s: the loss is counted exactly, once, and survives restarts', async (_, damage, reason) => {
  const { fs, segments } = await written()
  await damage(fs, segments)
  const first = await open(fs)
  const [loss] = first.losses.list()
  const left = first.spool.depth().messages
  expect(loss).toMatchObject({ place: 'spool', count: total - left, exact: true })
  expect(loss!.count).toBeGreaterThan(0)
  expect(loss!.detail).toMatch(reason)
  expect(first.observe.of('message.lost')).toMatchObject([{ place: 'spool', count: total - left }])
  expect(first.observe.of('gateway.degraded')).toMatchObject([{ code: 'MESSAGES_LOST', detail: expect.stringMatching(reason) }])
  await first.stop()

  const second = await open(fs)
  expect(second.losses.list()).toEqual(first.losses.list())
  expect(second.losses.total()).toEqual({ lost: total - left, before: total - left })
  expect(second.observe.of('message.lost')).toEqual([])
  expect(second.observe.of('gateway.degraded')).toHaveLength(1)
  const delivered = await second.drain()
  expect(delivered).toHaveLength(left)
  await second.spool.append(toReading(total + 1))
  await second.stop()

  const third = await open(fs)
  expect(third.losses.list()).toEqual(first.losses.list())
  expect(await third.drain()).toEqual([total + 1])
  await third.stop()
})

test.each(damages)('after a crash, %s: no message is lost without a report', async (_, damage) => {
  const { fs, segments } = await written(false)
  await damage(fs, segments)
  const { losses, spool, stop } = await open(fs)
  expect(losses.total().lost).toBe(total - spool.depth().messages)
  expect(losses.total().lost).toBeGreaterThan(0)
  await stop()
})

test.each([true, false])('a copy of a segment under a new number is set aside, and nothing is lost (stopped: %s)', async (stopped) => {
  const { fs, segments } = await written(stopped)
  await copy(fs, segments[1]!, `${dir}/000999.seg`)
  const { losses, observe, stop, drain } = await open(fs)
  expect(losses.list()).toEqual([])
  expect(observe.of('spool.corrupted')).toMatchObject([{ detail: expect.stringContaining('000999.seg.corrupt') }])
  expect(await drain()).toEqual(numbers(1, total))
  await stop()
})

test('a copy in place of a segment whose messages were partly in flight: each message is delivered once or counted', async () => {
  const fs = createMemoryFs()
  const life = await open(fs)
  await append(life.spool, 1, total)
  const left: number[] = []
  for (let entry = life.spool.take(); entry; entry = (await life.spool.ready(signal)) ? life.spool.take() : undefined) {
    if (Number(entry.message.id) % 5 === 0) left.push(Number(entry.message.id))
    else entry.settle('delivered')
    if (Number(entry.message.id) === total) break
  }
  await life.clock.advance(1_000)
  await life.stop()
  const segments = [...fs.files.keys()].filter((path) => path.endsWith('.seg')).sort()
  await copy(fs, segments[1]!, segments[2]!)
  const next = await open(fs)
  const delivered = await next.drain()
  expect(new Set(delivered).size).toBe(delivered.length)
  expect(left).toEqual(expect.arrayContaining(delivered))
  expect(next.losses.total().lost).toBe(left.length - delivered.length)
  expect(next.losses.total().lost).toBeGreaterThan(0)
  await next.stop()
})

test('a crash loses nothing: a torn end, a segment made ready and segments settled since the last cursor are no losses', async () => {
  const fs = createMemoryFs()
  const life = await open(fs, createManualClock(), 1024 ** 2)
  await append(life.spool, 1, 40)
  const delivered = await life.drain()
  expect(delivered).toEqual(numbers(1, 40))
  await append(life.spool, 41, 50)
  const again = await open(fs.crash(() => 0.9))
  expect(again.losses.list()).toEqual([])
  await again.stop()
})

test('after a crash, what was in flight and is missing is counted', async () => {
  const fs = createMemoryFs()
  const { spool, clock } = await open(fs, createManualClock(), 1024 ** 2)
  await append(spool, 1, 20)
  await spool.ready(signal)
  const entries = numbers(1, 20).map(() => spool.take()!)
  for (const entry of entries) if (![2, 5].includes(Number(entry.message.id))) entry.settle('delivered')
  await clock.advance(250)
  const disk = fs.crash(() => 0.9)
  await disk.remove(`${dir}/000001.seg`)
  const again = await open(disk)
  expect(again.losses.list()).toMatchObject([{ count: 2, exact: true, detail: expect.stringContaining('000001.seg is missing') }])
  await again.stop()
})

test('the end of the disk is missing after a crash: the number is a lower bound', async () => {
  const { fs, segments } = await written(false)
  await fs.remove(segments.at(-1)!)
  const { losses, stop } = await open(fs)
  expect(losses.list()).toMatchObject([{ exact: false, detail: expect.stringContaining('at least') }])
  await stop()
})

test.each(['EISDIR', 'EACCES', 'EIO'])(
  'a segment that answers %s stays where it is, and a start that can read it takes the loss back',
  async (code) => {
    const { fs, segments } = await written()
    const clock = createManualClock()
    fs.fault = (call, path) => (path === segments[2] && ['open', 'remove', 'read'].includes(call) ? errno(code) : undefined)
    const first = await open(fs, clock)
    const lost = first.losses.total().lost
    expect(lost).toBe(total - first.spool.depth().messages)
    expect(first.losses.list()).toMatchObject([{ exact: true, detail: expect.stringContaining(`000003.seg cannot be read (${code})`) }])
    const before = await first.drain()
    await first.stop()
    fs.fault = () => undefined
    const second = await open(fs, clock)
    expect(second.losses.total()).toEqual({ lost: 0, before: 0 })
    expect(second.observe.of('gateway.recovered')).toMatchObject([{ code: 'MESSAGES_LOST' }])
    expect([...before, ...(await second.drain())].sort((a, b) => a - b)).toEqual(numbers(1, total))
    await second.stop()
    expect([...fs.files.keys()].filter((path) => path.endsWith('.seg'))).toEqual([])
  },
)

test('a message in a file that was set aside and put back is delivered, and not counted twice', async () => {
  const { fs, segments } = await written()
  const good = Buffer.from(fs.files.get(segments[2]!)!)
  fs.overwrite(segments[2]!, 2, Buffer.from('?'))
  const first = await open(fs)
  const lost = first.losses.total().lost
  const delivered = await first.drain()
  await first.stop()
  await fs.rename(`${segments[2]}.corrupt`, segments[2]!)
  fs.overwrite(segments[2]!, 0, good)
  const second = await open(fs)
  expect(second.losses.list()).toEqual([])
  const restored = await second.drain()
  expect(restored).toHaveLength(lost)
  expect([...delivered, ...restored].sort((a, b) => a - b)).toEqual(numbers(1, total))
  await second.stop()
})

test('a missing cursor is reported: everything is delivered again, and what is missing before it is unknown', async () => {
  const { fs } = await written()
  await fs.remove(`${dir}/cursor`)
  await fs.remove(`${dir}/cursor.2`)
  const { losses, drain, stop } = await open(fs)
  expect(losses.list()).toMatchObject([{ count: 0, exact: false, detail: expect.stringMatching(/unknown number.*the cursor is missing/) }])
  expect(await drain()).toEqual(numbers(1, total))
  await stop()
})

test('a damaged cursor is reported', async () => {
  const { fs } = await written()
  for (const name of ['cursor', 'cursor.2']) fs.overwrite(`${dir}/${name}`, 12, Buffer.from('????'))
  const { losses, drain, stop } = await open(fs)
  expect(losses.list()).toMatchObject([{ count: 0, exact: false, detail: expect.stringContaining('the cursor is damaged') }])
  expect(await drain()).toEqual(numbers(1, total))
  await stop()
})

test('a segment that vanishes while the spool runs is reported within a second, and delivery goes on behind it', async () => {
  const life = await open(createMemoryFs())
  await append(life.spool, 1, total)
  await life.fs.remove(`${dir}/000003.seg`)
  await life.clock.advance(1_000)
  const [loss] = life.losses.list()
  expect(loss).toMatchObject({ exact: true, detail: expect.stringContaining('000003.seg is missing') })
  expect(life.spool.depth().messages).toBe(total - loss!.count)
  const delivered = await life.drain()
  expect(delivered).toHaveLength(total - loss!.count)
  expect(life.losses.total()).toEqual({ lost: loss!.count, before: 0 })
  await life.stop()
  const again = await open(life.fs)
  expect(again.losses.total()).toEqual({ lost: loss!.count, before: loss!.count })
  expect(again.spool.depth()).toMatchObject({ messages: 0, bytes: 0 })
  await again.stop()
})

test('the segment in use vanishes: the next messages go into a new one, and what was in memory is delivered', async () => {
  const life = await open(createMemoryFs(), createManualClock(), 1024 ** 2)
  await append(life.spool, 1, 3)
  await life.fs.remove(`${dir}/000001.seg`)
  await life.clock.advance(1_000)
  await append(life.spool, 4, 6)
  const { losses, drain, stop } = await open(life.fs.crash(() => 0.9))
  expect(losses.list()).toMatchObject([{ count: 3, exact: true }])
  expect(await drain()).toEqual([4, 5, 6])
  await stop()
})

test('cursor files that vanish while the spool runs are written again', async () => {
  const life = await open(createMemoryFs())
  await append(life.spool, 1, 3)
  for (const name of ['cursor', 'cursor.2']) await life.fs.remove(`${dir}/${name}`)
  await life.clock.advance(2_500)
  expect([...life.fs.files.keys()]).toEqual(expect.arrayContaining([`${dir}/cursor`, `${dir}/cursor.2`]))
  await life.stop()
})

test('a segment that cannot be read while the spool runs is tried ten times, then delivery goes on behind it; a restart reads it again', async () => {
  const life = await open(createMemoryFs())
  await append(life.spool, 1, total)
  const path = `${dir}/000003.seg`
  life.fs.fault = (call, which) => (which === path && ['open', 'read'].includes(call) ? errno('EIO') : undefined)
  const draining = life.drain()
  for (let i = 0; i < 12; i++) await life.clock.advance(1_000)
  const delivered = await draining
  const { lost } = life.losses.total()
  expect(delivered).toHaveLength(total - lost)
  expect(life.losses.list()).toMatchObject([{ exact: true, detail: expect.stringContaining('000003.seg cannot be read (EIO)') }])
  await life.stop()
  life.fs.fault = () => undefined
  const again = await open(life.fs)
  expect(again.losses.total().lost).toBe(0)
  expect([...delivered, ...(await again.drain())].sort((a, b) => a - b)).toEqual(numbers(1, total))
  await again.stop()
})

test('a loss degrades health until a person confirms it; the confirmation survives a restart and the count stays', async () => {
  const { fs, segments } = await written()
  await fs.remove(segments[2]!)
  const start = async () => {
    const observe = createObserve()
    const health = createHealth(observe)
    const clock = createManualClock()
    const losses = createLosses({ clock, observe, disk: { fs, dir: '/data' } })
    await losses.start()
    const spool = createFileSpool({
      ...{ dir, maxBytes: 1024 ** 2, segmentBytes: 1_500, clock, observe, fs },
      losses: losses.place('spool'),
    })
    await spool.start()
    return { health, losses, spool }
  }
  const first = await start()
  const { lost } = first.losses.total()
  expect(first.health()).toMatchObject({ status: 'degraded', reasons: ['MESSAGES_LOST'] })
  expect(first.health().details).toMatchObject({
    MESSAGES_LOST: expect.stringMatching(/acknowledged messages were lost in spool, found at 2026.*000003\.seg/),
  })
  expect(await first.losses.confirm()).toBe(1)
  expect(first.health()).toEqual({ status: 'ok', reasons: [] })
  expect(first.losses.total().lost).toBe(lost)
  await first.spool.stop()
  const second = await start()
  expect(second.health().status).toBe('ok')
  expect(second.losses.list()).toMatchObject([{ count: lost, confirmedAt: '2026-01-01T00:00:00.000Z' }])
  expect(await second.losses.confirm()).toBe(0)
  await second.spool.stop()
})

test('a confirmation that cannot be written is refused, and health stays degraded', async () => {
  const { fs, segments } = await written()
  await fs.remove(segments[2]!)
  const { losses, stop } = await open(fs)
  await settled()
  fs.fault = (call, path) => (call === 'write' && path.includes('losses') ? errno('ENOSPC') : undefined)
  await expect(losses.confirm()).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
  expect(losses.list()[0]!.confirmedAt).toBeUndefined()
  fs.fault = () => undefined
  expect(await losses.confirm()).toBe(1)
  await stop()
})

test('an account of losses that cannot be written is tried again', async () => {
  const { fs, segments, life } = await written()
  await fs.remove(segments[2]!)
  fs.fault = (call, path) => (call === 'open' && path.includes('losses') ? errno('ENOSPC') : undefined)
  const first = await open(fs)
  await settled()
  expect(first.observe.of('spool.failed')[0]).toMatchObject({ code: 'ENOSPC', detail: expect.stringContaining('losses') })
  fs.fault = () => undefined
  await first.clock.advance(1_000)
  const again = await open(
    fs.crash(() => 0.9),
    life.clock,
  )
  expect(again.losses.total().lost).toBe(first.losses.total().lost)
  await again.stop()
})

test.each([
  ['whole', async () => {}, numbers(13, 30).concat([8, 10]), undefined],
  ['a middle segment is missing', (at: string) => rm(join(at, 'spool/000003.seg')), undefined, /unknown number.*000003\.seg is missing/],
  [
    'a middle segment is a directory',
    (at: string) => rm(join(at, 'spool/000003.seg')).then(() => mkdir(join(at, 'spool/000003.seg'))),
    undefined,
    /000003\.seg cannot be read/,
  ],
])('a directory of version 0.1 is read: %s', async (_, damage, expected, reason) => {
  const at = await mkdtemp(join(tmpdir(), 'weir-old-'))
  await cp(join(import.meta.dirname, '../../cases/data-0.1'), at, { recursive: true })
  await damage(at)
  const observe = createSpyObserve()
  const clock = createManualClock()
  const start = async () => {
    const losses = createLosses({ clock, observe, disk: { fs: nodeFs, dir: at } })
    await losses.start()
    const spool = createFileSpool({ ...{ dir: join(at, 'spool'), maxBytes: 1024 ** 2, clock, observe }, losses: losses.place('spool') })
    await spool.start()
    const stop = () => spool.stop().then(() => losses.stop())
    return { losses, spool, stop }
  }
  const first = await start()
  const left = first.spool.depth().messages
  if (reason) expect(first.losses.list()).toMatchObject([{ detail: expect.stringMatching(reason), exact: false }])
  else expect(first.losses.list()).toEqual([])
  await first.spool.append(toReading(31))
  await first.stop()
  const second = await start()
  const delivered: number[] = []
  while (second.spool.depth().messages > 0 && (await second.spool.ready(signal))) {
    for (let entry = second.spool.take(); entry; entry = second.spool.take()) {
      delivered.push(Number(entry.message.id))
      entry.settle('delivered')
    }
  }
  expect(delivered).toHaveLength(left + 1)
  if (expected) expect(delivered.sort((a, b) => a - b)).toEqual([...expected, 31].sort((a, b) => a - b))
  await second.stop()
  expect((await readdir(join(at, 'spool'))).filter((name) => name.endsWith('.seg') && !reason)).toEqual([])
  await rm(at, { recursive: true })
})

test('a directory that is renamed keeps its losses: they are counted once, and found again when the file comes back', async () => {
  const { fs, segments } = await written()
  const content = Buffer.from(fs.files.get(segments[2]!)!)
  await fs.remove(segments[2]!)
  const first = await open(fs)
  const { lost } = first.losses.total()
  expect(lost).toBeGreaterThan(0)
  await first.losses.rename('spool', 'moved')
  await first.stop()

  const clock = createManualClock()
  const losses = createLosses({ clock, observe: createSpyObserve(), disk: { fs, dir: '/data' } })
  await losses.start()
  expect(losses.list()).toMatchObject([{ place: 'moved', count: lost, detail: expect.stringContaining('lost in moved') }])
  const back = await fs.open(segments[2]!, 'w')
  await back.write(content, 0)
  await back.datasync()
  await back.close()
  const observe = createSpyObserve()
  const spool = createFileSpool({ dir, maxBytes: 1024 ** 2, segmentBytes: 1_500, clock, observe, fs, losses: losses.place('moved') })
  await spool.start()
  expect(losses.total()).toMatchObject({ lost: 0 })
  await spool.stop()
  await losses.stop()
})
