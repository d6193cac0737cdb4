// Question 4: orders that hold for small fleets and turn with volume.
import { axes, crossover } from '../crossover.ts'
import { formatDomain, formatInterval, formatRanges } from '../format.ts'
import { type PathName, paths, type WireOf, wireOf } from '../paths.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'

/** Paths that cost nothing without devices: only a tier can turn their order with the size of the fleet. */
const proportional = [
  'iot-mqtt',
  'iot-mqtt-basic-ingest',
  'iot-mqtt-reconnect',
  'iot-https',
  'api-http-sqs',
  'api-rest-sqs',
  'api-websocket-sqs',
  'emqx-serverless',
] as const satisfies readonly PathName[]
const intervals = [10_000, 60_000, 600_000]
const ends: Partial<Workload> = { dataOut: false, webSocketAcks: false, pollers: 0 }

export const volumeTiers: Question = {
  title: 'Where do the volume tiers reverse an order that holds for small fleets?',
  answer(workload, wires = wireOf) {
    const pairs = proportional.flatMap((a, i) => proportional.slice(i + 1).map((b) => [a, b] as const))
    let count = 0
    const rows = intervals.flatMap((intervalMs) =>
      [true, false].flatMap((rule) => {
        const at = parseWorkload({ ...workload, ...ends, intervalMs, rule, ...(!rule && { queue: 'none' }) })
        const compared = rule ? pairs : pairs.filter(([a, b]) => a !== 'iot-mqtt-basic-ingest' && b !== 'iot-mqtt-basic-ingest')
        return compared.flatMap(([a, b]) => {
          const answer = orReason(() => turned(a, b, at, wires))
          count++
          const title = `${paths[a].title} / ${paths[b].title}`
          return answer === '' ? [] : [[rule ? 'rule, action, SQS' : 'no rule, no queue', formatInterval(intervalMs), title, answer]]
        })
      }),
    )
    const turns = rows.filter(([, , , answer]) => !answer!.startsWith('not priced'))
    return {
      formula: 'both bills are proportional to the fleet until the first tier bound; each bound bends one of them',
      inputs: `${describeWorkload(workload)}; fleet ${formatDomain('devices')}; request prices only, WebSocket without acknowledgements`,
      labels: 3,
      header: ['with', 'interval', 'pair', 'cheaper over the fleet'],
      rows,
      result:
        turns.length === 0
          ? `No order turns up to ${axes.devices.domain[1].toLocaleString('en-US')} devices.`
          : `${turns.length} of ${count} pairs compared change their order with volume alone; the first: ${turns[0]![3]}.`,
      confidence: 'verified',
    }
  },
}

/** Nothing when one path is the cheaper one at every size. */
function turned(a: PathName, b: PathName, workload: Workload, wires: WireOf): string {
  const found = crossover(a, b, 'devices', workload, { wires })
  return found.ranges.filter(({ cheaper }) => cheaper !== 'equal').length > 1 ? formatRanges(found) : ''
}
