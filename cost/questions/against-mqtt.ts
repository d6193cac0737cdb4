// Question 2: always-on MQTT against every other way in.
import { crossover } from '../crossover.ts'
import { formatDomain, formatRanges } from '../format.ts'
import { basisOf, type PathName, wireOf } from '../paths.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'

interface Variant {
  readonly title: string
  readonly mqtt: PathName
  readonly fields: Partial<Workload>
  readonly others: readonly (readonly [name: PathName, fields?: Partial<Workload>, note?: string])[]
}

const others = [
  ['iot-https'],
  ['iot-mqtt-reconnect'],
  ['api-http-sqs'],
  ['api-rest-sqs'],
  ['api-websocket-sqs', { webSocketAcks: true }, 'with acknowledgements'],
  ['api-websocket-sqs', { webSocketAcks: false }, 'without acknowledgements'],
] as const satisfies Variant['others']

/** The three things people mean by "over IoT Core". */
export const variants: readonly Variant[] = [
  { title: 'broker only', mqtt: 'iot-mqtt', fields: { rule: false, queue: 'none' }, others },
  { title: 'rule, action, SQS', mqtt: 'iot-mqtt', fields: {}, others },
  { title: 'Basic Ingest', mqtt: 'iot-mqtt-basic-ingest', fields: {}, others: [['iot-https-basic-ingest'], ...others.slice(1)] },
]

export const againstMqtt: Question = {
  title: 'When is an always-on MQTT device cheaper or dearer than the other ways in, over the message interval?',
  answer(workload, wires = wireOf) {
    const rows = variants.flatMap(({ title, mqtt, fields, others }) =>
      others.map(([name, more = {}, note]) => {
        const cell = (dataOut: boolean) =>
          orReason(() =>
            formatRanges(crossover(mqtt, name, 'interval', parseWorkload({ ...workload, ...fields, ...more, dataOut }), { wires })),
          )
        return [title, `${name}${note ? ` ${note}` : ''}`, cell(false), cell(true)]
      }),
    )
    const https = rows.filter(([, rival]) => rival!.startsWith('iot-https')).map(([, rival, requests]) => requests === `always ${rival}`)
    const never = rows.filter(([, , requests]) => requests === 'always iot-mqtt' || requests === 'always iot-mqtt-basic-ingest').length
    return {
      formula: 'connection minutes × devices + messages × (message + rule + action + SQS) = the other path’s bill, solved for the interval',
      inputs: `${describeWorkload(workload)}; interval ${formatDomain('interval')}`,
      labels: 2,
      header: ['IoT Core with', 'against', 'cheaper, request prices only', `cheaper, with ${basisOf(wires, workload)} data transfer out`],
      rows,
      result: `By request prices alone always-on MQTT is the cheaper one at every interval in ${never} of ${rows.length} comparisons. HTTPS publishes on IoT Core, which have no connection minutes, are the cheaper ones at every interval in ${https.filter(Boolean).length} of ${https.length}; what they cost is the device’s airtime.`,
      confidence: 'inferred',
      caveat: `Zero connection minutes for HTTPS publishes are inferred; bytes out are ${basisOf(wires, workload)}, and those of IoT Core taken as free.`,
    }
  },
}
