// Sessions on a clock of the test's own: how long they live, whose they are, and what fits into them.
import { expect, test } from 'vitest'
import { createMemory } from '../../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../../gateway/broker/routes.ts'
import type { Entry } from '../../../../gateway/broker/sessions/entry.ts'
import { createFileJournal, createMemoryJournal } from '../../../../gateway/broker/sessions/journal.ts'
import { createSessions, type Opening, type SessionsOptions } from '../../../../gateway/broker/sessions/sessions.ts'
import type { Message } from '../../../../gateway/message/message.ts'
import { createLosses } from '../../../../gateway/spool/losses.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryFs } from '../../../helpers/memory-fs.ts'
import { toReading } from '../../../helpers/messages.ts'
import { createSpyObserve } from '../../../helpers/spy-observe.ts'

const resuming: Opening = { protocol: 3, fresh: false, expirySeconds: 60 }

async function setUp({ maxBytes = 1_000_000, ...change }: Partial<SessionsOptions> & { readonly maxBytes?: number } = {}) {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const memory = createMemory(maxBytes)
  const routes = createRoutes(memory)
  const sessions = createSessions({
    ...{
      maxQueued: 10,
      maxRetained: 2,
      messageExpirySeconds: (asked: number) => Math.min(asked, 100),
    },
    ...{ routes, memory, clock, observe, journal: createMemoryJournal },
    ...change,
  })
  await sessions.start()
  const subscribed = async (clientId: string, opening = resuming) => {
    const opened = await sessions.open(clientId, opening)
    await sessions.subscribe(opened.session!, [{ topic: 'cmd/#', qos: 1 }])
    return opened
  }
  const publish = (number: number, message: Partial<Message> = {}) => {
    const whole = toReading(number, { topic: 'cmd/x', receivedAt: clock.now(), ...message })
    return sessions.keep(whole, routes.match(whole.topic, undefined))
  }
  const waiting = (clientId: string) =>
    sessions.open(clientId, resuming).then(({ session }) => [...sessions.queued(session!)].map(([{ payload }]) => `${payload}`))
  return { clock, observe, memory, routes, sessions, subscribed, publish, waiting }
}

test('a session lives as long as it was granted, counted from when its client left', async () => {
  const { clock, sessions, subscribed, publish, routes } = await setUp()
  const first = await subscribed('f-1')
  await clock.advance(600_000)
  first.close(60)
  await clock.advance(59_000)
  await publish(1)
  const second = await sessions.open('f-1', resuming)
  expect(second.present).toBe(true)
  expect([...sessions.queued(second.session!)]).toHaveLength(1)
  second.close(60)
  await clock.advance(61_000)
  expect(routes.cover('cmd/x')).toBe(false)
  expect(sessions.counts).toMatchObject({ sessions: 0, queued: 0, bytes: 0 })
  expect((await sessions.open('f-1', resuming)).present).toBe(false)
})

test('no limit: a session waits for ever', async () => {
  const { clock, sessions, subscribed } = await setUp()
  const opened = await subscribed('f-1', { ...resuming, expirySeconds: Number.POSITIVE_INFINITY })
  opened.close(Number.POSITIVE_INFINITY)
  await clock.advance(7_200_000)
  expect((await sessions.open('f-1', resuming)).present).toBe(true)
})

test.each<[string, Opening]>([
  ['a clean session', { protocol: 3, fresh: true, expirySeconds: 0 }],
  ['a clean start', { protocol: 3, fresh: true, expirySeconds: 60 }],
  ['the other version of MQTT', { protocol: 5, fresh: false, expirySeconds: 60 }],
])('%s finds nothing of the session before [MQTT-3.1.2-6]', async (_, opening) => {
  const { sessions, subscribed, publish, routes } = await setUp()
  const first = await subscribed('f-1')
  first.close(60)
  await publish(1)
  const { present } = await sessions.open('f-1', opening)
  expect(present).toBe(false)
  expect(routes.cover('cmd/x')).toBe(false)
  expect(sessions.counts.queued).toBe(0)
})

test('MQTT 5 without an interval resumes a session and ends it', async () => {
  const { sessions, subscribed } = await setUp()
  const opening: Opening = { protocol: 5, fresh: false, expirySeconds: 60 }
  const first = await subscribed('f-1', opening)
  first.close(60)
  const second = await sessions.open('f-1', { ...opening, expirySeconds: 0 })
  expect(second).toMatchObject({ present: true, session: { clientId: 'f-1' } })
  second.close(0)
  expect(sessions.counts.sessions).toBe(0)
})

test('a connection that was taken over does not close the session of the one that took it', async () => {
  const { clock, sessions, subscribed } = await setUp()
  const first = await subscribed('f-1')
  const second = await sessions.open('f-1', resuming)
  first.close(60)
  await clock.advance(120_000)
  expect(sessions.counts.sessions).toBe(1)
  second.close(0)
  expect(sessions.counts.sessions).toBe(0)
})

test('only QoS 1 waits, once for each session, and not longer than it may', async () => {
  const { clock, sessions, subscribed, publish, waiting } = await setUp()
  for (const clientId of ['f-1', 'f-2']) {
    const { session, close } = await subscribed(clientId)
    await sessions.subscribe(session!, [{ topic: 'cmd/+', qos: 1 }])
    close(60)
  }
  await publish(1)
  expect(publish(2, { qos: 0 })).toBeUndefined()
  await publish(3, { properties: { messageExpiryIntervalSeconds: 1_000_000 } })
  expect(await waiting('f-1')).toEqual(['{"seq":1}', '{"seq":3}'])
  const { session } = await sessions.open('f-2', resuming)
  const [, [last]] = [...sessions.queued(session!)] as [unknown, [{ expiresAt?: number }, boolean]]
  expect(last.expiresAt).toBe(clock.now() + 100_000)
})

