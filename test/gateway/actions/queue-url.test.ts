import { expect, test } from 'vitest'
import { actionSchema } from '../../../gateway/actions/index.ts'
import { createAws } from '../../../gateway/aws/clients.ts'
import { bindSink, createDelivery, createDeps, createFakeAws, delivered, type SqsCall } from '../../helpers/delivery.ts'

const signal = new AbortController().signal
const onAws = createAws({ region: 'eu-west-1', accountId: '111122223333' })
const onEmulator = createAws({ region: 'us-east-1', accountId: '000000000000', endpoint: 'http://127.0.0.1:4566' })

/** The URL that is sent to, or why the rule or the delivery was refused. `value` is what each `${…}` becomes. */
async function fate(queueUrl: string, value = '', aws = onAws): Promise<string> {
  const { data, error } = actionSchema.safeParse({ sqs: { queueUrl } })
  if (!data) return `no rule: ${error.issues[0]!.message}`
  const calls: SqsCall[] = []
  const fake = createFakeAws({
    async sqs({ input }) {
      calls.push(input)
      return {}
    },
  })
  const template = (text: string) => () => text.replaceAll(/\$\{[^}]*\}/g, () => value)
  try {
    const sink = bindSink(data, createDeps({ aws: { ...fake, queueUrl: aws.queueUrl }, template }))
    await delivered(sink, createDelivery(), signal)
  } catch (caught) {
    return (caught as { readonly code: string }).code
  }
  return calls[0]!.QueueUrl!
}

test.each([
  ['telemetry', '', 'https://sqs.eu-west-1.amazonaws.com/111122223333/telemetry'],
  ['telemetry-${q}', 'acme', 'https://sqs.eu-west-1.amazonaws.com/111122223333/telemetry-acme'],
  ['https://sqs.us-east-1.amazonaws.com/1/q', '', 'https://sqs.us-east-1.amazonaws.com/1/q'],
  ['https://sqs.us-east-1.amazonaws.com/1/${q}', 'a', 'https://sqs.us-east-1.amazonaws.com/1/a'],
  ['https://vpce-1-a.sqs.us-east-1.vpce.amazonaws.com/1/${q}', 'a', 'https://vpce-1-a.sqs.us-east-1.vpce.amazonaws.com/1/a'],
])('%s with %j goes to %s', async (queueUrl, value, url) => expect(await fate(queueUrl, value)).toBe(url))

test('a URL may name the configured endpoint', async () => {
  expect(await fate('http://127.0.0.1:4566/0/${q}', 'a', onEmulator)).toBe('http://127.0.0.1:4566/0/a')
  expect(await fate('http://127.0.0.1:4567/0/a', '', onEmulator)).toBe('RULE_INVALID')
  expect(await fate('http://127.0.0.1:4566/0/a', '', onAws)).toBe('RULE_INVALID')
})

test.each([
  ...['${q}', '${q}/queue', 'https://${q}/1/a', 'https://sqs.us-east-1.amazonaws.com${q}', 'https://sqs.us-east-1.amazonaws.com@${q}/'],
  ...[
    'https://sqs.us-east-1.amazonaws.com:${q}/a',
    'https:${q}',
    'http${q}://sqs.us-east-1.amazonaws.com/',
    'https:/${q}',
    'https:\\\\${q}',
  ],
  ...['https://sqs.${region}.amazonaws.com/1/q', 'https://sqs.us-east-1.amazonaws.com\\${q}', '/${q}', ' ${q}', 'a b${q}', 'a.${q}'],
  ...['https:evil.example/1/q', 'https://user@sqs.us-east-1.amazonaws.com/1/q'],
])('%s is refused when the rule loads, or sends nothing', async (queueUrl) => {
  expect(await fate(queueUrl, 'https://evil.example/1/q')).toMatch(/^no rule: must start with text that fixes the host|^ACTION_REFUSED$/)
})

test.each(['https://evil.example/1/${q}', 'https://evil.example/1/q', 'https://sqs.us-east-1.amazonaws.com.evil.example/${q}'])(
  '%s is refused with the host, when the rule is bound',
  async (queueUrl) => expect(await fate(queueUrl, 'a')).toBe('RULE_INVALID'),
)

test.each([
  'https://evil.example/1/q',
  '://evil.example',
  '/../../evil',
  '\\evil',
  'a b',
  'a?b',
  'a#b',
  'a.fifo.fifo',
  'x'.repeat(90),
  'é',
])('a message cannot make another host or path with %j', async (value) => {
  expect(await fate('http${q}', value)).toBe('ACTION_REFUSED')
  expect(await fate('telemetry-${q}', value)).toBe('ACTION_REFUSED')
})

test.each(['@evil.example/', '//evil.example/', '\\\\evil.example\\', '/../..//evil.example/', '?', '\t'])(
  'a message that adds %j to a URL is refused, because no queue has such a name',
  async (value) => {
    expect(await fate('https://sqs.us-east-1.amazonaws.com/${q}', value)).toBe('ACTION_REFUSED')
  },
)
