// Who may do what. Every door and the broker ask here before anything else happens.
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { Source } from '../message.ts'

export const accessSchema = z.strictObject({
  maxPayloadBytes: z.number().int().min(1).default(131_072).describe('largest payload of one publish [AWS iot-core quotas: 128 KB]'),
  tenantTopicLevel: z
    .number()
    .int()
    .min(1)
    .max(8)
    .nullable()
    .default(3)
    .describe('the topic level, counted from 1 as in topic(n), that names the tenant; null where topics name none'),
})

export type AccessConfig = z.infer<typeof accessSchema>

export interface Publish {
  readonly topic: string
  readonly bytes: number
  readonly qos: 0 | 1 | 2
}

export interface Access {
  /** Throws TOPIC_INVALID, PAYLOAD_TOO_LARGE, QOS_NOT_SUPPORTED or NOT_AUTHORIZED. */
  publish(source: Source, publish: Publish): void
  /** Throws TOPIC_INVALID or NOT_AUTHORIZED. */
  subscribe(source: Source, filter: string): void
  /** The tenant a publish belongs to. */
  tenantOf(source: Source, topic: string): string | undefined
}

const maxTopicBytes = 256
const maxSlashes = 7
const basicIngest = /^\$aws\/rules\/[^/]+\/?/

export function createAccess({ maxPayloadBytes, tenantTopicLevel }: AccessConfig): Access {
  return {
    publish(_source, { topic, bytes, qos }) {
      if (qos === 2) throw new GatewayError('QOS_NOT_SUPPORTED', 'QoS 2 is not supported; publish with QoS 0 or 1')
      // The three levels of a Basic Ingest prefix count for nothing [AWS iot-basic-ingest].
      checkLimits(topic.replace(basicIngest, ''))
      if (topic.startsWith('$') && !basicIngest.test(topic)) throw new GatewayError('TOPIC_INVALID', `${topic} is reserved`)
      if (bytes > maxPayloadBytes) throw new GatewayError('PAYLOAD_TOO_LARGE', `${bytes} bytes are over the limit of ${maxPayloadBytes}`)
    },
    subscribe(_source, filter) {
      checkLimits(filter)
      if (filter.startsWith('$SYS/') || filter.startsWith('$share/') || filter.startsWith('$aws/rules/')) {
        throw new GatewayError('NOT_AUTHORIZED', `nobody may subscribe to ${filter}`)
      }
    },
    tenantOf: (source, topic) => source.tenant ?? (tenantTopicLevel === null ? undefined : levelOf(topic, tenantTopicLevel)),
  }
}

function checkLimits(topic: string): void {
  if (topic.includes('\0')) throw new GatewayError('TOPIC_INVALID', 'a topic may not contain U+0000') // [MQTT-4.7.3-2]
  // A UTF-16 unit takes at most three bytes, so short topics need no counting.
  if (topic.length * 3 > maxTopicBytes && Buffer.byteLength(topic) > maxTopicBytes) {
    throw new GatewayError('TOPIC_INVALID', `a topic may have ${maxTopicBytes} bytes at most`)
  }
  let slashes = 0
  for (let at = topic.indexOf('/'); at !== -1; at = topic.indexOf('/', at + 1)) slashes++
  if (slashes > maxSlashes) throw new GatewayError('TOPIC_INVALID', `a topic may have ${maxSlashes} slashes at most`)
}

function levelOf(topic: string, level: number): string | undefined {
  return topic.split('/', level)[level - 1] || undefined
}