test('what does not fit is not queued, is counted, and costs the other sessions nothing', async () => {
  const { sessions, subscribed, publish, observe } = await setUp({ maxQueued: 2 })
  const full = await subscribed('full')
  full.close(60)
  await publish(1)
  await publish(2)
  const roomy = await subscribed('roomy')
  await publish(3)
  expect(observe.of('delivery.dropped')).toMatchObject([{ code: 'SESSION_QUEUE_FULL', clientId: 'full', topic: 'cmd/x' }])
  const numbers = (opened: typeof full) => [...sessions.queued(opened.session!)].map(([{ number }]) => number)
  expect([numbers(full), numbers(roomy)]).toEqual([[1, 2], [3]])
})

test('a session may queue, and all topics together may retain, as much as is still free', async () => {
  const { memory, sessions, subscribed, publish, observe } = await setUp({ maxBytes: 100_000 })
  await subscribed('f-1')
  for (let i = 1; i <= 9; i++) await publish(i, { payload: Buffer.alloc(12_000) })
  expect(sessions.counts.queued).toBe(4)
  expect(observe.of('delivery.dropped')).toHaveLength(5)
  expect(observe.of('delivery.dropped')[0]).toMatchObject({ code: 'SESSION_QUEUE_FULL', clientId: 'f-1' })
  // Another session gets its share of the rest.
  const other = await subscribed('f-2')
  await publish(10, { payload: Buffer.alloc(12_000) })
  expect([...sessions.queued(other.session!)]).toHaveLength(1)
  const state = { retain: true, topic: 'state', payload: Buffer.alloc(40_000) }
  expect(sessions.refusal(state)?.code).toBe('RETAINED_FULL')
  expect(sessions.refusal({ ...state, payload: Buffer.alloc(10_000) })).toBeUndefined()
  expect(memory.used).toBeLessThan(100_000)
})

test('a message for 20 sessions is one entry of the journal, and a session that is full none', async () => {
  const entries: Entry[] = []
  const journal: SessionsOptions['journal'] = (journaled) => {
    const memory = createMemoryJournal(journaled)
    return {
      ...memory,
      append(entry) {
        entries.push(entry)
        return memory.append(entry)
      },
    }
  }
  const { subscribed, publish } = await setUp({ journal, maxQueued: 2 })
  for (let i = 0; i < 20; i++) await subscribed(`f-${i}`)
  entries.length = 0
  for (let i = 1; i <= 5; i++) await publish(i)
  expect(entries.map((entry) => (entry.kind === 'kept' ? entry.to.length : entry.kind))).toEqual([20, 20])
})

test('sessions, filters, queues and messages are counted, and given back', async () => {
  const { memory, sessions, subscribed, publish } = await setUp()
  const used = [memory.used]
  const opened = await subscribed('f-1')
  used.push(memory.used)
  await publish(1)
  used.push(memory.used)
  await publish(2, { retain: true, properties: { userProperties: Array.from({ length: 100 }, (_, i) => [`${i}`, ''] as const) } })
  used.push(memory.used)
  expect(used).toEqual([...used].sort((a, b) => a - b))
  // A property of one character takes a hundred bytes.
  expect(used[3]! - used[2]!).toBeGreaterThan(10_000)
  await publish(3, { retain: true, payload: Buffer.alloc(0) })
  opened.close(0)
  await Promise.resolve()
  expect(sessions.counts).toMatchObject({ sessions: 0, retained: 0, queued: 0, bytes: 0 })
})

test.each([256, 5_000])('a payload of %i bytes comes back as it was', async (length) => {
  const { sessions, publish } = await setUp()
  const payload = Buffer.from(Array.from({ length }, (_, i) => i % 256))
  await publish(1, { topic: 'state', retain: true, payload })
  expect(sessions.retained('state')!.payload).toEqual(payload)
})

test('what an earlier run left on disk counts from the start', async () => {
  const fs = createMemoryFs()
  const clock = createManualClock()
  const observe = createSpyObserve()
  const losses = createLosses({ clock, observe }).place('sessions', 'sessions')
  const journal: SessionsOptions['journal'] = (journaled) =>
    createFileJournal({ journaled, dir: '/sessions', salt: 1, observe, fs, clock, losses })
  const first = await setUp({ journal })
  await first.subscribed('f-1')
  await first.publish(1)
  await first.publish(2, { retain: true })
  await first.sessions.stop()
  const second = await setUp({ journal })
  expect(second.memory.used).toBe(first.memory.used)
  await second.sessions.stop()
})

test('retained: one for a topic, so many topics, an empty one clears, an expired one is gone', async () => {
  const { clock, sessions, publish } = await setUp()
  const retain = (topic: string, text: string, more: Partial<Message> = {}) =>
    publish(1, { topic, retain: true, payload: Buffer.from(text), ...more })
  await retain('a', 'one')
  await retain('a', 'two')
  await retain('b', 'one', { properties: { messageExpiryIntervalSeconds: 5 } })
  const refusal = (topic: string, text = 'x') => sessions.refusal({ retain: true, topic, payload: Buffer.from(text) })?.code
  expect([refusal('c'), refusal('a'), refusal('c', '')]).toEqual(['RETAINED_FULL', undefined, undefined])
  expect(`${sessions.retained('a')?.payload}`).toBe('two')
  await clock.advance(5_000)
  expect(sessions.retained('b')).toBeUndefined()
  await retain('a', '')
  expect(sessions.retained('a')).toBeUndefined()
  expect(sessions.counts).toMatchObject({ retained: 0, bytes: 0 })
  expect(retain('a', '')).toBeUndefined()
})
