// Pass or fail in one line each: `ack_ms p95 < 200`, `failed == 0`.

export interface Threshold {
  readonly text: string
  readonly metric: string
  readonly stat?: Stat
  readonly operator: Operator
  readonly limit: number
}

export interface ThresholdResult {
  readonly threshold: string
  readonly value: number | null
  readonly ok: boolean
}

export type Stat = 'p50' | 'p95' | 'p99' | 'max'

const operators = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  '==': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
} as const
type Operator = keyof typeof operators

/** Threshold names and the report's fields they read. */
const counts = {
  devices: 'devices',
  connected: 'connected',
  sent: 'sent',
  acked: 'acked',
  failed: 'failed',
  dropped: 'dropped',
  late: 'late',
  reconnects: 'reconnects',
  taken_over: 'takenOver',
  short_lived: 'shortLived',
  bytes_sent: 'bytesSent',
  bytes_received: 'bytesReceived',
  arrived: 'delivered.arrived',
  lost: 'delivered.lost',
  duplicated: 'delivered.duplicated',
  out_of_order: 'delivered.outOfOrder',
} as const
const latencies = { ack_ms: 'ackMs', connect_ms: 'connectMs', late_ms: 'lateMs', end_to_end_ms: 'delivered.endToEndMs' } as const
const stats: readonly string[] = ['p50', 'p95', 'p99', 'max'] satisfies Stat[]

/** Everything a threshold can look at; a latency by one of its statistics. */
export const thresholdMetrics: readonly { readonly name: string; readonly stats: readonly string[] }[] = [
  ...Object.keys(counts).map((name) => ({ name, stats: [] })),
  ...Object.keys(latencies).map((name) => ({ name, stats })),
]

/** Throws an Error whose message is the reason. */
export function parseThreshold(text: string): Threshold {
  const [, metric = '', stat, operator, limit] = /^\s*(\w+)(?:\s+(\w+))?\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text) ?? []
  if (operator === undefined) throw new Error(`expected a threshold such as "ack_ms p95 < 200" or "failed == 0", got "${text}"`)
  const known = thresholdMetrics.map(({ name }) => name)
  if (!known.includes(metric)) throw new Error(`"${metric}" is not something a threshold can look at; expected one of ${known.join(', ')}`)
  const isLatency = metric in latencies
  if (isLatency && !stats.includes(stat ?? ''))
    throw new Error(`"${metric}" needs one of ${stats.join(', ')} after it, as in "${metric} p95 < 200"`)
  if (!isLatency && stat !== undefined) throw new Error(`"${metric}" is a single number: write "${metric} ${operator} ${limit}"`)
  return { text: text.trim(), metric, ...(stat ? { stat: stat as Stat } : {}), operator: operator as Operator, limit: Number(limit) }
}

/** A metric the run did not produce (no acknowledgement at all, nothing verified) misses its threshold. */
export function checkThresholds(thresholds: readonly Threshold[], report: object): ThresholdResult[] {
  return thresholds.map(({ text, metric, stat, operator, limit }) => {
    const path = counts[metric as keyof typeof counts] ?? `${latencies[metric as keyof typeof latencies]}.${stat}`
    const value = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], report)
    const ok = typeof value === 'number' && operators[operator](value, limit)
    return { threshold: text, value: typeof value === 'number' ? value : null, ok }
  })
}
