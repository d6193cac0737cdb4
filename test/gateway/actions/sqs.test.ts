import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actionSchema } from '../../../gateway/actions/index.ts'
import { sqs } from '../../../gateway/actions/sqs.ts'
import { unpack } from '../../../lib/pack.ts'
import { type SinkUnderTest, testSink } from '../../contract/sink.ts'
import {
  bindSink,
  createDelivery,
  createDeps,
  createFakeAws,
  createMessage,
  delivered,
  type SqsCall,
  sdkError,
} from '../../helpers/delivery.ts'
import { toBatchAnswer } from '../../helpers/fates.ts'
import { settled } from '../../helpers/manual-clock.ts'

const signal = new AbortController().signal

function setUp(params: object, answer: (input: SqsCall) => unknown = () => ({})) {
  const calls: SqsCall[] = []
  const aws = createFakeAws({
    async sqs({ input }) {
      // As the SDK reads them.
      const Entries = input.Entries.map((entry) => ({ ...entry, MessageBody: entry.MessageBody }))
      calls.push({ ...input, Entries })
      return answer(input)
    },
  })
  const deps = createDeps({ aws })
  return { calls, clock: deps.clock, sink: sqs.bind(sqs.params.parse(params), deps) }
}

test('a message carries its body, its idempotency key, and the tenant when the rule names one', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry', groupId: '${topic(3)}' })
  await delivered(sink, createDelivery({ body: '{"t":1}' }), signal)
  expect(calls).toEqual([
    {
      QueueUrl: 'http://127.0.0.1/000000000000/telemetry',
      Entries: [
        {
          Id: '0',
          MessageBody: '{"t":1}',
          MessageGroupId: 'acme',
          MessageAttributes: {
            messageId: { DataType: 'String', StringValue: '01JZZZZZZZ0000000000000000.telemetry.0' },
            tenant: { DataType: 'String', StringValue: 'acme' },
          },
        },
      ],
    },
  ])
})

test('deliveries of one turn travel ten to a call, per queue', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry-${topic(1)}' })
  const of = (topic: string) => createDelivery({ message: createMessage({ topic }) })
  await Promise.all(Array.from({ length: 24 }, (_, i) => delivered(sink, of(i < 12 ? 'a' : 'b'), signal)))
  expect(calls.map(({ QueueUrl, Entries }) => [QueueUrl?.slice(-1), Entries.length])).toEqual([
    ['a', 10],
    ['b', 10],
    ['a', 2],
    ['b', 2],
  ])
})

test('each caller learns the fate of its own body', async () => {
  const { sink } = setUp({ queueUrl: 'telemetry' }, () => ({
    Failed: [
      { Id: '0', Code: 'InvalidMessageContents', SenderFault: true },
      { Id: '2', Code: 'InternalError', SenderFault: false },
    ],
  }))
  const results = await Promise.allSettled([1, 2, 3].map(() => delivered(sink, createDelivery(), signal)))
  expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'accepted'))).toEqual([
    'ACTION_REFUSED',
    'accepted',
    'ACTION_FAILED',
  ])
})

test.each([
  ['says nothing of it', { Successful: [{ Id: '0' }] }],
  ['is no answer', {}],
  ['has lists that are null', { Successful: [{ Id: '0' }], Failed: null }],
  ['fails an entry without its id', { Successful: [], Failed: [{ Code: 'InternalError' }] }],
])('where the answer %s, a body was not accepted', async (_, answer) => {
  const { sink } = setUp({ queueUrl: 'telemetry' }, () => ({ Successful: undefined, ...answer }))
  const results = await Promise.allSettled([1, 2].map(() => delivered(sink, createDelivery(), signal)))
  expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'ACTION_FAILED' } })
})

