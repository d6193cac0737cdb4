import { expect, test } from 'vitest'
import { sqs } from '../../../gateway/actions/sqs.ts'
import { createDelivery, createDeps, createFakeAws, createMessage, type SqsCall, sdkError } from '../../helpers/delivery.ts'

const signal = new AbortController().signal

function setUp(params: object, answer: (input: SqsCall) => unknown = () => ({})) {
  const calls: SqsCall[] = []
  const aws = createFakeAws({
    async sqs({ input }) {
      calls.push(input)
      return answer(input)
    },
  })
  return { calls, sink: sqs.bind(sqs.params.parse(params), createDeps({ aws })) }
}

test('a message carries its body, its idempotency key, and the tenant when the rule names one', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry', groupId: '${topic(3)}' })
  await sink.deliver(createDelivery({ body: '{"t":1}' }), signal)
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
  await Promise.all(Array.from({ length: 24 }, (_, i) => sink.deliver(of(i < 12 ? 'a' : 'b'), signal)))
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
  const results = await Promise.allSettled([1, 2, 3].map(() => sink.deliver(createDelivery(), signal)))
  expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'accepted'))).toEqual([
    'ACTION_REFUSED',
    'accepted',
    'ACTION_FAILED',
  ])
})

test('a call refused as a whole is taken apart, so that one bad body does not take nine with it', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry' }, ({ Entries }) => {
    if (Entries.some((entry) => entry.MessageBody === 'bad')) throw sdkError('InvalidMessageContents', 400)
    return {}
  })
  const results = await Promise.allSettled(['a', 'bad', 'c'].map((body) => sink.deliver(createDelivery({ body }), signal)))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(calls).toHaveLength(4)
})

test('bodies that SQS cannot carry are refused before a call is made', async () => {
  const { sink } = setUp({ queueUrl: 'telemetry' })
  const code = (body: string | Uint8Array) => sink.deliver(createDelivery({ body }), signal).catch((error) => error.code)
  expect(await code(Buffer.from([0xff, 0xfe]))).toBe('BODY_NOT_TEXT')
  expect(await code('a\u0000b')).toBe('BODY_NOT_TEXT')
  expect(await code('x'.repeat(1_048_577))).toBe('BODY_TOO_LARGE')
})

test('useBase64 carries any bytes', async () => {
  const { calls, sink } = setUp({ queueUrl: 'telemetry', useBase64: true })
  await sink.deliver(createDelivery({ body: Buffer.from([0, 255]) }), signal)
  expect(calls[0]?.Entries[0]?.MessageBody).toBe('AP8=')
})

test('a FIFO message has its group and a deduplication id that stays the same', async () => {
  const { calls, sink } = setUp({ queueUrl: 'doors.fifo', groupId: '${topic(5)}' })
  await sink.deliver(createDelivery({ rule: 'doors' }), signal)
  expect(calls[0]?.Entries[0]).toMatchObject({
    MessageGroupId: 'freezer-1',
    MessageDeduplicationId: '01JZZZZZZZ0000000000000000.doors.0',
  })
  expect(calls[0]?.Entries[0]?.MessageAttributes).not.toHaveProperty('tenant')
})

test('a group or a key that SQS does not allow as an id becomes its hash', async () => {
  const { calls, sink } = setUp({ queueUrl: 'doors.fifo', groupId: 'Kühlhaus 7' })
  await sink.deliver(createDelivery({ rule: 'r'.repeat(128) }), signal)
  const { MessageGroupId, MessageDeduplicationId } = calls[0]!.Entries[0]!
  expect(MessageGroupId).toMatch(/^[\w-]{43}$/)
  expect(MessageDeduplicationId).toMatch(/^[\w-]{43}$/)
})

test('a missing queue may yet come, and the error names it without its address', async () => {
  const { sink } = setUp({ queueUrl: 'telemetry' }, () => {
    throw sdkError('QueueDoesNotExist', 400)
  })
  await expect(sink.deliver(createDelivery(), signal)).rejects.toMatchObject({
    code: 'ACTION_TARGET_MISSING',
    message: 'the queue "telemetry" does not exist',
    retryable: true,
  })
})
