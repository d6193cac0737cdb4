// How many bodies a second reach SQS through the sqs action, beside the plain AWS SDK doing the same.
// SQS is the stand-in, in a process of its own; CPU is that of this process alone, so ratios hold on a busy machine too.
import { CreateQueueCommand, SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { ActionDeps } from '../../gateway/actions/action.ts'
import { actionSchema } from '../../gateway/actions/index.ts'
import { createAws } from '../../gateway/aws/clients.ts'
import type { OutletDeps } from '../../gateway/delivery/outlet.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { bindSink, createDelivery, delivered, plainTemplate } from '../helpers/delivery.ts'
import { type Bench, type Row, ratioOf, round } from './bench.ts'
import { startSqs } from './gateway.ts'

const body = JSON.stringify({
  device: 'freezer-1',
  boot: 3,
  sequence: 123456,
  temperature: -18.5,
  humidity: 41.2,
  door: 'closed',
  battery: 0.98,
})
const { signal } = new AbortController()

export const actions: Bench = {
  summary: 'bodies into SQS: the sqs action beside the plain SDK',
  async run({ quick, only }) {
    await using server = await startSqs()
    return await compare(`http://127.0.0.1:${server.ports.sqs}`, quick ? 0.2 : 1, only)
  },
}

async function compare(endpoint: string, share: number, only: string): Promise<readonly Row[]> {
  const aws = createAws({ endpoint, region: 'us-east-1', accountId: '000000000000' })
  const plain = new SQSClient({ endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } })
  await plain.send(new CreateQueueCommand({ QueueName: 'bench' }))
  const QueueUrl = aws.queueUrl('bench')
  const attributes = (key: string) => ({
    messageId: { DataType: 'String', StringValue: key },
    tenant: { DataType: 'String', StringValue: 'acme' },
  })
  const entry = (key: string) => ({ MessageBody: body, MessageGroupId: 'acme', MessageAttributes: attributes(key) })
  const sink = (more: object) => {
    const deps = { aws, clock: systemClock, random: systemRandom(), observe: { record: () => undefined }, template: plainTemplate }
    const bound = bindSink(
      actionSchema.parse({ sqs: { queueUrl: 'bench', groupId: 'acme', ...more } }),
      deps as unknown as ActionDeps & OutletDeps,
    )
    return (i: number) => delivered(bound, createDelivery({ body, key: `01JZZZZZZZ${i}.telemetry.0` }), signal)
  }
  const single = (i: number) => plain.send(new SendMessageCommand({ QueueUrl, ...entry(`key-${i}`) }))
  const batch = (i: number) => {
    const Entries = Array.from({ length: 10 }, (_, n) => ({ Id: String(n), ...entry(`key-${i}-${n}`) }))
    return plain.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  }
  const cases = [
    ['plain SDK, SendMessage', 5_000, 32, 1, single],
    ['plain SDK, SendMessageBatch', 50_000, 16, 10, batch],
    ['sqs action', 100_000, 1_000, 1, sink({})],
    ['sqs action, pack', 500_000, 4_000, 1, sink({ pack: {} })],
  ] as const
  const rows: Row[] = []
  for (const [what, count, parallel, each, send] of cases) {
    if (!what.includes(only)) continue
    const row = await measure(what, count * share, parallel, each, send)
    const peer = rows.find((row) => row.what === 'plain SDK, SendMessageBatch')
    rows.push(peer ? { ...row, ratio: ratioOf(row['messages/s']!, peer['messages/s']!, 'SDK batch') } : row)
  }
  aws.stop()
  plain.destroy()
  return rows
}

/** `parallel` callers share `count` bodies, `each` at a time; a tenth as much runs before, to warm up. */
async function measure(what: string, count: number, parallel: number, each: number, send: (i: number) => Promise<unknown>): Promise<Row> {
  const run = async (calls: number) => {
    let next = 0
    const caller = async () => {
      while (next < calls) await send(next++)
    }
    await Promise.all(Array.from({ length: parallel }, caller))
  }
  await run(count / each / 10)
  const startedAt = systemClock.monotonic()
  const before = process.cpuUsage()
  await run(count / each)
  const { user, system } = process.cpuUsage(before)
  const perSecond = Math.round((count / (systemClock.monotonic() - startedAt)) * 1_000)
  return { what, 'messages/s': perSecond, 'CPU µs/message': round((user + system) / count, 1) }
}