test('a call refused as a whole is taken apart, so that one bad body does not take nine with it', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry' }, ({ Entries }) => {
    if (Entries.some((entry) => entry.MessageBody === 'bad')) throw sdkError('InvalidMessageContents', 400)
    return {}
  })
  const results = await Promise.allSettled(['a', 'bad', 'c'].map((body) => delivered(sink, createDelivery({ body }), signal)))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(calls).toHaveLength(4)
})

test('bodies that SQS cannot carry are refused before a call is made', async () => {
  const { sink } = setUp({ queueUrl: 'telemetry' })
  const code = (body: string | Uint8Array) => delivered(sink, createDelivery({ body }), signal).catch((error) => error.code)
  expect(await code(Buffer.from([0xff, 0xfe]))).toBe('BODY_NOT_TEXT')
  expect(await code('a\u0000b')).toBe('BODY_NOT_TEXT')
  expect(await code('x'.repeat(1_048_577))).toBe('BODY_TOO_LARGE')
})

test('useBase64 carries any bytes', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry', useBase64: true })
  await delivered(sink, createDelivery({ body: Buffer.from([0, 255]) }), signal)
  expect(calls[0]?.Entries[0]?.MessageBody).toBe('AP8=')
})

test('a FIFO message has its group and a deduplication id that stays the same', async () => {
  const { calls, sink } = setUp({ queueUrl: 'doors.fifo', groupId: '${topic(5)}' })
  await delivered(sink, createDelivery({ rule: 'doors' }), signal)
  expect(calls[0]?.Entries[0]).toMatchObject({
    MessageGroupId: 'freezer-1',
    MessageDeduplicationId: '01JZZZZZZZ0000000000000000.doors.0',
  })
  expect(calls[0]?.Entries[0]?.MessageAttributes).not.toHaveProperty('tenant')
})

test('a group or a key that SQS does not allow as an id becomes its hash', async () => {
  const { calls, sink } = setUp({ queueUrl: 'doors.fifo', groupId: 'Kühlhaus 7' })
  await delivered(sink, createDelivery({ rule: 'r'.repeat(128) }), signal)
  const { MessageGroupId, MessageDeduplicationId } = calls[0]!.Entries[0]!
  expect(MessageGroupId).toMatch(/^[\w-]{43}$/)
  expect(MessageDeduplicationId).toMatch(/^[\w-]{43}$/)
})

test('a missing queue may yet come, and the error names it without its address', async () => {
  const { sink } = setUp({ queueUrl: 'telemetry' }, () => {
    throw sdkError('QueueDoesNotExist', 400)
  })
  await expect(delivered(sink, createDelivery(), signal)).rejects.toMatchObject({
    code: 'ACTION_TARGET_MISSING',
    message: 'the queue "telemetry" does not exist',
    retryable: true,
  })
})

test('packed readings share a message, one per tenant, and say how many they are', async () => {
  const { calls, clock, sink } = setUp({ queueUrl: 'telemetry', groupId: '${topic(1)}', pack: { lingerMs: 50 } })
  const accepted = ['a', 'b', 'a'].map((topic, i) =>
    delivered(sink, createDelivery({ message: createMessage({ topic }), body: `{"n":${i}}`, key: `key-${i}` }), signal),
  )
  await settled()
  expect(calls).toEqual([])
  await clock.advance(50)
  await Promise.all(accepted)
  const entries = calls.flatMap(({ Entries }) => Entries)
  expect(entries.map(({ MessageGroupId, MessageAttributes }) => [MessageGroupId, MessageAttributes?.pack?.StringValue])).toEqual([
    ['a', '2'],
    ['b', '1'],
  ])
  expect(entries.every(({ MessageAttributes }) => MessageAttributes?.messageId === undefined)).toBe(true)
  const readings = unpack(Buffer.from(entries[0]?.MessageBody ?? '')).map(({ key, body }) => `${key} ${Buffer.from(body)}`)
  expect(readings).toEqual(['key-0 {"n":0}', 'key-2 {"n":2}'])
})

