// What becomes of a message of somebody else's broker until it may be acknowledged; no sockets.
import { expect, test } from 'vitest'
import { createIntake, type Incoming } from '../../../gateway/broker/intake.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import type { Message } from '../../../gateway/message/message.ts'
import { createTestAccess } from '../../helpers/access.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const full = () => new GatewayError('SPOOL_FULL', 'full')

function setUp(ingest: (message: Message) => Promise<void>) {
  const observe = createSpyObserve()
  const clock = createManualClock()
  const stopping = new AbortController()
  let id = 0
  const intake = createIntake({
    ...{ ingest, observe, clock, random: () => 1, ids: () => String(id++), signal: stopping.signal },
    limits: createTestAccess({}, observe).limits,
    sourceOf: (topic) => ({ clientId: topic.split('/')[1] ?? '', transport: 'upstream' }),
  })
  return { intake, observe, clock, stopping }
}

const incoming = (text: string, more: Partial<Incoming> = {}): Incoming => ({
  ...{ topic: 'dt/f-1', payload: Buffer.from(text), qos: 1, retain: false, again: false },
  ...more,
})

const textOf = ({ payload }: Message) => Buffer.from(payload).toString()

test('what cannot be kept waits in one line: asked again after a pause that grows, the others behind it unasked', async () => {
  const asked: string[] = []
  let room = false
  const { intake, clock } = setUp(async (message) => {
    asked.push(textOf(message))
    if (!room) throw full()
  })
  const taken = ['a', 'b'].map((text) => intake.take(incoming(text)))
  await settled()
  taken.push(intake.take(incoming('c')))
  await settled()
  expect(asked).toEqual(['a', 'b'])
  await clock.advance(150)
  expect(asked).toEqual(['a', 'b', 'a'])
  await clock.advance(200)
  expect(asked).toHaveLength(3)
  room = true
  await clock.advance(50)
  expect(asked).toEqual(['a', 'b', 'a', 'a'])
  await clock.advance(150)
  await Promise.all(taken)
  expect(asked).toEqual(['a', 'b', 'a', 'a', 'b', 'c'])
})

test('a message keeps its id however often it is asked for', async () => {
  const ids = new Set<string>()
  let refusals = 3
  const { intake, clock } = setUp(async ({ id }) => {
    ids.add(id)
    if (refusals-- > 0) throw full()
  })
  const taken = intake.take(incoming('a'))
  await settled()
  await clock.advance(10_000)
  await taken
  expect(ids.size).toBe(1)
})

test('what is refused for good may be acknowledged, and is asked once', async () => {
  let asked = 0
  const { intake } = setUp(async () => {
    asked++
    throw new GatewayError('NOT_AUTHORIZED', 'no')
  })
  await intake.take(incoming('a'))
  expect(asked).toBe(1)
})

test.each([
  ['PAYLOAD_TOO_LARGE', { payload: new Uint8Array(131_073) }],
  ['TOPIC_INVALID', { topic: 'a/b/c/d/e/f/g/h/i' }],
  ['PROPERTY_TOO_LARGE', { properties: { contentType: 'x'.repeat(300) } }],
] as const)('%s: over a limit at any time, so it is counted with its code and never asked for', async (code, more) => {
  const asked: Message[] = []
  const { intake, observe } = setUp(async (message) => void asked.push(message))
  await intake.take(incoming('a', more))
  expect(asked).toEqual([])
  expect(observe.of('message.refused')).toMatchObject([{ code, transport: 'upstream' }])
})

test('topics with $ that the configuration asks for are let in', async () => {
  const asked: string[] = []
  const { intake } = setUp(async ({ topic }) => void asked.push(topic))
  await intake.take(incoming('a', { topic: '$aws/events/presence/connected/f-1' }))
  expect(asked).toEqual(['$aws/events/presence/connected/f-1'])
})

test('QoS 0 is asked once: nobody would send it again, and it must not hold the others', async () => {
  let asked = 0
  const { intake } = setUp(async () => {
    asked++
    throw full()
  })
  await intake.take(incoming('a', { qos: 0 }))
  expect(asked).toBe(1)
})

test('a stop leaves with the broker what waits', async () => {
  const { intake, stopping } = setUp(() => Promise.reject(full()))
  const taken = ['a', 'b'].map((text) => intake.take(incoming(text)))
  await settled()
  stopping.abort(new GatewayError('STOPPING', 'bye'))
  for (const one of taken) await expect(one).rejects.toMatchObject({ code: 'STOPPING' })
})

test('first and repeated deliveries are counted apart', async () => {
  const { intake, observe } = setUp(async () => {})
  await intake.take(incoming('a'))
  await intake.take(incoming('a', { again: true }))
  expect(observe.of('broker.received')).toEqual([{ delivery: 'first' }, { delivery: 'again' }])
})

test.each([
  ['2', 2],
  ['-1', 0],
  ['1e9', 0],
  ['', 0],
])('hops written as %j are %i', async (written, hops) => {
  const seen: number[] = []
  const { intake } = setUp(async (message) => void seen.push(message.hops))
  await intake.take(incoming('a', { properties: { userProperties: [['weir-hops', written]] } }))
  expect(seen).toEqual([hops])
})
