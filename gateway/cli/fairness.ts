// `weir fairness`: the same seeded load with fairness off and on, and what the quiet tenants wait in each.
import { Command, Option } from 'commander'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'
import { formatDuration } from '../../lib/units.ts'
import { createConsumer } from '../consume/consumer.ts'
import { consumerSchema } from '../consume/consumer-config.ts'
import { toMs, toPositive, toUrl, toWhole } from './arguments.ts'
import { type Bench, type Planned, planArrivals, quantile, sendPlan, since, table, withBench } from './experiment.ts'

const examples = `
Examples:
  $ weir fairness --noisy acme --times 100 --seed 7
  $ weir fairness --noisy acme --times 100 --json
  $ weir fairness --times 20 --duration 10s --aws-endpoint http://127.0.0.1:4566

Three runs on real queues, one after the other: the quiet tenants alone, then with the noisy one and fairness off, then on.
Off: first come, first served. On: a lane for each tenant, and an overflow queue for the excess of a noisy one.
What is measured: dwell, from the moment a message is stored in the queue until its handler is done, of every message; and
throughput, from the first message to the last. Arrivals are random (Poisson, seeded) and sent when they are due, whether
or not anybody keeps up. A handler waits 200 ms, give or take a fifth, and computes nothing; there are as many at once as it
takes for half of what is sent. So waiting decides and not the processor, and by default the three runs take 40 seconds.
Exit code 3: fairness did not keep its promise (p95 of the quiet tenants at most twice as long as alone and at least ten
times shorter than without fairness, throughput within 5 %).`

const quietTenants = ['bolt', 'cask', 'dune', 'elm']
const serviceMs = 200
const servedShare = 0.5

interface Flags {
  readonly noisy: string
  readonly times: number
  readonly seed: number
  readonly duration: number
  readonly rate: number
  readonly awsEndpoint?: string
  readonly json?: true
}

export interface FairnessRun {
  readonly handled: number
  readonly perSecond: number
  readonly elapsedMs: number
  readonly sidelined: number
  readonly quietDwellMs: { readonly p50: number; readonly p95: number; readonly p99: number }
  readonly noisyDwellMs: { readonly p50: number; readonly p95: number; readonly p99: number }
  readonly requests: Readonly<Record<string, number>>
}

export interface FairnessReport {
  readonly noisy: string
  readonly times: number
  readonly seed: number
  readonly quietTenants: readonly string[]
  readonly concurrency: number
  readonly serviceMs: number
  readonly alone: FairnessRun
  readonly off: FairnessRun
  readonly on: FairnessRun
  /** p95 dwell of the quiet tenants with fairness, relative to being alone; promised: at most 2. */
  readonly againstAlone: number
  /** How many times shorter than without fairness; promised: at least 10. */
  readonly againstOff: number
  /** Throughput with fairness relative to without; promised: at least 0.95. */
  readonly throughput: number
  readonly kept: boolean
}

export function fairnessCommand(): Command {
  return new Command('fairness')
    .description('the same seeded load with fairness off and on: what do the quiet tenants wait?')
    .option('--noisy <tenant>', 'name of the noisy tenant', 'acme')
    .option('--times <n>', 'how many times more than each other tenant it sends', toPositive, 100)
    .option('--seed <n>', 'same seed, same load', toWhole, 7)
    .addOption(new Option('--duration <duration>', 'how long the load lasts').argParser(toMs).default(8_000, '8s'))
    .option('--rate <n>', 'messages a second of a quiet tenant', toPositive, 2)
    .option('--aws-endpoint <url>', 'SQS to run against (default: an embedded one)', toUrl)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action((flags: Flags) =>
      withBench(systemClock, flags.awsEndpoint, async (bench) => {
        const report = await measureFairness(flags, bench, systemClock, (text) => process.stderr.write(`${text}\n`))
        process.stdout.write(`${flags.json ? JSON.stringify(report) : fairnessText(report)}\n`)
        process.exitCode = report.kept ? 0 : 3
      }),
    )
}

export async function measureFairness(
  { noisy, times, seed, duration, rate }: Pick<Flags, 'noisy' | 'times' | 'seed' | 'duration' | 'rate'>,
  bench: Bench,
  clock: Clock,
  progress: (text: string) => void,
): Promise<FairnessReport> {
  const quiet = quietTenants.filter((tenant) => tenant !== noisy).flatMap((tenant) => planArrivals(seed, tenant, rate, duration))
  const loud = planArrivals(seed, noisy, rate * times, duration)
  const perSecond = rate * (times + quietTenants.length)
  const concurrency = Math.max(2, Math.round((servedShare * perSecond * serviceMs) / 1_000))
  const trial = { noisy, seed, concurrency }
  const inOrder = (plan: readonly Planned[]) => plan.toSorted((a, b) => a.atMs - b.atMs)
  const overloadedFor = formatDuration(((quiet.length + loud.length) * serviceMs) / concurrency)
  progress(`1 of 3: quiet tenants alone, ${quiet.length} messages, about ${formatDuration(duration)}`)
  const alone = await measure(inOrder(quiet), { ...trial, name: 'alone', fairness: false }, bench, clock)
  progress(`2 of 3: with ${noisy}, fairness off, ${quiet.length + loud.length} messages, about ${overloadedFor}`)
  const off = await measure(inOrder([...quiet, ...loud]), { ...trial, name: 'off', fairness: false }, bench, clock)
  progress(`3 of 3: with ${noisy}, fairness on, the same messages, about ${overloadedFor}`)
  const on = await measure(inOrder([...quiet, ...loud]), { ...trial, name: 'on', fairness: true }, bench, clock)
  const againstAlone = ratio(on.quietDwellMs.p95, alone.quietDwellMs.p95)
  const againstOff = ratio(off.quietDwellMs.p95, on.quietDwellMs.p95)
  const throughput = ratio(on.perSecond, off.perSecond)
  const kept = againstAlone <= 2 && againstOff >= 10 && throughput >= 0.95
  return { noisy, times, seed, quietTenants, concurrency, serviceMs, alone, off, on, againstAlone, againstOff, throughput, kept }
}

