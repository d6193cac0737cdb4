// `weir plan`: what a fleet and an outage ask of disk, time, quotas and money. The gateway's sums and the cost program's, put together.
import { Command, InvalidArgumentError, Option } from 'commander'
import { CostError } from '../cost/errors.ts'
import { estimatePath } from '../cost/estimate.ts'
import type { PathName } from '../cost/paths.ts'
import { loadPriceBook } from '../cost/price-book.ts'
import { parseWorkload } from '../cost/workload.ts'
import { toCount, toMs, toPerSecond, toText, toWhole } from '../gateway/cli/arguments.ts'
import { planOf } from '../gateway/plan/plan.ts'
import { messagesPerSecond, ordinaryLoad, type RegionSize, usualConnectsPerSecond } from '../gateway/plan/quotas.ts'
import { printableText } from '../lib/printable.ts'
import { parseSize } from '../lib/units.ts'
import { type Money, type PlanReport, planText } from './plan-text.ts'

const examples = `
Examples:
  $ weir plan --devices 10000 --interval 1m
  $ weir plan --devices 50000 --interval 10s --payload 400 --outage 12h --rate 8000/s
  $ weir plan --devices 200 --interval 5s --consumers 20 --handling 50ms --region eu-west-1 --json

The outage is one of whatever takes messages: targets, so that the spool fills, or consumers, so that the queues do. Without
--rate and --consumers, they are assumed to handle twice what arrives.
Exit code 3: the plan does not hold, with a sentence for each reason; 2: wrong usage.`

interface Flags {
  readonly devices: number
  readonly interval: number
  readonly payload: number
  readonly topic: string
  readonly clientId: string
  readonly outage: number
  readonly rate?: number
  readonly consumers?: number
  readonly handling: number
  readonly queue: 'standard' | 'fifo'
  readonly subscriptions: number
  readonly rulesPerMessage: number
  readonly connectRate: number
  readonly spool?: number
  readonly retention: number
  readonly region: string
  readonly regionSize: RegionSize
  readonly json?: true
}

export function planCommand(): Command {
  const duration = (flags: string, text: string, ms: number, shown: string) =>
    new Option(`${flags} <duration>`, text).argParser(toMs).default(ms, shown)
  return new Command('plan')
    .description('what a fleet and an outage ask of disk, time, quotas and money')
    .requiredOption('--devices <n>', 'devices, all connected', toCount)
    .requiredOption('--interval <duration>', 'between two readings of one device', toMs)
    .option('--payload <bytes>', 'bytes of one reading', toCount, ordinaryLoad.payloadBytes)
    .option('--topic <topic>', 'a topic, for its length', toText, 'dt/coldchain/acme/truck-7/freezer-00001/telemetry')
    .option('--client-id <id>', 'a client id, for its length', toText, 'freezer-00001')
    .addOption(duration('--outage', 'how long nothing is delivered or consumed', 6 * 3_600_000, '6h'))
    .option('--rate <rate>', 'what all consumers handle together, such as 500/s', toPerSecond)
    .addOption(new Option('--consumers <n>', 'messages handled at a time, instead of --rate').argParser(toCount).conflicts('rate'))
    .addOption(duration('--handling', 'how long one message is in hand', ordinaryLoad.handlingMs, `${ordinaryLoad.handlingMs}ms`))
    .addOption(new Option('--queue <type>', 'the queue they wait in').choices(['standard', 'fifo']).default('standard'))
    .option('--subscriptions <n>', 'topic filters of one device', toWhole, ordinaryLoad.subscriptions)
    .option('--rules-per-message <n>', 'rules that look at one message', toWhole, ordinaryLoad.rulesPerMessage)
    .addOption(
      new Option('--connect-rate <rate>', 'CONNECTs after the outage, of the whole fleet')
        .argParser(toPerSecond)
        .default(usualConnectsPerSecond, `${usualConnectsPerSecond}/s`),
    )
    .option('--spool <size>', 'spool.maxBytes of the gateway, to be held against the outage', toSize)
    .addOption(duration('--retention', 'how long the queues keep a message', 4 * 86_400_000, '4d'))
    .option('--region <region>', 'AWS Region, for its prices', 'us-east-1')
    .addOption(new Option('--region-size <size>', 'smaller Regions have smaller quotas').choices(['large', 'small']).default('large'))
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(run)
}

