// Everything a report says, as data: the table, the crossovers, the curves and what they rest on. The formats only print it.
import { airtime, type DataPlanName, dataPlans } from '../airtime.ts'
import { type AxisName, type Crossover, crossover } from '../crossover.ts'
import { CostError } from '../errors.ts'
import { type Comparison, estimateAll, estimatePath } from '../estimate.ts'
import { measuredWires, type Run } from '../measurement.ts'
import { toUsd } from '../money.ts'
import { type Path, type PathName, paths, type WireOf, wireOf } from '../paths.ts'
import type { Allowances } from '../price.ts'
import type { PriceBook } from '../price-book.ts'
import type { Answer } from '../questions/answer.ts'
import { questions } from '../questions/index.ts'
import { unverifiedRules } from '../questions/unverified.ts'
import { type Wire, wirePartNames, wireParts } from '../wire.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { describeBatches } from './measured.ts'

export interface Curve {
  readonly path: PathName
  readonly points: readonly (readonly [x: number, usd: number])[]
}

export interface AnsweredQuestion extends Partial<Answer> {
  readonly number: number
  readonly title: string
  /** Why there is no answer in this region. */
  readonly unanswered?: string
}

export interface WireBar {
  readonly title: string
  readonly basis: Wire['basis']
  /** Bytes of one message, both ways. */
  readonly parts: readonly (readonly [part: string, bytes: number])[]
}

export interface Report {
  readonly workload: Workload
  readonly comparison: Comparison
  readonly crossovers: readonly Crossover[]
  readonly questions: readonly AnsweredQuestion[]
  readonly curves: Readonly<Record<AxisName, readonly Curve[]>>
  readonly wire: readonly WireBar[]
  readonly airtime: readonly { readonly plan: DataPlanName; readonly title: string; readonly curves: readonly Curve[] }[]
  readonly assumptions: readonly string[]
  readonly unverified: readonly string[]
  readonly run?: Run
}

/** The paths worth a line of their own in a chart. */
export const charted = [
  'iot-mqtt',
  'iot-mqtt-basic-ingest',
  'iot-mqtt-reconnect',
  'iot-https',
  'api-http-sqs',
  'api-rest-sqs',
  'api-websocket-sqs',
  'weir-ec2',
] as const satisfies readonly PathName[]

const pairs: readonly (readonly [PathName, PathName, AxisName])[] = [
  ['iot-mqtt', 'iot-https', 'interval'],
  ['iot-mqtt', 'iot-mqtt-reconnect', 'interval'],
  ['iot-mqtt', 'api-http-sqs', 'interval'],
  ['iot-mqtt', 'api-rest-sqs', 'interval'],
  ['iot-mqtt', 'api-websocket-sqs', 'interval'],
  ['iot-mqtt-basic-ingest', 'api-http-sqs', 'interval'],
  ['iot-mqtt', 'api-websocket-sqs', 'payload'],
  ['iot-mqtt', 'weir-ec2', 'devices'],
  ['iot-mqtt-basic-ingest', 'weir-ec2', 'devices'],
]

export interface ReportOptions {
  readonly allowances?: Allowances
  /** A measured run: its bytes instead of the model's, and its own tables. */
  readonly run?: Run | undefined
}

export function buildReport(workload: Workload, { allowances = 'none', run }: ReportOptions = {}): Report {
  const wires = run ? measuredWires(run) : wireOf
  const comparison = estimateAll(workload, undefined, allowances, wires)
  return {
    workload,
    comparison,
    crossovers: mainCrossovers(workload, wires),
    questions: answerAll(workload, wires),
    curves: {
      interval: curves('intervalMs', spread(1_000, 86_400_000, 60), workload, comparison.book, wires),
      devices: curves('devices', spread(10, 1_000_000, 60), workload, comparison.book, wires),
      payload: curves('payloadBytes', payloadPoints(workload), workload, comparison.book, wires),
    },
    wire: wireBars(workload, wires),
    airtime: (['by-the-kB', 'session-10kB'] as const).map((plan) => ({
      plan,
      title: dataPlans[plan].title,
      curves: airtimeCurves(plan, workload, wires),
    })),
    assumptions: assumptionsOf(workload, comparison, run),
    unverified: unverifiedOf(comparison),
    ...(run && { run }),
  }
}

/** Numbered from 1; all of them when none is named. */
export function answerAll(
  workload: Workload,
  wires: WireOf = wireOf,
  numbers: readonly number[] = questions.map((_, i) => i + 1),
): readonly AnsweredQuestion[] {
  return numbers.map((number) => {
    const { title, answer } = questions[number - 1]!
    return { number, title, ...answered(() => answer(workload, wires)) }
  })
}

/** The pairs people ask about; those without a price are left out, the table says why. */
export function mainCrossovers(workload: Workload, wires: WireOf = wireOf): readonly Crossover[] {
  return pairs.flatMap(([a, b, axis]) => {
    const found = ifPriced(() => crossover(a, b, axis, workload, { wires, domain: axis === 'devices' ? [1, 1_000_000] : undefined }))
    return found ? [found] : []
  })
}

function curves(field: keyof Workload, points: readonly number[], workload: Workload, book: PriceBook, wires: WireOf): readonly Curve[] {
  return charted.flatMap((path) => {
    const priced = points.flatMap((x) => {
      const nanoDollars = ifPriced(() => estimatePath(path, { ...workload, [field]: x }, book, 'none', wires).totalNanoDollars)
      return nanoDollars === undefined ? [] : [[x, toUsd(nanoDollars)] as const]
    })
    return priced.length > 0 ? [{ path, points: priced }] : []
  })
}

