// `weir ordering`: one seeded stream with transient failures through a standard and a FIFO queue, and what became of its order.
import { Command } from 'commander'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'
import { createConsumer } from '../consume/consumer.ts'
import { consumerSchema } from '../consume/consumer-config.ts'
import type { Outgoing } from '../consume/queue.ts'
import { toCount, toShare, toUrl, toWhole } from './arguments.ts'
import { type Bench, since, table, withBench } from './experiment.ts'

const examples = `
Examples:
  $ weir ordering
  $ weir ordering --devices 50 --count 40 --failures 0.1 --json
  $ weir ordering --aws-endpoint http://127.0.0.1:4566

An inversion is a message handled after a later one of its device. Exit code 3: the FIFO queue had one.
The embedded FIFO queue gives one message of a group at a time, AWS up to ten: its throughput here is a lower bound.`

const serviceMs = 2
const concurrency = 20

interface Flags {
  readonly devices: number
  readonly count: number
  readonly failures: number
  readonly seed: number
  readonly awsEndpoint?: string
  readonly json?: true
}

export interface OrderingRun {
  readonly queue: 'standard' | 'fifo'
  readonly handled: number
  readonly failures: number
  readonly inversions: number
  readonly devicesWithInversions: number
  readonly perSecond: number
  readonly elapsedMs: number
  readonly requests: Readonly<Record<string, number>>
}

export interface OrderingReport {
  readonly devices: number
  readonly messages: number
  readonly failureShare: number
  readonly seed: number
  readonly standard: OrderingRun
  readonly fifo: OrderingRun
}

export function orderingCommand(): Command {
  return new Command('ordering')
    .description('one seeded stream with transient failures through a standard and a FIFO queue')
    .option('--devices <n>', 'devices, each a message group', toCount, 20)
    .option('--count <n>', 'messages of each device', toCount, 50)
    .option('--failures <share>', 'share of messages whose first try fails', toShare, 0.05)
    .option('--seed <n>', 'same seed, same stream', toWhole, 7)
    .option('--aws-endpoint <url>', 'SQS to run against (default: an embedded one)', toUrl)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action((flags: Flags) =>
      withBench(systemClock, flags.awsEndpoint, async (bench) => {
        const report = await measureOrdering(flags, bench, systemClock, (text) => process.stderr.write(`${text}\n`))
        process.stdout.write(`${flags.json ? JSON.stringify(report) : orderingText(report)}\n`)
        process.exitCode = report.fifo.inversions === 0 ? 0 : 3
      }),
    )
}

export async function measureOrdering(
  { devices, count, failures, seed }: Pick<Flags, 'devices' | 'count' | 'failures' | 'seed'>,
  bench: Bench,
  clock: Clock,
  progress: (text: string) => void = () => {},
): Promise<OrderingReport> {
  const random = createRandom(seed, 'failures')
  const stream: Outgoing[] = Array.from({ length: devices * count }, (_, i) => {
    const [device, n] = [`device-${i % devices}`, Math.floor(i / devices)]
    const key = `${device}-${n}`
    return { id: key, key, group: device, attributes: {}, body: Buffer.from(JSON.stringify({ device, n })) }
  })
  const failing = new Set(stream.filter(() => random() < failures).map(({ key }) => key))
  progress(`1 of 2: standard queue, ${stream.length} messages, ${failing.size} fail at their first try`)
  const standard = await measure(stream, failing, { kind: 'standard', seed }, bench, clock)
  progress('2 of 2: FIFO queue, the same messages')
  const fifo = await measure(stream, failing, { kind: 'fifo', seed }, bench, clock)
  return { devices, messages: stream.length, failureShare: failures, seed, standard, fifo }
}

async function measure(
  stream: readonly Outgoing[],
  failing: ReadonlySet<string>,
  { kind, seed }: { readonly kind: 'standard' | 'fifo'; readonly seed: number },
  bench: Bench,
  clock: Clock,
): Promise<OrderingRun> {
  const name = `weir-ordering-${seed}${kind === 'fifo' ? '.fifo' : ''}`
  await bench.createQueues([name])
  const queue = bench.queue(name)
  const before = bench.requests()
  await queue.send(stream)
  const order = createOrder()
  const left = new Set(failing)
  const allHandled = Promise.withResolvers<void>()
  const options = consumerSchema.parse({
    queue: name,
    handler: { kind: 'log' },
    concurrency,
    retry: { base: '200ms', cap: '1s' },
    wait: '1s',
  })
  const consumer = createConsumer({
    queue,
    async handler({ key, body }) {
      await clock.sleep(serviceMs)
      if (left.delete(key)) throw new Error('a transient failure')
      const { device, n } = JSON.parse(Buffer.from(body).toString()) as { readonly device: string; readonly n: number }
      order.handled(device, n)
      if (order.count === stream.length) allHandled.resolve()
    },
    clock,
    random: createRandom(seed, 'jitter'),
    observe: { record() {} },
    options,
  })
  const startedAt = clock.monotonic()
  consumer.start()
  await allHandled.promise
  const elapsedMs = Math.round(clock.monotonic() - startedAt)
  await consumer.stop()
  return {
    queue: kind,
    handled: order.count,
    failures: failing.size,
    inversions: order.inversions,
    devicesWithInversions: order.devices.size,
    perSecond: Math.round((order.count * 1_000) / elapsedMs),
    elapsedMs,
    requests: since(before, bench.requests()),
  }
}

/** Counts what is handled after a later message of the same device. */
function createOrder() {
  const highest = new Map<string, number>()
  const devices = new Set<string>()
  let [count, inversions] = [0, 0]
  return {
    handled(device: string, n: number) {
      count++
      const before = highest.get(device) ?? -1
      highest.set(device, Math.max(before, n))
      if (n > before) return
      inversions++
      devices.add(device)
    },
    get count() {
      return count
    },
    get inversions() {
      return inversions
    },
    devices,
  }
}

export function orderingText({ messages, devices, failureShare, standard, fifo }: OrderingReport): string {
  const row = (label: string, of: (run: OrderingRun) => string | number) => [label, String(of(standard)), String(of(fifo))]
  const names = [...new Set([standard, fifo].flatMap(({ requests }) => Object.keys(requests)))]
  return [
    `${messages} messages of ${devices} devices, ${failureShare * 100} % fail at their first try`,
    '',
    table([
      ['', 'standard', 'FIFO'],
      row('inversions', ({ inversions }) => inversions),
      row('devices with an inversion', ({ devicesWithInversions }) => devicesWithInversions),
      row('handled', ({ handled }) => handled),
      row('handled a second', ({ perSecond }) => perSecond),
      ...names.map((name) => row(`${name} requests`, ({ requests }) => requests[name] ?? 0)),
      row('requests per message', ({ requests, handled }) => (Object.values(requests).reduce((sum, n) => sum + n, 0) / handled).toFixed(2)),
    ]),
    '',
    'A standard queue promises no order: a message that failed comes back after its successors.',
    'A FIFO queue keeps it inside each group: a failure makes its own group wait, and no other.',
  ].join('\n')
}