function toSize(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined || bytes < 4_096) throw new InvalidArgumentError('write a size such as 512MiB or 8GiB, 4KiB at least.')
  return bytes
}

function run(flags: Flags): void {
  try {
    const report = reportOf(flags)
    process.stdout.write(`${flags.json ? JSON.stringify(report) : planText(report, process.stdout.isTTY)}\n`)
    if (report.problems.length > 0) process.exitCode = 3
  } catch (error) {
    if (!(error instanceof CostError)) throw error
    process.stderr.write(`weir: ${printableText(error.message)}\n`)
    process.exitCode = 2
  }
}

/** Throws a CostError for what no price book or path takes. */
export function reportOf(flags: Flags): PlanReport {
  const { devices, interval: intervalMs, payload: payloadBytes, topic, clientId, handling: handlingMs, queue } = flags
  const money = moneyOf(flags)
  const described = { ...ordinaryLoad, devices, intervalMs, payloadBytes, handlingMs, queue }
  const capacity = capacityOf(flags)
  const load = {
    ...described,
    subscriptions: flags.subscriptions,
    rulesPerMessage: flags.rulesPerMessage,
    capacityPerSecond: capacity ?? 2 * messagesPerSecond(described),
  }
  const plan = planOf({
    load,
    reading: { payloadBytes, topic, clientId },
    region: flags.regionSize,
    outageMs: flags.outage,
    connectsPerSecond: flags.connectRate,
    ...(flags.spool !== undefined && { spoolMaxBytes: flags.spool }),
    retentionMs: flags.retention,
  })
  return { ...plan, payloadBytes, capacityAssumed: capacity === undefined, region: flags.region, cost: money }
}

function capacityOf({ rate, consumers, handling }: Flags): number | undefined {
  return consumers === undefined ? rate : (consumers * 1_000) / handling
}

/** The ways a fleet of MQTT devices is usually connected. */
const paths: readonly PathName[] = ['iot-mqtt', 'iot-mqtt-basic-ingest', 'weir-ec2']
const flagNames: Readonly<Record<string, string>> = {
  intervalMs: '--interval',
  payloadBytes: '--payload',
  topicBytes: '--topic',
  clientIdBytes: '--client-id',
}

/** What the outage adds is one more CONNECT of each device; what waits on a disk or in a queue is not billed. */
function moneyOf({ devices, interval, payload, topic, clientId, queue, region }: Flags): readonly Money[] {
  const fields = {
    ...{ region, devices, intervalMs: interval, payloadBytes: payload, queue },
    ...{ topicBytes: Buffer.byteLength(topic), clientIdBytes: Buffer.byteLength(clientId) },
  }
  const nameOf = (field: string) => flagNames[field] ?? `--${field}`
  const workload = parseWorkload(fields, nameOf)
  const { sessionsPerDeviceDay, days } = workload
  const withOutage = parseWorkload({ ...fields, sessionsPerDeviceDay: sessionsPerDeviceDay + 1 / days }, nameOf)
  const book = loadPriceBook(region)
  return paths.map((path) => {
    try {
      const month = estimatePath(path, workload, book)
      const worse = estimatePath(path, withOutage, book)
      const usd = (nanos: bigint) => Number(nanos) / 1e9
      return {
        path,
        title: month.title,
        monthlyUsd: usd(month.totalNanoDollars),
        outageUsd: usd(worse.totalNanoDollars - month.totalNanoDollars),
      }
    } catch (error) {
      if (!(error instanceof CostError) || error.exitCode !== 1) throw error
      return { path, title: path, reason: error.message }
    }
  })
}
