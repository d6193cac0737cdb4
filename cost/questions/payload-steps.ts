// Question 3: the 5 KB steps of IoT Core against 32 KB and 512 KB.
import { crossover } from '../crossover.ts'
import { formatInterval, formatRanges } from '../format.ts'
import { type PathName, wireOf } from '../paths.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'

const intervals = [10_000, 60_000, 600_000, 3_600_000]
const ends = { rule: false, queue: 'none', dataOut: false } as const
const rivals: readonly (readonly [PathName, Partial<Workload>, string])[] = [
  ['api-websocket-sqs', { webSocketAcks: false }, 'WebSocket, no acknowledgements'],
  ['api-websocket-sqs', { webSocketAcks: true }, 'WebSocket, acknowledged'],
  ['api-http-sqs', {}, 'HTTP API'],
]

export const payloadSteps: Question = {
  title: 'From which payload on does the 5 KB step make WebSocket (32 KB) or HTTP API (512 KB) cheaper, and at which interval?',
  answer(workload, wires = wireOf) {
    const base = { ...workload, ...ends }
    const byPayload = rivals.flatMap(([name, fields, title]) =>
      intervals.map((intervalMs) => [
        title,
        `payload, every ${formatInterval(intervalMs)}`,
        orReason(() => formatRanges(crossover('iot-mqtt', name, 'payload', parseWorkload({ ...base, ...fields, intervalMs }), { wires }))),
      ]),
    )
    const large = 2 * 5_120 - workload.topicBytes // the largest message of two steps
    const byInterval = rivals.map(([name, fields, title]) => [
      title,
      `interval, ${large.toLocaleString('en-US')} bytes`,
      orReason(() =>
        formatRanges(crossover('iot-mqtt', name, 'interval', parseWorkload({ ...base, ...fields, payloadBytes: large }), { wires })),
      ),
    ])
    return {
      formula:
        'messages × ⌈(payload + topic) / 5,120⌉ + connection minutes, against messages × (⌈payload / 32,768⌉ + acknowledgement + pings) + connection minutes, and requests × ⌈payload / 524,288⌉, each at its tiered price',
      inputs: `${describeWorkload(base)}; no rule, no queue, request prices only`,
      labels: 2,
      header: ['iot-mqtt against', 'over', 'cheaper'],
      rows: [...byPayload, ...byInterval],
      result: `The first byte that can turn the order is payload ${(5_121 - workload.topicBytes).toLocaleString('en-US')} with a topic of ${workload.topicBytes} bytes, where MQTT becomes two messages. Against WebSocket: ${byInterval[0]![2]}.`,
      confidence: 'inferred',
      caveat: '5 KB and 32 KB are taken as 5,120 and 32,768 bytes, which AWS does not print.',
    }
  },
}
