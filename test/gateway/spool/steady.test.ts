// Steps of the wall clock: two hours forwards and two hours back expire nothing, and nothing lives longer for it.
import { expect, test } from 'vitest'
import { createMemory } from '../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../gateway/broker/routes.ts'
import { createFileJournal } from '../../../gateway/broker/sessions/journal.ts'
import { createSessions } from '../../../gateway/broker/sessions/sessions.ts'
import { createTenants } from '../../../gateway/consume/tenants.ts'
import { createLog } from '../../../gateway/observe/log.ts'
import { createDirectSpool } from '../../../gateway/spool/direct.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { openSteadyClock } from '../../../gateway/spool/steady.ts'
import { createManualClock, type ManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const hours = 3_600_000
const steps = [
  ['forwards', 2 * hours],
  ['back', -2 * hours],
] as const
const signal = new AbortController().signal

async function openSessions(fs: MemoryFs, clock: ManualClock) {
  const observe = createSpyObserve()
  const steady = await openSteadyClock({ clock, observe, disk: { fs, dir: '/data' } })
  const routes = createRoutes()
  const sessions = createSessions({
    ...{ memory: createMemory(1_000_000), maxQueued: 10, maxRetained: 2, messageExpirySeconds: (asked: number) => asked },
    ...{ routes, clock, observe, steady },
    journal: (journaled) =>
      createFileJournal({
        journaled,
        dir: '/data/sessions',
        salt: 1,
        observe,
        fs,
        clock,
        losses: createLosses({ clock, observe }).place('sessions', 'sessions'),
      }),
  })
  await sessions.start()
  const open = () => sessions.open('away', { protocol: 5, fresh: false, expirySeconds: 3_600 })
  const stop = async () => {
    await sessions.stop()
    await steady.stop()
  }
  const keep = (number: number, seconds?: number) => {
    const properties = seconds === undefined ? {} : { properties: { messageExpiryIntervalSeconds: seconds } }
    const message = toReading(number, { topic: 'cmd/x', retain: true, receivedAt: clock.now(), ...properties })
    return sessions.keep(message, routes.match(message.topic, undefined))
  }
  return { observe, steady, sessions, open, stop, keep }
}

test.each(steps)('a step %s: a session, its queue and a retained message live their hour, not more and not less', async (_, step) => {
  const clock = createManualClock()
  const { observe, sessions, open, keep } = await openSessions(createMemoryFs(), clock)
  const opened = await open()
  await sessions.subscribe(opened.session!, [{ topic: 'cmd/#', qos: 1 }])
  opened.close(3_600)
  await keep(1, 3_600)
  clock.step(step)
  await clock.advance(0.9 * hours)
  expect(observe.of('clock.stepped')).toMatchObject([{ ms: step }])
  expect(sessions.counts).toMatchObject({ sessions: 1, queued: 1 })
  expect(sessions.retained('cmd/x')).toBeDefined()
  await clock.advance(0.2 * hours)
  expect(sessions.counts).toMatchObject({ sessions: 0, queued: 0 })
  expect(sessions.retained('cmd/x')).toBeUndefined()
})

test.each(steps)('a step %s before a restart expires nothing after it, and the time while down counts', async (_, step) => {
  const clock = createManualClock()
  const fs = createMemoryFs()
  const first = await openSessions(fs, clock)
  const opened = await first.open()
  await first.sessions.subscribe(opened.session!, [{ topic: 'cmd/#', qos: 1 }])
  opened.close(3_600)
  await first.keep(1)
  clock.step(step)
  await clock.advance(2_000)
  const disk = fs.crash(() => 0.9)
  await clock.advance(0.5 * hours)
  const second = await openSessions(disk, clock)
  await clock.advance(0.4 * hours)
  expect(second.sessions.counts).toMatchObject({ sessions: 1, queued: 1 })
  await clock.advance(0.2 * hours)
  expect(second.sessions.counts).toMatchObject({ sessions: 0, queued: 0 })
  await second.stop()
})

test('a wall clock that is set back while the gateway is down lengthens the life of a session by no more than its expiry', async () => {
  const clock = createManualClock()
  const fs = createMemoryFs()
  const first = await openSessions(fs, clock)
  ;(await first.open()).close(3_600)
  await first.stop()
  clock.step(-1_000 * hours)
  const second = await openSessions(fs, clock)
  await clock.advance(0.9 * hours)
  expect(second.sessions.counts.sessions).toBe(1)
  await clock.advance(0.2 * hours)
  expect(second.sessions.counts.sessions).toBe(0)
  await second.stop()
})

test('a record of clock steps that is damaged is reported', async () => {
  const clock = createManualClock()
  const fs = createMemoryFs()
  const disk = { fs, dir: '/data' }
  const first = await openSteadyClock({ clock, observe: createSpyObserve(), disk })
  clock.step(2 * hours)
  await clock.advance(2_000)
  await first.stop()
  fs.overwrite('/data/clock', 10, Buffer.from('????'))
  const observe = createSpyObserve()
  await openSteadyClock({ clock, observe, disk })
  expect(observe.of('spool.corrupted')).toHaveLength(1)
})

test.each(steps)('a step %s: messages in the spool keep their age', async (_, step) => {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const steady = await openSteadyClock({ clock, observe })
  const spool = createFileSpool({
    ...{ dir: '/spool', maxBytes: 1024 ** 2, maxAgeMs: hours, clock, steady, observe, fs: createMemoryFs() },
  })
  await spool.start()
  await spool.append(toReading(1, { receivedAt: clock.now() }))
  await clock.advance(0.5 * hours)
  clock.step(step)
  await spool.append(toReading(2, { receivedAt: clock.now() }))
  await clock.advance(0.4 * hours)
  await spool.append(toReading(3, { receivedAt: clock.now() }))
  await spool.ready(signal)
  expect(spool.take()).toMatchObject({ expired: false })
  await clock.advance(0.7 * hours)
  expect(spool.take()).toMatchObject({ expired: true })
  expect(spool.take()).toMatchObject({ expired: false })
  await spool.stop()
})

test.each(steps)('a step %s: a message waits for its targets as long as ackTimeoutMs says', async (_, step) => {
  const clock = createManualClock()
  const spool = createDirectSpool({ clock, maxBytes: 1_000_000, ackTimeoutMs: 30_000 })
  await spool.start()
  let refused = false
  spool.append(toReading(1)).catch(() => {
    refused = true
  })
  clock.step(step)
  await clock.advance(20_000)
  expect(refused).toBe(false)
  await clock.advance(20_000)
  expect(refused).toBe(true)
  await spool.stop()
})

test.each(steps)('a step %s: a warning is suppressed for its ten seconds', async (_, step) => {
  const clock = createManualClock()
  const lines: string[] = []
  const log = createLog({ clock, level: 'info', destination: { write: (line: string) => void lines.push(line) } })
  for (let i = 0; i < 10; i++) log.write('message.refused', { code: 'SPOOL_FULL' })
  expect(lines).toHaveLength(5)
  clock.step(step)
  log.write('message.refused', { code: 'SPOOL_FULL' })
  expect(lines).toHaveLength(5)
  await clock.advance(11_000)
  log.write('message.refused', { code: 'SPOOL_FULL' })
  expect(lines).toHaveLength(6)
})

test.each(steps)('a step %s: the share of a tenant counts for its two windows', async (_, step) => {
  const clock = createManualClock()
  const tenants = createTenants({ clock, weight: () => 1, changed: () => {} })
  const shares = () => tenants.snapshot(() => 0).map(({ share }) => share)
  tenants.received('acme', 10)
  await clock.advance(5_000)
  clock.step(step)
  expect(shares()).toEqual([1])
  await clock.advance(25_000)
  expect(shares()).toEqual([0])
})