function airtimeCurves(plan: DataPlanName, workload: Workload, wires: WireOf): readonly Curve[] {
  const shown = ['iot-mqtt', 'iot-mqtt-reconnect', 'iot-https', 'api-websocket-sqs'] as const satisfies readonly PathName[]
  return shown.map((name) => {
    const path: Path = paths[name]
    const points = spread(10_000, 86_400_000, 60).map((intervalMs) => {
      const at = { ...workload, intervalMs }
      return [intervalMs, toUsd(airtime(dataPlans[plan], at, wires(path, at), path.connection === 'always-on').nanoDollars ?? 0n)] as const
    })
    return { path: name, points }
  })
}

function wireBars(workload: Workload, wires: WireOf): readonly WireBar[] {
  const cases: readonly (readonly [string, PathName, Workload])[] = [
    ['MQTT over TLS, always on', 'iot-mqtt', workload],
    ['MQTT over WebSocket, always on', 'iot-mqtt-ws', workload],
    ['WebSocket, always on', 'api-websocket-sqs', workload],
    ['HTTPS, 100 requests a connection', 'iot-https', { ...workload, requestsPerConnection: 100 }],
    ['HTTPS, a connection a message', 'iot-https', { ...workload, requestsPerConnection: 1 }],
    ['MQTT, a connection a message', 'iot-mqtt-reconnect', workload],
  ]
  return cases.map(([title, name, at]) => {
    const wire = wires(paths[name], at)
    return {
      title,
      basis: wire.basis,
      parts: wireParts.map((part) => [wirePartNames[part], wire.parts[part].up + wire.parts[part].down] as const),
    }
  })
}

/** Even steps on a logarithmic axis, both ends included. */
function spread(from: number, to: number, count: number): readonly number[] {
  return [...new Set(Array.from({ length: count + 1 }, (_, i) => Math.round(from * (to / from) ** (i / count))))]
}

/** Both sides of every 5 KB step up to 64 KB, and of the 32 KB steps, so that a step is drawn as one. */
function payloadPoints({ topicBytes, readingsPerMessage }: Workload): readonly number[] {
  const largest = 65_536
  const edges = Array.from({ length: 13 }, (_, i) => (i + 1) * 5_120).flatMap((bytes) => [bytes - topicBytes, bytes])
  const all = [1, 200, 1_000, ...edges, 32_768, largest].map((bytes) => Math.floor(bytes / readingsPerMessage))
  return [...new Set(all.flatMap((bytes) => [bytes, bytes + 1]))].filter((bytes) => bytes >= 1 && bytes <= largest).sort((a, b) => a - b)
}

function assumptionsOf(workload: Workload, { estimates, allowances, basis }: Comparison, run: Run | undefined): readonly string[] {
  const w = workload
  const free =
    allowances === 'none'
      ? 'no allowance is subtracted'
      : 'the free allowances are subtracted from the table, not from crossovers and curves'
  return [
    `a month of ${w.days} days; ${free}`,
    `always-on devices open ${w.sessionsPerDeviceDay} connections a day and ping every ${w.keepAliveMs / 1_000} s when silent`,
    `HTTPS opens a connection for each ${w.requestsPerConnection === 1 ? 'request' : `${w.requestsPerConnection} requests`}`,
    `a WebSocket API ${(w.webSocketAcks ?? w.qos === 1) ? 'acknowledges each message with another, which is billed' : 'does not acknowledge messages'}`,
    `rules and API integrations send to SQS one message a call, Weir ${w.sends === 'single' ? 'too' : w.sends}; consumers poll when idle (${w.pollers})`,
    `batched calls to SQS carry ${w.messagesPerCall} messages each (assumed; a full batch is ten)${run ? `: ${describeBatches(run)}` : ''}`,
    `${w.dataOut ? `${basis} bytes out to the internet are charged, except from IoT Core` : 'data transfer out is left out'}`,
    `Lambda: ${w.lambdaMemoryMB} MB for ${w.lambdaDurationMs} ms on arm64`,
    `Weir: ${w.instanceType} or ${w.taskVcpu} vCPU and ${w.taskMemoryGB} GB, ${w.connectionsPerNode.toLocaleString('en-US')} connections and ${w.messagesPerSecondPerNode.toLocaleString('en-US')} messages a second a node (assumed), ${w.spareNodes} spare, ${w.labourUsd} USD of work a month; traffic between zones is left out`,
    ...estimates.flatMap(({ title, assumes }) => assumes.map((text) => `${title}: ${text}`)),
  ]
}

function unverifiedOf({ estimates, book, basis }: Comparison): readonly string[] {
  const used = new Set(
    estimates.flatMap(({ lineItems }) => lineItems.filter(({ confidence }) => confidence !== 'verified').map(({ item }) => item)),
  )
  const priced = [...used].map((item) => {
    const { confidence, note } = book.prices[item]!
    return `price of ${item}: ${confidence}${note ? ` (${note})` : ''}`
  })
  return [...unverifiedRules(basis).map(([rule, touches, confidence]) => `${rule}: ${confidence} (touches ${touches})`), ...priced]
}

function answered(compute: () => Answer): Answer | { readonly unanswered: string } {
  try {
    return compute()
  } catch (error) {
    if (error instanceof CostError && error.exitCode === 1) return { unanswered: error.message }
    throw error
  }
}

/** Undefined where a price is missing or the path cannot carry the message. */
function ifPriced<T>(compute: () => T): T | undefined {
  try {
    return compute()
  } catch (error) {
    if (error instanceof CostError && error.exitCode === 1) return undefined
    throw error
  }
}

/** The workload that is asked about when nobody says otherwise. */
export const defaultWorkload: Workload = parseWorkload({})
