import { expect, test } from 'vitest'
import { sns } from '../../../gateway/actions/sns.ts'
import { testSink } from '../../contract/sink.ts'
import { createDelivery, createDeps, createFakeAws, delivered, type SnsCall } from '../../helpers/delivery.ts'
import { toBatchAnswer } from '../../helpers/fates.ts'

const signal = new AbortController().signal

function setUp(params: object) {
  const calls: SnsCall[] = []
  const aws = createFakeAws({
    async sns({ input }) {
      calls.push(input)
      return {}
    },
  })
  return { calls, sink: sns.bind(sns.params.parse(params), createDeps({ aws })) }
}

testSink({
  entry: { sns: { targetArn: 'alerts' } },
  target: (decide) => ({
    aws: createFakeAws({
      sns: ({ input }) =>
        toBatchAnswer(
          input.PublishBatchRequestEntries.map(({ Message }) => Message),
          decide,
        ),
    }),
  }),
})

test('a message carries its key, and attributes that filters can look at', async () => {
  const { calls, sink } = setUp({ targetArn: 'alerts', attributes: { severity: 'high', tenant: '${topic(3)}' } })
  await delivered(sink, createDelivery({ body: '{"t":4}', key: 'k' }), signal)
  expect(calls[0]).toEqual({
    TopicArn: 'arn:aws:sns:us-east-1:000000000000:alerts',
    PublishBatchRequestEntries: [
      {
        Id: '0',
        Message: '{"t":4}',
        MessageAttributes: {
          messageId: { DataType: 'String', StringValue: 'k' },
          severity: { DataType: 'String', StringValue: 'high' },
          tenant: { DataType: 'String', StringValue: 'acme' },
        },
      },
    ],
  })
})

test('messageFormat JSON lets SNS pick the text of each protocol', async () => {
  const { calls, sink } = setUp({ targetArn: 'alerts', messageFormat: 'JSON' })
  await delivered(sink, createDelivery({ body: '{"default":"warm"}' }), signal)
  expect(calls[0]?.PublishBatchRequestEntries[0]).toMatchObject({ MessageStructure: 'json' })
})

test('SNS takes 256 KiB, attributes included', async () => {
  const { sink } = setUp({ targetArn: 'alerts' })
  await expect(delivered(sink, createDelivery({ body: 'x'.repeat(262_144) }), signal)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
})
