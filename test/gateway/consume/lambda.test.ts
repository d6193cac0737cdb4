import { describe, expect, test } from 'vitest'
import { PermanentFailure } from '../../../gateway/consume/failure.ts'
import { createLambdaHandler, type SqsRecord } from '../../../gateway/consume/lambda.ts'
import type { Handler } from '../../../gateway/consume/queue.ts'
import { pack, packAttribute } from '../../../lib/pack.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

const context = { getRemainingTimeInMillis: () => 30_000 }
const record = (messageId: string, group?: string): SqsRecord => ({
  messageId,
  body: `{"id":"${messageId}"}`,
  attributes: { ApproximateReceiveCount: '1', SentTimestamp: '1700000000000', ...(group ? { MessageGroupId: group } : {}) },
  messageAttributes: { messageId: { stringValue: `key-${messageId}` } },
  eventSourceARN: group ? 'arn:aws:sqs:us-east-1:000000000000:door.fifo' : 'arn:aws:sqs:us-east-1:000000000000:telemetry',
})
const failed = (...ids: string[]) => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) })
const failing =
  (...ids: string[]): Handler =>
  async ({ id }) => {
    if (ids.includes(id)) throw new Error('not now')
  }

test('only what failed is reported', async () => {
  const lambda = createLambdaHandler({ handler: failing('2'), clock: createManualClock() })
  expect(await lambda({ Records: [record('1'), record('2'), record('3')] }, context)).toEqual(failed('2'))
})

test('FIFO: after a failure its group stops, the others go on', async () => {
  const seen: string[] = []
  const handler: Handler = async (item, signal) => {
    seen.push(item.id)
    await failing('a2')(item, signal)
  }
  const lambda = createLambdaHandler({ handler, clock: createManualClock() })
  const Records = [record('a1', 'a'), record('a2', 'a'), record('b1', 'b'), record('a3', 'a'), record('b2', 'b')]
  expect(await lambda({ Records }, context)).toEqual(failed('a2', 'a3'))
  expect(seen.sort()).toEqual(['a1', 'a2', 'b1', 'b2'])
})

test('a permanent failure is buried where that is possible, and reported where not', async () => {
  const buried: string[] = []
  const handler: Handler = async () => {
    throw new PermanentFailure('unknown unit')
  }
  const clock = createManualClock()
  const bury = async ({ key }: { readonly key: string }, reason: string) => void buried.push(`${key} ${reason}`)
  expect(await createLambdaHandler({ handler, clock, bury })({ Records: [record('1')] }, context)).toEqual(failed())
  expect(buried).toEqual(['key-1 HANDLER_REFUSED: unknown unit'])
  expect(await createLambdaHandler({ handler, clock })({ Records: [record('1')] }, context)).toEqual(failed('1'))
})

test('what is not done in time is reported, never thrown', async () => {
  const clock = createManualClock()
  const lambda = createLambdaHandler({ handler: ({ id }) => (id === '1' ? Promise.resolve() : new Promise(() => {})), clock })
  const answer = lambda({ Records: [record('1'), record('2')] }, context)
  await clock.advance(29_000)
  expect(await answer).toEqual(failed('2'))
})

const reading = (key: string) => ({ key, body: Buffer.from(`"${key}"`) })
const packed = (...keys: readonly string[]): SqsRecord => ({
  ...record('pack'),
  body: pack(keys.map(reading)).toString(),
  messageAttributes: { [packAttribute]: { stringValue: String(keys.length) }, tenant: { stringValue: 'acme' } },
})

test('a pack: the handler is called for each reading, with its own key and the tenant of all', async () => {
  const seen: unknown[] = []
  const handler: Handler = async ({ key, group, body, attributes }) =>
    void seen.push([key, group, Buffer.from(body).toString(), attributes])
  expect(await createLambdaHandler({ handler, clock: createManualClock() })({ Records: [packed('a', 'b')] }, context)).toEqual(failed())
  expect(seen).toEqual([
    ['a', 'acme', '"a"', { tenant: 'acme' }],
    ['b', 'acme', '"b"', { tenant: 'acme' }],
  ])
})

describe('a reading of a pack that fails', () => {
  const fails =
    (error: Error): Handler =>
    async ({ key }) => {
      if (key === 'b') throw error
    }
  const keys: string[] = []
  const keep = async ({ key }: { readonly key: string }) => void keys.push(key)
  const answer = async (options: Omit<Parameters<typeof createLambdaHandler>[0], 'clock'>) => {
    keys.length = 0
    return createLambdaHandler({ ...options, clock: createManualClock() })({ Records: [packed('a', 'b', 'c')] }, context)
  }

  test('is sent again alone', async () => {
    expect(await answer({ handler: fails(new Error('not now')), resend: keep })).toEqual(failed())
    expect(keys).toEqual(['b'])
  })

  test('is buried alone where it never can succeed', async () => {
    expect(await answer({ handler: fails(new PermanentFailure('no')), bury: keep })).toEqual(failed())
    expect(keys).toEqual(['b'])
  })

  test('brings the whole pack again where it cannot be sent, and the others are done all the same', async () => {
    const seen: string[] = []
    const handler: Handler = async (item, signal) => {
      seen.push(item.key)
      await fails(new Error('not now'))(item, signal)
    }
    expect(await answer({ handler })).toEqual(failed('pack'))
    const away = async () => Promise.reject(new Error('away'))
    expect(await answer({ handler, resend: away })).toEqual(failed('pack'))
    expect(seen).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  test('a message that is marked as a pack and is none is buried', async () => {
    const reasons: string[] = []
    const bury = async (_: unknown, reason: string) => void reasons.push(reason)
    const Records = [{ ...packed('a'), body: 'no pack' }]
    const lambda = createLambdaHandler({ handler: failing(), clock: createManualClock(), bury })
    expect(await lambda({ Records }, context)).toEqual(failed())
    expect(reasons).toEqual(['HANDLER_REFUSED: the message is marked as a pack and is none'])
  })
})

test('time runs out in the middle of a pack: it comes again as a whole, and nothing of it is sent twice', async () => {
  const clock = createManualClock()
  const resent: string[] = []
  const handler: Handler = ({ key }) => (key === 'a' ? Promise.resolve() : new Promise(() => {}))
  const answer = createLambdaHandler({ handler, clock, resend: async ({ key }) => void resent.push(key) })(
    { Records: [packed('a', 'b')] },
    context,
  )
  await clock.advance(29_000)
  expect(await answer).toEqual(failed('pack'))
  expect(resent).toEqual([])
})
