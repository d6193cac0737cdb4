// Plays a recording back: NDJSON or CSV, at its own pace or faster, once or for ever.
import { readFile } from 'node:fs/promises'
import type { Slice } from './device.ts'
import { FleetError } from './errors.ts'
import type { Numbered } from './reading.ts'
import type { Scenario } from './scenario.ts'
import type { Plan } from './schedule.ts'
import type { Source } from './source.ts'

export interface RecordedReading {
  /** Milliseconds after the start. */
  readonly at: number
  readonly device: string
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos?: 0 | 1
}

type Row = Readonly<Record<string, unknown>>

/** In the order of their times. Rejects with a FleetError that names the line. */
export async function loadRecording(file: string): Promise<readonly RecordedReading[]> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new FleetError(`cannot replay ${file}: ${error.message}`, 2)
  })
  return parseRecording(text, file)
}

export function parseRecording(text: string, file: string): readonly RecordedReading[] {
  const rows = /^\s*\{/.test(text) ? parseNdjson(text, file) : parseCsv(text)
  const readings = rows.map(({ row, line }) => toReading(row, `${file}, line ${line}`))
  if (readings.length === 0) throw new FleetError(`${file} has no readings`, 2)
  // Times of day become times after the first; times after the start stay.
  const first = readings.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY)
  const start = first > 100_000_000_000 ? first : 0
  return readings.map((reading) => ({ ...reading, at: reading.at - start })).toSorted((a, b) => a.at - b.at)
}

export function createReplaySource(
  all: readonly RecordedReading[],
  { replay, duration, count, qos, prefix }: Scenario,
  slice: Slice = { worker: 0, workers: 1 },
): Source {
  const { speed = 1, loop = false } = replay ?? {}
  const devices = [...new Set(all.map(({ device }) => device))].filter((_, i) => i % slice.workers === slice.worker)
  const index = new Map(devices.map((id, i) => [id, i]))
  const readings = all.filter(({ device }) => index.has(device))
  // A loop takes as long as the recording, and the mean time between two readings until the first comes again.
  const lastAt = readings.at(-1)?.at ?? 0
  const roundMs = Math.max(1, lastAt + lastAt / Math.max(1, readings.length - 1))
  const rounds = loop ? (count ?? Number.POSITIVE_INFINITY) : 1
  const endMs = duration ?? Number.POSITIVE_INFINITY
  const sequences = new Map<string, number>()
  let played = 0
  let current = readings[0]!

  const timeOf = (n: number) => (readings[n % readings.length]!.at + Math.floor(n / readings.length) * roundMs) / speed
  const plan: Plan = {
    get nextAt() {
      const at = played < readings.length * rounds ? timeOf(played) : Number.POSITIVE_INFINITY
      return at < endMs ? at : Number.POSITIVE_INFINITY
    },
    next() {
      current = readings[played % readings.length]!
      return { at: timeOf(played++), device: index.get(current.device)! }
    },
  }
  return {
    clientIds: devices.map((id) => `${prefix}${id}`),
    plan,
    take() {
      const { device, topic, payload } = current
      const seq = (sequences.get(device) ?? 0) + 1
      sequences.set(device, seq)
      const reading: Numbered = { boot: 1, seq, device, ...identityIn(payload), topic, payload, qos: current.qos ?? qos }
      return [{ reading, delayMs: 0 }]
    },
    rest: () => [],
    links: [],
    herds: [],
    ...(duration === undefined ? {} : { durationMs: duration }),
    reboot: () => undefined,
  }
}

/** A fleet's own recording says which reading it is. */
function identityIn(payload: Uint8Array): Partial<Numbered> {
  if (payload[0] !== 0x7b) return {}
  try {
    const { device, boot, seq } = JSON.parse(Buffer.from(payload).toString())
    return typeof device === 'string' && Number.isInteger(boot) && Number.isInteger(seq) ? { device, boot, seq } : {}
  } catch {
    return {}
  }
}

function toReading({ at, device, topic, qos, payload, payloadBase64, ...rest }: Row, where: string): RecordedReading {
  const time = typeof at === 'string' && Number.isNaN(Number(at)) ? Date.parse(at) : Number(at ?? Number.NaN)
  if (!Number.isFinite(time)) throw new FleetError(`${where}: "at" is ${JSON.stringify(at)}; expected milliseconds or an ISO time`, 2)
  if (typeof device !== 'string' || device === '') throw new FleetError(`${where}: "device" is missing`, 2)
  if (typeof topic !== 'string' || topic === '' || /[#+]/.test(topic))
    throw new FleetError(`${where}: "topic" is ${JSON.stringify(topic)}; expected a topic without wildcards`, 2)
  const bytes =
    typeof payloadBase64 === 'string' && payloadBase64
      ? Buffer.from(payloadBase64, 'base64')
      : Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload ?? rest))
  const level = qos === undefined || qos === '' ? undefined : Number(qos)
  if (level !== undefined && level !== 0 && level !== 1)
    throw new FleetError(`${where}: "qos" is ${JSON.stringify(qos)}; expected 0 or 1`, 2)
  return { at: time, device, topic, payload: bytes, ...(level === undefined ? {} : { qos: level }) }
}

function parseNdjson(text: string, file: string): { readonly row: Row; readonly line: number }[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    try {
      return [{ row: JSON.parse(line) as Row, line: i + 1 }]
    } catch {
      throw new FleetError(`${file}, line ${i + 1}: is not JSON`, 2)
    }
  })
}

/** RFC 4180: the first line names the columns; columns that are not of the recording become the payload, numbers as numbers. */
function parseCsv(text: string): { readonly row: Row; readonly line: number }[] {
  const [head, ...lines] = csvRecords(text)
  const own = new Set(['at', 'device', 'topic', 'qos', 'payload', 'payloadBase64'])
  return lines.map(({ fields, line }) => {
    const entries = (head?.fields ?? []).map((name, i) => {
      const field = fields[i] ?? ''
      return [name, !own.has(name) && field !== '' && Number.isFinite(Number(field)) ? Number(field) : field] as const
    })
    return { row: Object.fromEntries(entries.filter(([name, field]) => name !== 'payload' || field !== '')), line }
  })
}

function csvRecords(text: string): { readonly fields: readonly string[]; readonly line: number }[] {
  const records: { fields: string[]; line: number }[] = []
  let fields: string[] = []
  let [line, startsAt] = [1, 1]
  for (const [whole, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    fields.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    line += whole.split('\n').length - 1
    if (end === ',') continue
    if (fields.length > 1 || fields[0] !== '') records.push({ fields, line: startsAt })
    fields = []
    startsAt = line
  }
  return records
}
