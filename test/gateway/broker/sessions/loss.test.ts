// What the disk lost of sessions, queued and retained messages: found at the start, counted, and kept on the account.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createMemory } from '../../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../../gateway/broker/routes.ts'
import { createFileJournal } from '../../../../gateway/broker/sessions/journal.ts'
import { createSessions } from '../../../../gateway/broker/sessions/sessions.ts'
import { nodeFs, type SpoolFs } from '../../../../gateway/spool/fs.ts'
import { createLosses } from '../../../../gateway/spool/losses.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryFs, errno, type MemoryFs } from '../../../helpers/memory-fs.ts'
import { toReading } from '../../../helpers/messages.ts'
import { createSpyObserve } from '../../../helpers/spy-observe.ts'

const path = '/data/sessions/000001.seg'

async function open(fs: SpoolFs, dir = '/data') {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const losses = createLosses({ clock, observe, disk: { fs, dir } })
  await losses.start()
  const routes = createRoutes()
  const sessions = createSessions({
    ...{ persist: true, maxQueued: 100, maxRetained: 10, messageExpirySeconds: (asked: number) => asked },
    ...{ routes, memory: createMemory(), clock, observe },
    journal: (journaled) =>
      createFileJournal({ journaled, dir: `${dir}/sessions`, salt: 1, observe, fs, clock, losses: losses.place('sessions', 'sessions') }),
  })
  await sessions.start()
  const keep = (number: number, retain = false) => {
    const message = toReading(number, { topic: 'cmd/x', retain })
    return sessions.keep(message, routes.match(message.topic, undefined))
  }
  const stop = () => sessions.stop().then(() => losses.stop())
  return { clock, observe, losses, sessions, keep, stop }
}

/** A session with ten queued messages, and a retained one. */
async function written(stopped = true): Promise<MemoryFs> {
  const fs = createMemoryFs()
  const { clock, sessions, keep, stop } = await open(fs)
  const opened = await sessions.open('away', { protocol: 5, fresh: false, expirySeconds: Number.POSITIVE_INFINITY })
  await sessions.subscribe(opened.session!, [{ topic: 'cmd/#', qos: 1 }])
  for (let number = 1; number <= 10; number++) await keep(number, number === 10)
  opened.close(Number.POSITIVE_INFINITY)
  await clock.advance(1_000)
  if (!stopped) return fs.crash(() => 0.9)
  await stop()
  return fs
}

const truncate = async (fs: MemoryFs, length: number) => {
  const file = await fs.open(path, 'r+')
  await file.truncate(length)
  await file.datasync()
}

type Damage = (fs: MemoryFs) => unknown
const unreadable = (code: string) => (fs: MemoryFs) => {
  fs.fault = (call, which) => (which === path && ['open', 'read'].includes(call) ? errno(code) : undefined)
}
const damages: readonly (readonly [name: string, damage: Damage, lost: number, reason: RegExp])[] = [
  ['is missing', (fs) => fs.remove(path), 11, /000001\.seg is missing, 1 session lost/],
  ['is empty', (fs) => truncate(fs, 0), 11, /000001\.seg is cut, 1 session lost/],
  ['is cut', (fs) => truncate(fs, 1_500), 3, /000001\.seg is cut/],
  ['ends in zeros', (fs) => fs.overwrite(path, 1_500, Buffer.alloc(fs.files.get(path)!.length - 1_500)), 3, /000001\.seg is cut/],
  ['is damaged inside', (fs) => fs.overwrite(path, 1_000, Buffer.from('????')), 1, /000001\.seg is damaged/],
  ['is a directory', unreadable('EISDIR'), 11, /000001\.seg cannot be read \(EISDIR\)/],
  ['cannot be read', unreadable('EIO'), 11, /000001\.seg cannot be read \(EIO\)/],
]

test.each(damages)('the journal %s: lost messages are counted once, and degrade health', async (_, damage, least, reason) => {
  const fs = await written()
  await damage(fs)
  const first = await open(fs)
  fs.fault = () => undefined
  const { queued, retained } = first.sessions.counts
  const [loss] = first.losses.list()
  expect(loss).toMatchObject({ place: 'sessions', count: 11 - queued - retained, exact: true, detail: expect.stringMatching(reason) })
  expect(loss!.count).toBeGreaterThanOrEqual(least)
  expect(loss!.detail).toContain('queued or retained message')
  expect(first.observe.of('gateway.degraded')).toMatchObject([{ code: 'MESSAGES_LOST' }])
  expect(first.losses.total().lost, 'they are in no ledger').toBe(0)
  await first.stop()
  const second = await open(fs)
  expect(second.losses.list()).toEqual(first.losses.list())
  expect(second.observe.of('message.lost')).toEqual([])
  await second.stop()
})

test('after a crash, a journal that is missing is reported', async () => {
  const fs = await written(false)
  await fs.remove(path)
  const { losses, stop } = await open(fs)
  expect(losses.list()).toMatchObject([{ place: 'sessions', count: 11, exact: false }])
  await stop()
})

test('a crash soon after the journal was renewed, with the old file named in the state, loses nothing', async () => {
  const fs = await written(false)
  const [state, second] = [fs.files.get('/data/sessions/state')!, fs.files.get('/data/sessions/state.2')!].map((bytes) =>
    Buffer.from(bytes),
  )
  const next = await open(fs)
  await next.stop()
  expect(fs.files.has(path), 'replaced by a newer file').toBe(false)
  await fs.overwrite('/data/sessions/state', 0, state!)
  await fs.overwrite('/data/sessions/state.2', 0, second!)
  const { losses, sessions, stop } = await open(fs)
  expect(losses.list()).toEqual([])
  expect(sessions.counts).toMatchObject({ sessions: 1, retained: 1, queued: 10 })
  await stop()
})

test('a journal that vanishes while the gateway runs is written again, and nothing is lost', async () => {
  const fs = createMemoryFs()
  const first = await open(fs)
  const opened = await first.sessions.open('away', { protocol: 5, fresh: false, expirySeconds: 3_600 })
  await first.sessions.subscribe(opened.session!, [{ topic: 'cmd/#', qos: 1 }])
  for (let number = 1; number <= 5; number++) await first.keep(number)
  for (const name of [...fs.files.keys()].filter((name) => !name.includes('lock'))) await fs.remove(name)
  await first.clock.advance(2_000)
  expect(first.observe.of('sessions.corrupted')).toHaveLength(1)
  const again = await open(fs.crash(() => 0.9))
  expect(again.sessions.counts).toMatchObject({ sessions: 1, queued: 5 })
  expect(again.losses.list()).toEqual([])
  await again.stop()
})

test('sessions of version 0.1 are read', async () => {
  const at = await mkdtemp(join(tmpdir(), 'weir-old-'))
  await cp(join(import.meta.dirname, '../../../cases/data-0.1'), at, { recursive: true })
  for (let start = 0; start < 2; start++) {
    const { sessions, losses, stop } = await open(nodeFs, at)
    expect(sessions.counts).toMatchObject({ sessions: 1, queued: 3, retained: 1 })
    expect(losses.list()).toEqual([])
    await stop()
  }
  await rm(at, { recursive: true })
})