test('a pack stays under its bytes, attributes included', async () => {
  const { calls, clock, sink } = setUp({ queueUrl: 'telemetry', groupId: 'acme', pack: { maxBytes: 2_000 } })
  const accepted = Array.from({ length: 100 }, (_, i) =>
    delivered(sink, createDelivery({ body: `${i}`.padStart(90, '0'), key: `key-${i}` }), signal),
  )
  await settled()
  await clock.advance(100)
  await Promise.all(accepted)
  const sizes = calls.flatMap(({ Entries }) => Entries.map((entry) => billed(entry)))
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000)
  expect(Math.max(...sizes)).toBeGreaterThan(1_700)
})

function billed({ MessageBody = '', MessageAttributes = {} }: SqsCall['Entries'][number]): number {
  const attributes = Object.entries(MessageAttributes).map(([name, { DataType, StringValue }]) => name + DataType + StringValue)
  return Buffer.byteLength(MessageBody + attributes.join(''))
}

const target: SinkUnderTest['target'] = (decide) => ({
  aws: createFakeAws({
    sqs: ({ input }) =>
      toBatchAnswer(
        input.Entries.map(({ MessageBody }) => MessageBody),
        decide,
      ),
  }),
})

describe('standard queue', () => testSink({ entry: { sqs: { queueUrl: 'telemetry' } }, target }))
/** A pack fares as the worst of its readings does. */
const packTarget: SinkUnderTest['target'] = (decide) =>
  target(async (pack) => {
    const fates = await Promise.all(unpack(Buffer.from(pack)).map(({ body }) => decide(Buffer.from(body).toString())))
    return (['refuse', 'fail'] as const).find((fate) => fates.includes(fate)) ?? 'accept'
  })

describe('packs', () => testSink({ entry: { sqs: { queueUrl: 'telemetry', pack: { lingerMs: 50 } } }, target: packTarget, lingerMs: 50 }))

test('callers that go leave a pack before it is sent, and what is left of it is whole', async () => {
  const { calls, clock, sink } = setUp({ queueUrl: 'telemetry', pack: { lingerMs: 50 } })
  const leaving = new AbortController()
  const all = [0, 1, 2, 3, 4].map((i) =>
    delivered(sink, createDelivery({ body: `{"n":${i}}`, key: `key-${i}` }), i % 3 === 1 ? leaving.signal : signal).catch(
      ({ code }) => code,
    ),
  )
  leaving.abort()
  await clock.advance(50)
  expect(await Promise.all(all)).toEqual([undefined, 'ACTION_FAILED', undefined, undefined, 'ACTION_FAILED'])
  const [pack] = calls.flatMap(({ Entries }) => Entries)
  const readings = unpack(Buffer.from(pack?.MessageBody ?? '')).map(({ key, body }) => `${key} ${Buffer.from(body)}`)
  expect(readings).toEqual(['key-0 {"n":0}', 'key-2 {"n":2}', 'key-3 {"n":3}'])
})

test('readings of any size and any text come out of their packs as they went in, each once', async () => {
  const body = fc
    .tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }), fc.constantFrom(1, 30, 400))
    .map(([text, times]) => JSON.stringify(text.repeat(times)))
  await fc.assert(
    fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 30 }), async (bodies) => {
      const { calls, clock, sink } = setUp({ queueUrl: 'telemetry', pack: { maxBytes: 4_096 } })
      const all = bodies.map((text, i) => delivered(sink, createDelivery({ body: text, key: `key-${i}` }), signal))
      await clock.advance(1_000) // the last pack may wait for company once more
      await Promise.all(all)
      const packs = calls.flatMap(({ Entries }) => Entries).map(({ MessageBody }) => unpack(Buffer.from(MessageBody ?? '')))
      const readings = packs.flat().map(({ key, body }) => `${key} ${Buffer.from(body)}`)
      expect(readings.sort()).toEqual(bodies.map((text, i) => `key-${i} ${sentAs(text)}`).sort())
    }),
  )
})