interface Trial {
  readonly name: string
  readonly noisy: string
  readonly seed: number
  readonly concurrency: number
  readonly fairness: boolean
}

/** One run on fresh queues, until the last message is handled. */
async function measure(
  plan: readonly Planned[],
  { name, noisy, seed, concurrency, fairness }: Trial,
  bench: Bench,
  clock: Clock,
): Promise<FairnessRun> {
  const main = `weir-fairness-${name}-${seed}`
  const aside = `${main}-overflow`
  await bench.createQueues(fairness ? [main, aside] : [main])
  const before = bench.requests()
  const dwell = { quiet: [] as number[], noisy: [] as number[] }
  const random = createRandom(seed, 'service')
  const service = new Map(plan.map(({ message }) => [message.key, serviceMs * (0.8 + 0.4 * random())]))
  const left = new Set(plan.map(({ message }) => message.key))
  const allHandled = Promise.withResolvers<void>()
  if (left.size === 0) allHandled.resolve()
  const options = consumerSchema.parse({
    queue: main,
    handler: { kind: 'log' },
    concurrency,
    fairness,
    wait: '1s',
    ...(fairness ? { sideline: { queue: aside } } : {}),
  })
  const queue = bench.queue(main)
  const consumer = createConsumer({
    queue,
    ...(fairness ? { overflow: bench.queue(aside) } : {}),
    async handler(item) {
      await clock.sleep(service.get(item.key) ?? serviceMs)
      if (!left.delete(item.key)) return
      dwell[item.group === noisy ? 'noisy' : 'quiet'].push(clock.now() - item.sentAt)
      if (left.size === 0) allHandled.resolve()
    },
    clock,
    random: createRandom(seed, 'jitter'),
    observe: { record() {} },
    options,
  })
  const startedAt = clock.monotonic()
  consumer.start()
  let elapsedMs = 0
  try {
    await Promise.all([sendPlan(plan, queue, clock), allHandled.promise])
    elapsedMs = Math.round(clock.monotonic() - startedAt)
  } finally {
    await consumer.stop()
  }
  return {
    handled: plan.length,
    perSecond: round((plan.length * 1_000) / elapsedMs),
    elapsedMs,
    sidelined: consumer.stats().sidelined,
    quietDwellMs: quantiles(dwell.quiet),
    noisyDwellMs: quantiles(dwell.noisy),
    requests: since(before, bench.requests()),
  }
}

export function fairnessText({ noisy, times, alone, off, on, againstAlone, againstOff, throughput, kept }: FairnessReport): string {
  const row = (label: string, of: (run: FairnessRun) => string) => [label, of(alone), of(off), of(on)]
  const ms = (value: number) => `${value} ms`
  const calls = ({ requests }: FairnessRun) => String(Object.values(requests).reduce((sum, count) => sum + count, 0))
  return [
    table([
      ['', `without ${noisy}`, 'fairness off', 'fairness on'],
      row('quiet tenants, dwell p50', (run) => ms(run.quietDwellMs.p50)),
      row('quiet tenants, dwell p95', (run) => ms(run.quietDwellMs.p95)),
      row('quiet tenants, dwell p99', (run) => ms(run.quietDwellMs.p99)),
      row(`${noisy} (${times}×), dwell p95`, (run) => (run === alone ? '–' : ms(run.noisyDwellMs.p95))),
      row('handled a second', (run) => String(run.perSecond)),
      row('messages handled', (run) => String(run.handled)),
      row('through the overflow queue', (run) => String(run.sidelined)),
      row('SQS requests', calls),
    ]),
    '',
    `With fairness the quiet tenants' p95 is ${againstAlone}× what it is alone, and ${againstOff}× shorter than without fairness;`,
    `throughput is ${Math.round(throughput * 1_000) / 10} % of that without.${kept ? '' : ' That is not what is promised (2×, 10×, 95 %).'}`,
  ].join('\n')
}

const quantiles = (values: readonly number[]) => {
  const at = (share: number) => Math.round(quantile(values, share))
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
const round = (value: number) => Math.round(value * 10) / 10
const ratio = (a: number, b: number) => (b === 0 ? 0 : Math.round((a / b) * 1_000) / 1_000)
