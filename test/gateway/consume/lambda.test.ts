import { expect, test } from 'vitest'
import { PermanentFailure } from '../../../gateway/consume/failure.ts'
import { createLambdaHandler, type SqsRecord } from '../../../gateway/consume/lambda.ts'
import type { Handler } from '../../../gateway/consume/queue.ts'
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