/** Characters above U+FFFF travel as escapes. */
const sentAs = (json: string) => json.replace(/[\ud800-\udfff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)

describe('FIFO queue', () => testSink({ entry: { sqs: { queueUrl: 'doors.fifo', groupId: '${key()}' } }, target }))

test('on a FIFO queue a failed body is not overtaken by its group, and the other groups go on', async () => {
  const accepted: string[] = []
  let failures = 2
  const deps = createDeps(
    target(async (body) => {
      if (body === 'a1' && failures-- > 0) return 'fail'
      accepted.push(body)
      return 'accept'
    }),
  )
  const sink = bindSink(actionSchema.parse({ sqs: { queueUrl: 'doors.fifo', groupId: '${topic(1)}' } }), deps)
  const all = ['a1', 'a2', 'b1', 'a3', 'b2'].map((body) =>
    delivered(sink, createDelivery({ body, key: body, message: createMessage({ topic: body.charAt(0) }) }), signal),
  )
  await settled()
  expect(accepted).toEqual(['b1', 'b2'])
  await deps.clock.advance(10_000)
  await Promise.all(all)
  expect(accepted).toEqual(['b1', 'b2', 'a1', 'a2', 'a3'])
})

test('whatever fails, and however, each FIFO group arrives in order and complete but for what was refused', async () => {
  // `lost`: SQS accepted the whole call, and the answer did not arrive. The retry is a duplicate that SQS knows by its deduplication id.
  const trouble = fc.constantFrom('none', 'none', 'none', 'entry', 'refused', 'call', 'lost')
  await fc.assert(
    fc.asyncProperty(fc.array(trouble, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), async (troubles, groups) => {
      const queue = new Map<string, string>()
      const refused = new Set<string>()
      let calls = 0
      const accept = ({ MessageDeduplicationId = '', MessageBody = '' }) => {
        if (!queue.has(MessageDeduplicationId)) queue.set(MessageDeduplicationId, MessageBody)
      }
      const aws = createFakeAws({
        async sqs({ input: { Entries } }) {
          const [first, ...others] = Entries
          const drawn = troubles[calls++] ?? 'none'
          // What SQS knows already it does not refuse.
          const fate = drawn === 'refused' && queue.has(first!.MessageDeduplicationId!) ? 'none' : drawn
          if (fate === 'call') throw sdkError('InternalFailure', 500)
          if (fate !== 'entry' && fate !== 'refused') accept(first!)
          for (const entry of others) accept(entry)
          if (fate === 'lost') throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
          if (fate === 'refused') refused.add(first!.MessageBody!)
          return fate === 'none' ? {} : { Failed: [{ Id: '0', Code: 'AsTheTestWants', SenderFault: fate === 'refused' }] }
        },
      })
      const deps = createDeps({ aws })
      const sink = bindSink(actionSchema.parse({ sqs: { queueUrl: 'doors.fifo', groupId: '${topic(1)}' } }), deps)
      const bodies = Array.from({ length: 24 }, (_, i) => ({ group: String(i % groups), body: String(i) }))
      const all = bodies.map(({ group, body }) =>
        delivered(sink, createDelivery({ body, key: `key-${body}`, message: createMessage({ topic: group }) }), signal),
      )
      let done = false
      Promise.allSettled(all).then(() => {
        done = true
      })
      for (let i = 0; i < 200 && !done; i++) await deps.clock.advance(20_000)
      expect(done).toBe(true)
      for (let group = 0; group < groups; group++) {
        const ofGroup = (body: string) => Number(body) % groups === group
        const expected = bodies.map(({ body }) => body).filter((body) => ofGroup(body) && !refused.has(body))
        expect([...queue.values()].filter(ofGroup)).toEqual(expected)
      }
    }),
    { numRuns: 25 },
  )
})
